"""Non-EEG, spoiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import wfdb
from written import noneeg

from spoiled.case import Case, cases_of, cut, empty, folder_instead, nothing, rewrite

WRIST = "Subject2_AccTempEDA"
case = cases_of("noneeg", noneeg)


def wrist(root: Path, rate: int = 8, signals: tuple[str, ...] = ("ax", "ay", "az", "temp", "EDA")) -> None:
    """Another wrist record of Subject2, relaxed throughout."""
    data = np.random.default_rng(3).normal(size=(440 * rate, len(signals)))
    wfdb.wrsamp(WRIST, fs=rate, units=["NU"] * len(signals), sig_name=list(signals), p_signal=data,
                fmt=["16"] * len(signals), write_dir=str(root))  # fmt: skip
    note(root, "Relax")


def invalid_samples(root: Path) -> None:
    """-32768 is what WFDB reads as no value."""
    path = root / f"{WRIST}.dat"
    samples = np.frombuffer(path.read_bytes(), "<i2").reshape(-1, 5).copy()
    samples[:, 4] = -32768
    path.write_bytes(samples.tobytes())


def note(root: Path, text: str) -> None:
    wfdb.wrann(WRIST, "atr", np.array([1]), symbol=['"'], aux_note=[text], write_dir=str(root))


CASES = {
    "truncated": case(lambda r: cut(r / f"{WRIST}.dat"), r"Subject2_AccTempEDA\.dat holds 17600 bytes"),
    "empty": case(lambda r: empty(r / f"{WRIST}.dat"), r"Subject2_AccTempEDA\.dat holds 0 bytes"),
    "empty header": case(lambda r: empty(r / f"{WRIST}.hea"), r"Subject2_AccTempEDA\.hea"),
    "header of another kind": case(
        lambda r: (r / f"{WRIST}.hea").write_text("<html>404</html>"), r"Subject2_AccTempEDA\.hea"
    ),
    "no finger record": case(
        lambda r: (r / "Subject10_SpO2HR.hea").unlink(), r"Subject10_SpO2HR\.hea is missing"
    ),
    "a directory as a file": case(
        lambda r: folder_instead(r / f"{WRIST}.dat"), r"Subject2_AccTempEDA\.dat is missing"
    ),
    "2 GB in the header": case(
        lambda r: rewrite(r / f"{WRIST}.hea", " 3520", " 200000000"),
        r"AccTempEDA\.dat holds 35200.*2000000000",
    ),
    "unknown label": case(lambda r: note(r, "Sleep"), r"AccTempEDA\.atr: note 0 is 'Sleep'.*Relax"),
    "damaged notes": case(
        lambda r: (r / f"{WRIST}.atr").write_bytes(b"\xff" * 301), r"Subject2_AccTempEDA\.atr"
    ),
    "no notes": case(lambda r: (r / f"{WRIST}.atr").unlink(), r"Subject2_AccTempEDA.*0 labelled blocks"),
    "wrong channels": case(
        lambda r: wrist(r, signals=("ax", "ay", "az", "temp")), r"Subject2_AccTempEDA.*not \['EDA'\]"
    ),
    "NaN only": case(invalid_samples, r"Subject2.*'gsr' is NaN throughout"),
    "mixed rates": case(lambda r: wrist(r, rate=4), r"Subject10.*8 Hz.*4 Hz"),
    "no files": Case(nothing, r"holds no \*_AccTempEDA\.hea", "noneeg"),
}
