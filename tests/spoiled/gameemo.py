"""GAMEEMO, spoiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from written import gameemo

from spoiled.case import cases_of, cut, empty, folder_instead, nothing, rewrite

case = cases_of("gameemo", gameemo, "(S01)/Preprocessed EEG Data/.csv format/S01G1AllChannels.csv")


def save(path: Path, data: np.ndarray, names: tuple[str, ...] = gameemo.CHANNELS) -> None:
    gameemo.write_csv(path, data, names)


CASES = {
    "empty": case(empty, r"S01G1AllChannels\.csv"),
    "a header alone": case(lambda p: save(p, np.zeros((14, 0))), r"S01G1AllChannels\.csv: holds a header"),
    "truncated in a row": case(cut, r"S01G1AllChannels\.csv"),
    "13 channels": case(
        lambda p: save(p, np.zeros((13, 640)), gameemo.CHANNELS[:-1]), r"S01G1AllChannels\.csv: .*T8"
    ),
    "another channel": case(lambda p: rewrite(p, "AF3", "Cz"), r"S01G1AllChannels\.csv: .*Cz"),
    "text among numbers": case(lambda p: rewrite(p, "\n", "\noff,"), r"S01G1AllChannels\.csv: "),
    "NaN only": case(lambda p: save(p, np.full((14, 640), np.nan)), r"S01G1AllChannels\.csv: "),
    "a game is missing": case(lambda p: p.unlink(), r"\(S01\).*lacks \['G1'\]"),
    "a directory as a file": case(folder_instead, r"S01G1AllChannels\.csv"),
    "binary": case(lambda p: p.write_bytes(bytes(range(256)) * 9), r"S01G1AllChannels\.csv: "),
    "two unknown options": case(
        nothing,
        r"data is 'cooked'; allowed are .*format is 'edf'; allowed",
        '--reader_options {"data":"cooked","format":"edf"}',
    ),
}
