"""Windows on recordings, and the resampling before them."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.preprocessing import HIGHEST_RATES, PreprocessingConfig, preprocess, resample
from data_builders.recording import Block, Recording, Signal
from data_builders.segmentation import (
    cut,
    event_windows,
    reference_windows,
    tile,
    windows,
)
from data_builders.segments import concatenate

RATE = 4.0


def ramp(seconds: float, *blocks: Block, subject: str = "P1") -> Recording:
    """A recording whose value is its time in s, so that a window tells where it was cut."""
    time = np.arange(round(seconds * RATE)) / RATE
    signals = {
        "gsr": Signal(time[None], RATE, ("eda",), "µS"),
        "heart_rate": Signal(np.floor(time[:: int(RATE)])[None], 1.0, ("hr",), "bpm"),
    }
    return Recording(signals, "ramp", subject, blocks=blocks)


def block(start: float, duration: float, emotion: str = "calm", trial: str = "T") -> Block:
    return Block(start, duration, {"emotion": emotion}, trial=f"{trial}{start:g}")


@pytest.mark.parametrize("step", [0.0, 1.0, 2.5, 4.0, 10.0, 15.0])
def test_windows_lie_wholly_inside_their_block(step):
    recording = ramp(100, block(3, 27), block(30, 9), block(40.25, 45.5), block(90, 40))
    found = windows(recording, 10.0, step)
    assert found
    for start, inside, _, reference in found:
        assert inside.start <= start
        assert start + 10 <= min(inside.start + inside.duration, recording.duration) + 1e-6
        assert not reference


@pytest.mark.parametrize("step", [0.0, 1.0, 4.0, 5.0, 10.0, 15.0])
def test_the_evaluated_windows_fill_a_block_side_by_side_whatever_the_step(step):
    found = windows(ramp(100, block(3, 35)), 10.0, step)
    assert [start for start, _, on_grid, _ in found if on_grid] == [3.0, 13.0, 23.0]


def test_a_step_adds_overlapping_windows_for_training_once_each():
    found = windows(ramp(100, block(0, 22)), 10.0, 4.0)
    assert [(start, on_grid) for start, _, on_grid, _ in found] == [
        (0.0, True),
        (4.0, False),
        (8.0, False),
        (10.0, True),
        (12.0, False),
    ]


def test_decimal_lengths_lose_no_window_to_rounding():
    # 0.1 + 0.7 is a little less than 0.8 in binary.
    assert len(windows(ramp(10, block(0.1, 0.7)), 0.1, 0.1)) == 7
    found = windows(ramp(10, block(0, 0.9)), 0.3, 0.1)
    assert [on_grid for _, _, on_grid, _ in found] == [True, False, False, True, False, False, True]


def test_a_block_that_starts_before_the_recording_has_no_window_there():
    found = windows(ramp(100, block(-15, 40)), 10.0, 5.0)
    assert min(start for start, *_ in found) >= 0
    assert cut(ramp(100), found, 10.0).signals["gsr"][0, 0, 0] == found[0][0]


def test_events_are_cut_from_before_to_after_and_those_at_the_edges_left_out():
    recording = ramp(60, block(1, 0), block(20, 0, "happy"), block(57, 0))
    found = event_windows(recording, 2.0, 6.0)
    assert [(start, on_grid) for start, _, on_grid, _ in found] == [(18.0, True)]
    segments = cut(recording, found, 8.0)
    assert segments.signals["gsr"][0, 0, [0, -1]].tolist() == [18.0, 26.0 - 1 / RATE]
    assert segments.table["emotion"].tolist() == ["happy"]


def test_shifted_copies_of_events_are_for_training_only():
    found = event_windows(ramp(60, block(20, 0)), 2.0, 6.0, step=0.5)
    assert sorted((start, on_grid) for start, _, on_grid, _ in found) == [
        (17.5, False),
        (18.0, True),
        (18.5, False),
    ]


def test_a_copy_shifted_off_its_event_is_refused():
    with pytest.raises(ValueError, match=r"step is 8.0 s.*half of the window's 8.0 s"):
        event_windows(ramp(60, block(20, 0)), 2.0, 6.0, step=8.0)


@pytest.mark.parametrize(
    ("seconds", "length"), [(400, 10.0), (400, 7.0), (95, 10.0), (400, 121.0), (5, 10.0)]
)
def test_reference_windows_lie_in_the_first_two_minutes(seconds, length):
    recording = ramp(seconds)
    found = reference_windows(recording, length)
    stop = min(recording.baseline[1], seconds)
    assert len(found) == int(stop // length)
    assert all(start >= 0 and start + length <= stop + 1e-6 for start, *_ in found)
    assert all(reference and inside is None and not grid for _, inside, grid, reference in found)


def test_tiles_cover_a_recording_and_know_the_block_that_holds_them():
    recording = ramp(45, block(0, 10, "calm"), block(10, 15, "tense"), block(30, 15, "calm"))
    found = tile(recording, 10.0)
    assert [start for start, *_ in found] == [0.0, 10.0, 20.0, 30.0]
    assert cut(recording, found, 10.0).table["emotion"].tolist() == ["calm", "tense", None, "calm"]


def test_tiles_of_decimal_length_keep_the_label_of_their_block():
    # 3 * 0.1 is a little more than 0.3: the third tile would miss its block by 1e-17 s.
    found = tile(ramp(10, block(0, 0.3)), 0.1)
    assert [inside is not None for _, inside, _, _ in found[:4]] == [True, True, True, False]


def test_a_cut_takes_the_same_moment_of_every_modality():
    recording = ramp(100, block(0, 100))
    segments = cut(recording, windows(recording, 10.0, 5.0), 10.0)
    start = segments.table["start"].to_numpy()
    gsr, heart = segments.signals["gsr"], segments.signals["heart_rate"]
    assert gsr.shape == (len(start), 1, 40)
    assert heart.shape == (len(start), 1, 10)
    np.testing.assert_array_equal(gsr[:, 0], start[:, None] + np.arange(40) / RATE)
    np.testing.assert_array_equal(heart[:, 0], start[:, None] + np.arange(10))
    assert segments.table["segment"].is_unique


def test_a_cut_without_windows_says_what_did_not_fit():
    with pytest.raises(ValueError, match=r"ramp subject P7.*10.0 s.*5.0 s recording with 1 labelled blocks"):
        cut(ramp(5, block(0, 5), subject="P7"), [], 10.0)


def test_segments_select_and_stack_rows_with_their_table():
    recording = ramp(100, block(0, 100))
    segments = cut(recording, windows(recording, 10.0, 10.0), 10.0)
    odd = segments[segments.table["start"] % 20 == 10]
    even = segments[np.arange(0, 10, 2)]
    both = concatenate([even, odd])
    assert odd.table.index.tolist() == [0, 1, 2, 3, 4]
    assert both.table["start"].tolist() == [*range(0, 100, 20), *range(10, 100, 20)]
    np.testing.assert_array_equal(both.signals["gsr"][:, 0, 0], both.table["start"])
    one = list(odd)[1]
    assert (one.start, one.labels) == (30.0, {"emotion": "calm"})
    assert one.signals["gsr"][0, 0] == 30.0
    other = cut(Recording({"gsr": recording.signals["gsr"]}, "ramp", "P2"), tile(recording, 10.0), 10.0)
    with pytest.raises(ValueError, match="differ in modalities"):
        concatenate([segments, other])


def tone(frequency: float, rate: float, seconds: float = 20.0, offset: float = 0.0) -> Signal:
    time = np.arange(round(seconds * rate)) / rate
    return Signal(offset + np.sin(2 * np.pi * frequency * time)[None], rate, ("x",), "mV")


def test_a_window_of_two_overlapping_blocks_is_a_segment_of_each():
    """As of AMIGOS's clips of 20 s, the first and the last of which overlap their neighbours."""
    signal = Signal(np.arange(400, dtype=np.float32)[None], 10.0, ("ramp",), "µS")
    blocks = (Block(0.0, 20.0, {"valence": 0.1}, "film"), Block(15.0, 20.0, {"valence": 0.9}, "film"))
    given = Recording({"gsr": signal}, "ramp", "P1", "", blocks, "film")
    made = cut(given, windows(given, 5.0, 5.0), 5.0).table
    assert made["segment"].is_unique
    assert sorted(made.loc[made["start"] == 15.0, "valence"]) == [0.1, 0.9]


