"""What makes a recording unusable, and names that are one person."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.recording import Block, Recording, Signal
from data_builders.recording_checks import check_recording, spelled_twice

SIGNALS = {"gsr": Signal(np.ones((2, 80)), 8.0, ("left", "right"), "µS")}


def recording(*blocks: Block, signals: dict[str, Signal] = SIGNALS) -> Recording:
    return Recording(signals, "mine", "P1", blocks=blocks)


def test_a_sound_recording_passes():
    data = np.ones((2, 80))
    data[:, :79] = np.nan  # one sample is not nothing: how many are missing is the quality report's matter
    blocks = [
        Block(0, 4.0, {"emotion": "calm", "valence": -1, "arousal": np.float32(0.5)}, "a"),
        Block(2.0, 20.0, {"transition": 1}, "b"),
        Block(2.0, 0.0, {"emotion": None}, "c"),
    ]
    signals = {"gsr": Signal(data, 8.0, ("left", "right"), "µS")}
    assert check_recording(recording(*blocks, signals=signals), "P1") is None
    with pytest.raises(ValueError, match="starts at 11"):  # the same with a block behind the end
        check_recording(recording(*blocks, Block(11.0, 1.0, {}, "d"), signals=signals), "P1")


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (Block(-1.0, 1.0, {}, "T"), "block 'T': starts at -1.0 s"),
        (Block(1.0, -1.0, {}, "T"), "lasts -1.0 s"),
        (Block(np.nan, 1.0, {}, "T"), "starts at nan"),
        (Block(1.0, np.nan, {}, "T"), "lasts nan"),
        (Block(11.0, 1.0, {}, "T"), "the recording ends at 10.00 s"),
        (Block(1.0, 1.0, {"mood": 1}, "T"), r"labels \['mood'\]; allowed are"),
        (Block(1.0, 1.0, {"emotion": 3}, "T"), "emotion is 3; allowed is a word"),
        (Block(1.0, 1.0, {"emotion": " "}, "T"), "emotion is ' '; allowed is a word"),
        (Block(1.0, 1.0, {"valence": "high"}, "T"), "valence is 'high'; allowed is a number"),
        (Block(1.0, 1.0, {"arousal": np.inf}, "T"), "arousal is inf; allowed is a number"),
        (Block(1.0, 1.0, {"transition": 2}, "T"), "transition is 2; allowed is 0 or 1"),
    ],
)
def test_a_block_says_what_is_wrong_with_it(block, said):
    with pytest.raises(ValueError, match=f"P1.npz: .*{said}"):
        check_recording(recording(block), "P1.npz")


def test_all_problems_are_told_at_once():
    signals = {
        "gsr": Signal(np.full((1, 8), np.nan), 8.0, ("EDA",), "µS"),
        "ecg": Signal(np.zeros((1, 0)), 100.0, ("ii",), "mV"),
    }
    blocks = Block(0.0, 0.0, {"mood": 1}, "a"), Block(-2.0, 0.0, {}, "b")
    with pytest.raises(ValueError, match="where") as error:
        check_recording(recording(*blocks, signals=signals), "where")
    for said in (
        "'gsr' is NaN throughout in all 1 channels",
        "'ecg' has no samples",
        "mood",
        "block 'b': starts at -2.0",
    ):
        assert said in str(error.value)
    with pytest.raises(ValueError, match="holds no signals"):
        check_recording(recording(signals={}), "where")


def test_a_single_dead_channel_is_named():
    signals = {"gsr": Signal(np.array([[1.0, 2.0], [np.nan, np.inf]]), 8.0, ("left", "right"), "µS")}
    with pytest.raises(ValueError, match=r"'gsr' is NaN throughout in \['right'\]"):
        check_recording(recording(signals=signals), "P1")


def test_blocks_out_of_order_are_named():
    with pytest.raises(ValueError, match=r"block 'b': starts at 1\.0 s; allowed is from 5\.0 s on"):
        check_recording(recording(Block(5.0, 1.0, {}, "a"), Block(1.0, 1.0, {}, "b")), "P1")


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        (["S1", "s01"], [["S1", "s01"]]),
        (["S-1", "S 001", "s_1"], [["S 001", "S-1", "s_1"]]),
        (["7", "07", "8"], [["07", "7"]]),
        (["Anna ", "anna"], [["Anna ", "anna"]]),
        (["S1", "S10", "S100"], []),
        (["S1-1", "S11", "P1", "A0", "A"], []),
        (["S1", "S1"], []),
    ],
)
def test_one_person_under_several_names(names, twice):
    assert spelled_twice(names) == twice
