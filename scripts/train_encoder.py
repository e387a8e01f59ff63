"""python scripts/train_encoder.py --store runs/noneeg --out runs/noneeg-tokenizer

Segment store -> split and signal tokenizer.
"""

from biollm.cli import run

if __name__ == "__main__":
    run("train-encoder")