@pytest.mark.parametrize(
    ("rate", "new_rate"), [(100.0, 8.0), (1000.0, 256.0), (2148.148148, 1000.0), (512.0, 128.0)]
)
def test_resampling_does_not_alias(rate, new_rate):
    """Measured on the inner half: the filter's ends are judged by the offset below."""
    low, high = (resample(tone(share * new_rate / 2, rate), new_rate) for share in (0.5, 1.25))
    inner = slice(low.data.shape[1] // 4, -low.data.shape[1] // 4)
    # SciPy's Kaiser filter (beta 5) ripples by .005 and lets a thousandth to a hundredth through.
    time = np.arange(low.data.shape[1]) / new_rate
    wanted = np.sin(2 * np.pi * 0.25 * new_rate * time)
    np.testing.assert_allclose(low.data[0, inner], wanted[inner], atol=0.02)
    assert np.abs(high.data[0, inner]).max() < 0.01


def test_resampling_keeps_the_offset_up_to_the_ends():
    flat = Signal(np.full((2, 3000), 33.25), 100.0, ("a", "b"), "°C")
    np.testing.assert_allclose(resample(flat, 8.0).data, 33.25, rtol=1e-6)


def test_resampling_keeps_small_changes_on_a_large_offset():
    # An electrode offset of 300 mV under a tone of 20 µV, as of ECG from a DC amplifier; float32 itself
    # holds steps of 3e-5 there.
    found = resample(tone(1.0, 512.0, offset=15_000.0), 128.0)
    wanted = 15_000 + np.sin(2 * np.pi * np.arange(found.data.shape[1]) / 128)
    inner = slice(128, -128)
    np.testing.assert_allclose(found.data[0, inner], wanted[inner], atol=0.01)


def test_a_gap_stays_a_gap_and_nothing_else_is_lost():
    signal = tone(1.0, 100.0)
    signal.data[0, 900:1000] = np.nan
    found = np.isnan(resample(signal, 10.0).data[0])
    np.testing.assert_array_equal(np.flatnonzero(found), np.arange(90, 100))
    broken = Signal(np.stack([np.full(1000, np.nan), np.ones(1000)]), 100.0, ("a", "b"), "µS")
    first, second = resample(broken, 10.0).data
    assert np.isnan(first).all()
    np.testing.assert_allclose(second, 1.0, rtol=1e-6)


def test_every_modality_comes_down_to_its_highest_rate_and_lower_ones_stay():
    signals = {
        "gsr": tone(0.1, 100.0),
        "emg": tone(20.0, 100.0),
        "heart_rate": tone(0.1, 1.0),
        "ecg": tone(1.0, 512.0),
    }
    found = preprocess(Recording(signals, "d", "s"), PreprocessingConfig.from_options("none")).signals
    assert {name: signal.sampling_rate for name, signal in found.items()} == {
        "gsr": HIGHEST_RATES["gsr"],
        "emg": 100.0,
        "heart_rate": 1.0,
        "ecg": HIGHEST_RATES["ecg"],
    }
    for name, signal in found.items():
        assert signal.duration == pytest.approx(20.0), name
    assert found["emg"].data is signals["emg"].data
