"""The real data sets, read in full: counts, balance, and what only they can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_builders.readers import FMOV, NonEEG, StressPredict
from data_builders.readers.empatica import read_signals, read_tags
from data_builders.readers.stress_predict import LABEL_FILE
from data_builders.recording import Recording

REAL = Path(__file__).parents[2] / "shared" / "data"
STRESS = REAL / "stress_predict"

needs_stress = pytest.mark.skipif(
    not STRESS.is_dir(), reason="the real Stress-Predict data are not in ../shared/data"
)


@pytest.mark.skipif(not (REAL / "noneeg").is_dir(), reason="the real Non-EEG data are not in ../shared/data")
def test_noneeg_counts() -> None:
    counts: Counter[str] = Counter()
    reader = NonEEG(REAL / "noneeg")
    assert len(reader.paths()) == 20
    for recording in reader:
        assert len(recording.blocks) == 7
        assert 2000 < recording.duration < 2600
        assert 20 < np.median(recording.signals["temperature"].data) < 40
        for block in recording.blocks:
            counts[block.labels["emotion"]] += int(block.duration // reader.window)
    assert counts == {"relax": 789, "emotional": 243, "cognitive": 221, "physical": 200}


@pytest.mark.skipif(not (REAL / "fmov").is_dir(), reason="the real FMOV data are not in ../shared/data")
def test_fmov_counts() -> None:
    counts: Counter[str] = Counter()
    reader = FMOV(REAL / "fmov")
    assert len(reader.paths()) == 37
    for recording in reader:
        assert len(recording.blocks) == 12
        assert recording.blocks[0].start >= reader.event[0]  # type: ignore[index]
        assert recording.blocks[-1].start + reader.event[1] <= recording.duration  # type: ignore[index]
        counts.update(block.labels["emotion"] for block in recording.blocks)
    assert counts == {"angry": 148, "happy": 148, "neutral": 148}


@pytest.fixture(scope="module")
def stress() -> list[Recording]:
    return list(StressPredict(STRESS))


@needs_stress
def test_stress_predict_counts(stress: list[Recording]) -> None:
    assert [recording.subject for recording in stress] == [f"S{number:02d}" for number in range(2, 36)]
    counts: Counter[str] = Counter()
    for recording in stress:
        words = [block.labels["emotion"] for block in recording.blocks]
        assert words == ["rest", "stress", "rest", "stress", "rest", "stress", "rest"]
        assert 3000 < recording.duration < 3600
        assert 20 < np.median(recording.signals["temperature"].data) < 40
        assert 50 < np.median(recording.signals["heart_rate"].data) < 130
        for block in recording.blocks:
            counts[block.labels["emotion"]] += int(block.duration // StressPredict.window)
    assert counts == {"rest": 1196, "stress": 566}


@needs_stress
def test_stress_predict_blocks_cover_the_recording(stress: list[Recording]) -> None:
    for recording in stress:
        stops = [block.start + block.duration for block in recording.blocks]
        assert [block.start for block in recording.blocks] == [0.0, *stops[:-1]]
        assert stops[-1] == recording.duration


def seconds_of(subject: str) -> pd.DataFrame:
    """The subject's rows of the processed table."""
    table = pd.read_csv(STRESS / LABEL_FILE)
    return table[table["Participant"] == int(subject[1:])]


@needs_stress
def test_stress_predict_windows_on_one_grid_are_those_of_its_readme() -> None:
    """1704 windows, .682 of rest: on one grid over a subject's labels, where 90 % of a window agree.

    The reader's own grids start anew at each change of label, so that no window holds two labels.
    """
    labels = []
    for subject in (f"S{number:02d}" for number in range(2, 36)):
        found = seconds_of(subject)["Label"].to_numpy()
        labels += list(found[: len(found) // 60 * 60].reshape(-1, 60).mean(1))
    shares = np.array(labels)
    agree = shares[(shares <= 0.1) | (shares >= 0.9)]
    assert len(agree) == 1704
    assert (agree < 0.5).mean() == pytest.approx(0.682, abs=0.0005)


def processed_and_raw(subject: str, lag: int) -> Iterator[tuple[float, float]]:
    """Heart rates of the processed table, and of HR.csv `lag` s later."""
    signals, start = read_signals(STRESS / "Raw_data" / subject, ["heart_rate"])
    raw = signals["heart_rate"].data[0]
    for second, rate in seconds_of(subject)[["Time(sec)", "HR"]].to_numpy():
        place = round(second + lag - start)
        if np.isfinite(rate) and 0 <= place < len(raw):
            yield rate, raw[place]


@needs_stress
@pytest.mark.parametrize("number", range(2, 36))
def test_stress_predict_heart_rate_of_the_table_is_one_second_early(number: int) -> None:
    """The clocks differ by one second exactly: nothing else fits, so that labels are not further off."""
    pairs = np.array(list(processed_and_raw(f"S{number:02d}", lag=1)))
    assert len(pairs) > 3000
    # HR.csv has two decimals, which float32 keeps to 1e-5
    np.testing.assert_allclose(pairs[:, 0], pairs[:, 1], atol=1e-4)
    for lag in (0, 2):
        other = np.array(list(processed_and_raw(f"S{number:02d}", lag=lag)))
        assert (np.abs(np.diff(other, axis=1)) > 1e-4).mean() > 0.8


@needs_stress
def test_stress_predict_labels_change_at_the_presses(stress: list[Recording]) -> None:
    """The table's own seconds are the presses', to the half second that rounding allows, but of four."""
    off = {}
    for recording in stress:
        folder = STRESS / "Raw_data" / recording.subject
        _, start = read_signals(folder, ["heart_rate"])
        changes = np.array([block.start for block in recording.blocks[1:]])
        far = np.abs(np.array(read_tags(folder))[:6] - start - changes)
        if (far > 0.5).any():
            off[recording.subject] = int((far > 0.5).sum())
    assert off == {"S06": 6, "S17": 3, "S18": 1, "S30": 1}


@needs_stress
def test_stress_predict_has_seven_presses_of_31_subjects() -> None:
    counts = Counter(len(read_tags(folder)) for folder in sorted(STRESS.glob("Raw_data/S*")))
    assert counts == {7: 31, 9: 3, 10: 1}
