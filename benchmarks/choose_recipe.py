"""python benchmarks/choose_recipe.py --config noneeg --store runs/noneeg --groups llm

Balanced accuracy of a recipe on validation subjects alone. In each outer fold the test part is dropped, the
validation subjects are scored, and a quarter of the training subjects takes the place of the validation part.
Further options are those of `biollm evaluate`: a variant is a flag.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from biollm.cli import run
from biollm.report_rows import gathered
from data_builders import SegmentStore, group_kfold
from data_builders.splits import inner_split

FOLDS = (0, 1)


def main() -> None:
    options = sys.argv[1:]
    store = SegmentStore(options[options.index("--store") + 1])
    outer, scores = group_kfold(store.table), []
    with tempfile.TemporaryDirectory() as folder:
        for fold in FOLDS:
            split, out = Path(folder) / f"{fold}.json", Path(folder) / f"fold{fold}"
            inner_split(store.table, outer[fold]).save(split)
            run("evaluate", [*options, "--split", str(split), "--out", str(out), "--seeds", "0"])
            rows = gathered(out, store.classes)
            right = {
                m: balanced_accuracy_score(r["truth"], r["prediction"].fillna(""))
                for m, r in rows.groupby("method")
            }
            scores.append(pd.Series(right, name=f"fold {fold}"))
    table = pd.concat(scores, axis=1)
    print(table.assign(mean=table.mean(axis=1)).round(3).to_string())


if __name__ == "__main__":
    main()
