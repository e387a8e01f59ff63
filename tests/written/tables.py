"""Tables of one's own recordings, and the check of one, as the tests of manifests use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_builders.checking import DataCheckConfig, data_check

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
