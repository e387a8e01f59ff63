"""Kaggle's table, spoiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from written import kaggle

from spoiled.case import cases_of, cut, empty, folder_instead, rewrite

case = cases_of("kaggle", kaggle, "emotions.csv")


def values(path: Path, changed: np.ndarray, names: list[str] = kaggle.NAMES) -> None:
    kaggle.write_table(path.parent, changed, kaggle.WORDS, names)


CASES = {
    "empty": case(empty, r"emotions\.csv"),
    "truncated in a row": case(cut, r"emotions\.csv: "),
    "a column is missing": case(
        lambda p: values(p, kaggle.table()[:, 1:], kaggle.NAMES[1:]), r"emotions\.csv: has .*2548 columns"
    ),
    "no labels": case(lambda p: rewrite(p, ",label\n", ",mood\n"), r"emotions\.csv: .*none of them 'label'"),
    "unknown label": case(
        lambda p: rewrite(p, "POSITIVE", "ECSTATIC"), r"emotions\.csv: .*row 4: 'ecstatic'"
    ),
    "NaN only": case(lambda p: values(p, np.full((6, 2548), np.nan)), r"emotions\.csv: "),
    "a directory as a file": case(folder_instead, r"'kaggle'.*holds no emotions\.csv"),
}
