"""Tables of one's own recordings, and the check of one, as the tests of manifests use them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_builders.checking import DataCheckConfig, data_check
from written import signal_files

RATE, NAMES = 128.0, ["Fp1", "Fp2", "Cz"]


def eeg(seed: int = 0, n_seconds: int = 12, n_channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 20, size=(n_channels, int(n_seconds * RATE)))


def write_table(root: Path, rows: list[dict[str, Any]], name: str = "manifest.csv") -> Path:
    table = pd.DataFrame(rows)
    if name.endswith(".parquet"):
        table.to_parquet(root / name)
    elif name.endswith(".jsonl"):
        table.to_json(root / name, orient="records", lines=True)
    else:
        table.to_csv(root / name, index=False, sep="\t" if name.endswith(".tsv") else ",")
    return root / name


def check(root: Path, **options: Any) -> dict:
    return data_check(DataCheckConfig(str(root), reader_options=options), progress=False)


def row(path: str, subject: str = "S01", **cells: Any) -> dict[str, Any]:
    about = {"path": path, "subject": subject, "modality": "eeg", "sampling_rate": RATE, "unit": "uV"}
    return about | {"emotion": "calm"} | cells


def healthy(root: Path) -> pd.DataFrame:
    """Four subjects with a file each; every case below breaks one thing of it."""
    rows = []
    for k in range(4):
        signal_files.csv(root / f"s{k}.csv", eeg(k), RATE, NAMES)
        np.save(root / f"s{k}.npy", np.abs(eeg(k, n_channels=1)))
        cells = {"session": "a", "trial": "film", "start": 0, "end": 12, "valence": 0.5, "transition": 1}
        emotion = ("calm", "joy")[k % 2]
        rows.append(row(f"s{k}.csv", f"S0{k + 1}", emotion=emotion, **cells))
        about = {"modality": "gsr", "unit": "uS"}
        rows.append(row(f"s{k}.npy", f"S0{k + 1}", emotion=emotion, **(cells | about)))
    return pd.DataFrame(rows).astype(object)


def cell(number: int, column: str, value: Any) -> Callable[[Path, pd.DataFrame], None]:
    """Set a cell by the row number that an editor shows."""

    def change(root: Path, table: pd.DataFrame) -> None:
        table.loc[number - 2, column] = value

    return change


def file(write: Callable[[Path], Any], name: str = "s1.csv") -> Callable[[Path, pd.DataFrame], None]:
    """Write another file in place of one."""

    def change(root: Path, table: pd.DataFrame) -> None:
        for number in table.index[table["path"] == "s1.csv"]:
            table.loc[number, "path"] = name
        (root / "s1.csv").unlink()
        write(root / name)

    return change


def named_and_nothing_written(root: Path, change: Callable[[Path, pd.DataFrame], Any], message: str) -> None:
    """Check the healthy table with one change: the message is told, and no file is written or touched."""
    table = healthy(root)
    change(root, table)
    write_table(root, table.to_dict("records"))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    with pytest.raises(ValueError, match=message) as error:
        check(root)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert str(error.value).startswith(f"{root / 'manifest.csv'}: ")
