"""python scripts/build.py --store runs/noneeg --signal_tokenizer runs/noneeg-tokenizer

Segments -> ShareGPT conversations.
"""

from biollm.cli import run

if __name__ == "__main__":
    run("build")
