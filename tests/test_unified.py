"""Several data sets as one: electrodes by name, one rate, one length, subjects apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from data_builders.segments import Segments, SignalSpec
from encoders.inputs import SignalInputs
from encoders.networks import ENCODERS
from encoders.streams import StreamSpec, default_streams, stream_arrays
from encoders.unified import electrode_key, unify

AMIGOS = ["AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"]
# An older naming in another order, with 32 electrodes, of which 14 are those of AMIGOS.
OLDER = [
    *("FP1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T3", "CP5", "CP1", "P3", "T5", "PO3", "O1", "OZ", "PZ"),
    *("FP2", "AF4", "FZ", "F4", "F8", "FC6", "FC2", "CZ", "C4", "T4", "CP6", "CP2", "P4", "T6", "PO4", "O2"),
]
FREQUENCY = 10.0  # Hz


def sines(names: list[str], rate: float, seconds: float, n: int) -> np.ndarray:
    """Sines whose amplitude names the electrode, (n, n_channels, n_samples)."""
    time = np.arange(round(seconds * rate)) / rate
    amplitudes = np.array([1 + sum(electrode_key(name).encode()) % 97 for name in names])
    return np.tile(amplitudes[:, None] * np.sin(2 * np.pi * FREQUENCY * time), (n, 1, 1))


def inputs(
    name: str, channels: list[str], rate: float, seconds: float, emotions: list[str], n: int = 6
) -> SignalInputs:
    """Inputs of two subjects with the same ids in every data set."""
    table = pd.DataFrame(
        {
            "segment": [f"seg{k}" for k in range(n)],
            "dataset": name,
            "subject": [f"s{k % 2}" for k in range(n)],
            "source": [""] * n,
            "stimulus": [None] * n,
            "emotion": [emotions[k % len(emotions)] for k in range(n)],
            "duration": seconds,
        }
    )
    segments = Segments(
        {"eeg": sines(channels, rate, seconds, n).astype(np.float32)},
        table,
        {"eeg": SignalSpec(rate, tuple(channels), "µV")},
    )
    specs = default_streams(segments.specs, seconds, 1.0)
    features = pd.DataFrame({"eeg_alpha": np.arange(n, dtype=float), f"eeg_{name}": 0.0})
    return SignalInputs(stream_arrays(segments, specs), features, table, specs)


@pytest.fixture
def parts() -> dict[str, SignalInputs]:
    return {
        "amigos": inputs("amigos", AMIGOS, 128.0, 4.0, ["happy", "sad"]),
        "seed": inputs("seed", OLDER, 200.0, 6.0, ["happy", "neutral"]),
    }


def test_electrodes_are_found_by_name_in_the_order_of_the_first(parts):
    joined = unify(parts)
    (spec,) = joined.stream_specs
    assert spec.channel_names == (*AMIGOS, *(f"{name}_log_rectified" for name in AMIGOS))
    x = joined.streams["eeg"][:, : len(AMIGOS)]
    # Both sets hold the same sine an electrode. In the first quarter second the resampling filter has no
    # past, and from 2 s on the high-pass of the streams feels the end of the shorter window. The Kaiser
    # filter passes 10 Hz within 1 %.
    first, second = x[0, :, 32:256], x[-1, :, 32:256]
    np.testing.assert_allclose(second, first, atol=0.02 * np.abs(first).max())
    np.testing.assert_allclose(np.abs(second).max(1) / np.abs(first).max(1), 1, atol=0.02)


def test_one_rate_one_length_and_frames_of_the_shortest(parts):
    joined = unify(parts)
    (spec,) = joined.stream_specs
    assert (spec.sampling_rate, spec.n_samples, spec.frame_stride) == (128.0, 512, 128)
    assert joined.streams["eeg"].shape == (12, 28, 512)
    assert (joined.table["duration"] == 4.0).all()
    assert list(joined.features) == ["eeg_alpha"]


def test_what_is_at_the_lowest_rate_is_untouched(parts):
    part = parts["amigos"]
    # Derived channels are computed again, from float32: equal to its rounding.
    np.testing.assert_allclose(unify(parts).streams["eeg"][:6], part.streams["eeg"], rtol=1e-4, atol=1e-4)


def test_nothing_above_the_new_half_rate_is_folded_back():
    rate, seconds = 200.0, 4.0
    time = np.arange(round(rate * seconds)) / rate
    fast = np.tile(np.sin(2 * np.pi * 85 * time), (1, 4, 1)).astype(np.float32)
    table = pd.DataFrame({"segment": ["a"], "subject": ["s"], "emotion": ["happy"]})
    names = ("F3", "F4", "P7", "P8")

    def made(data, rate):
        spec = StreamSpec("eeg", ("eeg",), rate, names, data.shape[-1], 100)
        return SignalInputs({"eeg": data}, pd.DataFrame(index=[0]), table, [spec])

    slow = np.zeros((1, 4, 512), dtype=np.float32)
    joined = unify({"slow": made(slow, 128.0), "fast": made(fast, rate)})
    # 85 Hz would come back as 43 Hz at full amplitude; the filter takes it down by more than 40 dB.
    assert np.abs(joined.streams["eeg"][1, :, 32:-32]).max() < 0.01


def test_subjects_and_segments_of_two_sets_stay_apart(parts):
    table = unify(parts).table
    assert table["segment"].is_unique
    assert set(table["subject"]) == {"amigos/s0", "amigos/s1", "seed/s0", "seed/s1"}
    assert table["dataset"].tolist() == ["amigos"] * 6 + ["seed"] * 6
    # What is empty stays empty: no augmented copies, no stimulus.
    assert (table["source"] == "").all()
    assert table["stimulus"].isna().all()


def test_sampling_tells_two_stores_of_one_reader_apart(parts):
    from encoders.losses import balanced_shares

    first = parts["amigos"]
    table = unify({"one": first, "other": first[np.arange(2)]}).table
    labels = {"emotion": torch.zeros(len(table))}
    shares = balanced_shares(labels, table["dataset"].to_numpy(), "dataset")
    # Six windows and two: each of the two is drawn three times as often.
    np.testing.assert_allclose(shares[6:] / shares[0], 3.0)


def test_words_are_mapped_and_others_kept(parts):
    words = {"seed": {"happy": "happy", "neutral": "calm"}}
    emotions = unify(parts, words=words).table["emotion"]
    assert set(emotions[:6]) == {"happy", "sad"}
    assert set(emotions[6:]) == {"happy", "calm"}


def test_all_that_is_wrong_is_said_at_once(parts):
    parts["seed"].table["emotion"] = "neutral"
    with pytest.raises(ValueError, match=r"share 14 electrodes.*min_electrodes is 20.*no emotion is in all"):
        unify(parts, min_electrodes=20)
    with pytest.raises(ValueError, match=r"words gives seed nothing for \['neutral'\]"):
        unify(parts, words={"seed": {"happy": "happy"}})
    with pytest.raises(ValueError, match="seed has no stream 'ecg'"):
        unify(parts, stream="ecg")
    twice = inputs("seed", [*OLDER, "T7"], 200.0, 4.0, ["happy"])
    with pytest.raises(ValueError, match=r"seed has \['t7'\] twice"):
        unify(parts | {"seed": twice})


def test_one_network_reads_what_was_joined(parts):
    joined = unify(parts)
    (spec,) = joined.stream_specs
    network = ENCODERS["gru_xnet_dynamic"](spec.n_channels, spec.frame_stride, dim=16).eval()
    frames = network(torch.as_tensor(joined.streams["eeg"]))
    assert frames.shape == (12, spec.n_frames, 16)
