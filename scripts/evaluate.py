"""python scripts/evaluate.py --config noneeg --store runs/noneeg --out runs/noneeg-results --jobs 2

Every method on the same split, and the report.
"""

from biollm.cli import run

if __name__ == "__main__":
    run("evaluate")
