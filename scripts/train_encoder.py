"""python scripts/train_encoder.py --store runs/noneeg --out runs/noneeg-tokenizer

Segment store -> split and signal tokenizer, in a run folder. In two processes, on GPUs or on CPUs:
accelerate launch --multi_gpu --num_processes 2 scripts/train_encoder.py --store runs/noneeg --out runs/x
torchrun --nproc_per_node 2 scripts/train_encoder.py --store runs/noneeg --out runs/x
"""

from biollm.cli import run

if __name__ == "__main__":
    run("train-encoder")
