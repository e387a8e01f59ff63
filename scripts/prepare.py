"""python scripts/prepare.py --dataset noneeg --root data/noneeg --out runs/noneeg

Recordings -> segment store.
"""

from biollm.cli import run

if __name__ == "__main__":
    run("prepare")
