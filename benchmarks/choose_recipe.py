"""python benchmarks/choose_recipe.py --config noneeg --store runs/noneeg --groups llm

Balanced accuracy of a recipe on validation subjects alone. In each outer fold the test part is dropped, the
validation subjects are scored, and a quarter of the training subjects takes the place of the validation part.
Further options are those of `biollm evaluate`: a variant is a flag.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from biollm.cli import run
from biollm.report_rows import gathered
from data_builders import SegmentStore, Split, group_kfold

FOLDS = (0, 1)


def inner(table: pd.DataFrame, outer: Split) -> Split:
    """The split inside an outer fold's training part."""
    parts = table["segment"].map(outer.parts)
    scored = table.loc[parts == "validation", "subject"].unique()
    rest = np.random.default_rng(outer.fold).permutation(
        sorted(table.loc[parts == "train", "subject"].unique())
    )
    held = max(1, round(len(rest) / 4))
    part = dict.fromkeys(scored, "test") | dict.fromkeys(rest[:held], "validation")
    part |= dict.fromkeys(rest[held:], "train")
    kept = table[table["subject"].isin(part)]
    assigned = dict(zip(kept["segment"], kept["subject"].map(part), strict=True))
    return Split(assigned, f"inside {outer.protocol}", outer.fold)


def main() -> None:
    options = sys.argv[1:]
    store = SegmentStore(options[options.index("--store") + 1])
    outer, scores = group_kfold(store.table), []
    with tempfile.TemporaryDirectory() as folder:
        for fold in FOLDS:
            split, out = Path(folder) / f"{fold}.json", Path(folder) / f"fold{fold}"
            inner(store.table, outer[fold]).save(split)
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
