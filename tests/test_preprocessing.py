"""What each filter lets through, what is learned from what, and what happens to gaps, ends and eyes."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_builders.preprocessing import (
    HIGHEST_RATES,
    PreprocessingConfig,
    cautions,
    preprocess,
    resample,
)
from data_builders.preprocessing.components import with_envelope, with_tonic_and_phasic
from data_builders.preprocessing.eeg import average_reference, reject_flat, reject_loud
from data_builders.preprocessing.filters import apply_filter, design_filter
from data_builders.preprocessing.polarity import upright
from data_builders.recording import Block, Recording, Signal
from data_builders.segments import signal_summary

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "samples"
STANDARD = PreprocessingConfig.from_options("standard")


def tone(frequency: float, rate: float, seconds: float = 20.0, unit: str = "µV") -> Signal:
    time = np.arange(round(seconds * rate)) / rate
    return Signal(np.sin(2 * np.pi * frequency * time)[None], rate, ("x",), unit)


def noise(rate: float, seconds: float = 20.0, n_channels: int = 4, seed: int = 0, unit: str = "µV") -> Signal:
    data = np.random.default_rng(seed).normal(size=(n_channels, round(seconds * rate)))
    return Signal(data, rate, tuple(f"c{k}" for k in range(n_channels)), unit)


def recording(**signals: Signal) -> Recording:
    return Recording(signals, "made", "P1", baseline=(0.0, 5.0))


def amplitude(signal: Signal) -> float:
    """Of a tone, on the inner half: the ends are judged by themselves."""
    n = signal.data.shape[1]
    return float(np.sqrt(2 * np.mean(signal.data[0, n // 4 : -n // 4] ** 2)))


@pytest.mark.parametrize(
    ("modality", "rate", "frequency", "gain"),
    [
        ("eeg", 128.0, 0.5, 0.5),
        ("eeg", 128.0, 10.0, 1.0),
        ("eeg", 128.0, 45.0, 0.5),
        ("eeg", 128.0, 50.0, 0.0),
        ("ecg", 256.0, 0.05, 0.0),
        ("ecg", 256.0, 10.0, 1.0),
        ("ecg", 256.0, 40.0, 0.5),
        ("ecg", 256.0, 60.0, 0.0),
        ("emg", 1000.0, 5.0, 0.0),
        ("emg", 1000.0, 20.0, 0.5),
        ("emg", 1000.0, 100.0, 1.0),
        ("emg", 1000.0, 50.0, 0.0),
        ("gsr", 8.0, 0.1, 1.0),
        ("gsr", 8.0, 3.0, 0.5),
    ],
)
def test_bands_are_those_of_the_literature(modality, rate, frequency, gain):
    """Run twice, a Butterworth filter halves the amplitude at its edge, and a notch leaves nothing."""
    found = preprocess(recording(**{modality: tone(frequency, rate, 40.0)}), STANDARD).signals[modality]
    # .03: the skirts of the other filters and of the notches at 50 Hz, 5 Hz off the EEG's edge
    assert amplitude(found) == pytest.approx(gain, abs=0.03)


def test_zero_phase_delays_nothing_and_causal_does():
    signal = tone(20.0, 256.0)
    zero_phase = preprocess(recording(ecg=signal), STANDARD).signals["ecg"]
    inner = slice(1024, -1024)
    np.testing.assert_allclose(zero_phase.data[0, inner], signal.data[0, inner], atol=0.02)
    causal = preprocess(recording(ecg=signal), replace(STANDARD, causal=True)).signals["ecg"]
    shares = [
        np.corrcoef(causal.data[0, inner], np.roll(signal.data[0], lag)[inner])[0, 1] for lag in range(10)
    ]
    assert np.argmax(shares) > 0


CAUSAL = {
    "causal": True,
    "eeg": {"rate": 100.0, "flat": 1.0, "rejected": "nan"},
    "emg": {"rate": 400.0, "envelope": 6.0},
    "gsr": {"split": 0.05, "baseline": "always"},
}


@pytest.mark.parametrize("moment", [6.0, 10.003, 17.5])
@pytest.mark.parametrize(
    ("modality", "rate"),
    [("eeg", 256.0), ("ecg", 360.0), ("emg", 1000.0), ("emg", 2148.148), ("gsr", 100.0), ("gsr", 4.0)],
)
def test_causal_output_never_depends_on_the_future(modality, rate, moment):
    """Another future, a burst or a gap in it: after 5 s of baseline the same past to the last bit."""
    config = PreprocessingConfig.from_options(CAUSAL)
    signal = noise(rate)
    signal.data[0, round(4 * rate) : round(5 * rate)] = np.nan
    found = []
    for future in (noise(rate, seed=1).data, 300.0, np.nan, None):
        other = signal.data.copy()
        first = int(np.ceil(moment * rate))
        if future is not None:
            other[:, first:] = future[:, first:] if isinstance(future, np.ndarray) else future
        found.append(preprocess(recording(**{modality: replace(signal, data=other)}), config))
    past = [
        r.signals[modality].data[:, : int(np.ceil(moment * r.signals[modality].sampling_rate))] for r in found
    ]
    assert np.isfinite(past[-1]).mean() > 0.8
    for changed in past[:-1]:
        np.testing.assert_array_equal(changed, past[-1])


def test_zero_phase_output_does_depend_on_the_future():
    """What the test above would miss if its signals did not reach back."""
    signal, other = noise(256.0), noise(256.0)
    other.data[:, 2560:] = noise(256.0, seed=1).data[:, 2560:]
    past = [preprocess(recording(ecg=s), STANDARD).signals["ecg"].data[:, :2560] for s in (signal, other)]
    assert np.abs(past[0] - past[1]).max() > 0.01


def test_causal_filters_start_in_their_steady_state():
    """An electrode offset of 300 mV must not ring through the first seconds."""
    offset = Signal(np.full((1, 2560), 300.0), 256.0, ("x",), "mV")
    config = PreprocessingConfig.from_options({"causal": True, "ecg": {"upright": False}})
    # The states of a 0.5 Hz filter carry the offset with float64's 1e-16 times some 1e6.
    np.testing.assert_allclose(preprocess(recording(ecg=offset), config).signals["ecg"].data, 0, atol=1e-4)


def test_causal_resampling_delays_by_ten_samples():
    signal = tone(0.5, 100.0)
    found, exact = resample(signal, 10.0, causal=True), resample(signal, 10.0)
    np.testing.assert_allclose(found.data[0, 30:], exact.data[0, 20:-10], atol=1e-5)


def test_edges_that_the_rate_cannot_hold():
    """A low-pass above half of the rate has nothing to do, a high-pass would leave nothing."""
    slow = recording(gsr=tone(0.1, 4.0, 60.0, "µS"))
    assert amplitude(preprocess(slow, STANDARD).signals["gsr"]) == pytest.approx(1.0, abs=0.01)
    assert [c for c in cautions(slow, STANDARD) if "low-pass 3 Hz left out" in c and "2 Hz" in c]
    assert [c for c in cautions(slow, STANDARD) if "responses are not to be trusted" in c]
    wrong = recording(emg=tone(3.0, 32.0), ecg=tone(0.2, 1.0), gsr=tone(0.1, 4.0))
    with pytest.raises(
        ValueError, match=r"made/P1.*emg: high_pass is 20 Hz at 32 Hz.*below 16.*ecg: high_pass"
    ):
        preprocess(wrong, STANDARD)
    assert cautions(recording(emg=tone(100.0, 2000.0), gsr=tone(0.1, 8.0)), STANDARD) == []


def test_the_edge_is_judged_at_the_rate_that_is_stored():
    config = PreprocessingConfig.from_options({"emg": {"rate": 500}})
    fast = recording(emg=tone(100.0, 2000.0))
    assert [c for c in cautions(fast, config) if "low-pass 450 Hz left out" in c]
    found = preprocess(fast, config).signals["emg"]
    assert (found.sampling_rate, found.data.dtype) == (500.0, np.float32)
    assert amplitude(found) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("causal", [False, True])
def test_gaps_are_bridged_and_restored(causal):
    rate, sections = 256.0, design_filter(256.0, 0.5, 40.0)
    data = np.stack([tone(5.0, rate).data[0], np.full(5120, np.nan)])
    whole = apply_filter(data[:1], sections, 1000, causal)
    data[0, 2000:2100] = np.nan
    found = apply_filter(data, sections, 1000, causal)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(data))
    # A bridge is no guess of what is missing: within 2 s, the high-pass's memory, it may show.
    far = np.r_[0:1400, 2700:5120]
    np.testing.assert_allclose(found[0, far], whole[0, far], atol=0.05)


def test_channels_are_filtered_by_themselves():
    signal = noise(1000.0, 3.0, 8)
    together = preprocess(recording(emg=signal), STANDARD).signals["emg"].data
    for k in range(8):
        alone = replace(signal, data=signal.data[k : k + 1], channel_names=("x",))
        np.testing.assert_array_equal(
            preprocess(recording(emg=alone), STANDARD).signals["emg"].data[0], together[k]
        )


@pytest.mark.parametrize("n_samples", [1, 2, 30])
@pytest.mark.parametrize("causal", [False, True])
def test_signals_shorter_than_the_filter_are_filtered(n_samples, causal):
    config = PreprocessingConfig.from_options({"causal": causal, "ecg": {"upright": False}})
    signal = Signal(np.full((1, n_samples), 7.0), 256.0, ("x",), "mV")
    np.testing.assert_allclose(preprocess(recording(ecg=signal), config).signals["ecg"].data, 0, atol=1e-5)


def test_the_envelope_follows_the_amplitude():
    """Rectified, a tone of amplitude A has the mean 2 A / pi; here A steps from 1 to 3."""
    signal = tone(97.0, 1000.0)
    signal.data[:, 10_000:] *= 3
    found = with_envelope(signal, 6.0)
    assert found.channel_names == ("x", "x_envelope")
    np.testing.assert_array_equal(found.data[0], signal.data[0])
    quiet, loud = found.data[1, 4000:6000], found.data[1, 14_000:16_000]
    np.testing.assert_allclose([quiet.mean(), loud.mean()], np.array([2, 6]) / np.pi, rtol=0.01)
    assert found.data[1].min() >= 0


def test_tonic_and_phasic_parts_add_up():
    time = np.arange(0, 300, 1 / 8)
    drift, responses = 5 + time / 100, 0.3 * np.sin(2 * np.pi * 0.3 * time)
    found = with_tonic_and_phasic(Signal((drift + responses)[None], 8.0, ("gsr",), "µS"), 0.05)
    assert found.channel_names == ("gsr", "gsr_tonic", "gsr_phasic")
    np.testing.assert_allclose(found.data[1] + found.data[2], found.data[0], rtol=1e-6)
    # At six times the split, order 2 run twice leaves 1 / (1 + 6^4) of the responses in the tonic level.
    inner = slice(240, -240)
    np.testing.assert_allclose(found.data[1, inner], drift[inner], atol=0.005)
    np.testing.assert_allclose(found.data[2, inner], responses[inner], atol=0.005)


def heartbeats(seed: int = 0) -> Signal:
    """R waves of 1 mV and 20 ms at 70 a minute in noise of 0.05 mV, over a wander of 0.5 mV."""
    time = np.arange(0, 30, 1 / 256)
    phase = (time * 70 / 60) % 1
    data = np.exp(-0.5 * ((phase - 0.5) / 0.02) ** 2) + 0.5 * np.sin(2 * np.pi * 0.1 * time)
    return Signal(
        (data + np.random.default_rng(seed).normal(0, 0.05, time.size))[None], 256.0, ("ecg",), "mV"
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_r_waves_point_up_afterwards(sign):
    beats = heartbeats()
    given = replace(beats, data=sign * beats.data)
    found = preprocess(recording(ecg=given), STANDARD).signals["ecg"].data[0]
    assert found.max() > 2 * abs(found.min())
    causal = preprocess(recording(ecg=given), replace(STANDARD, causal=True)).signals["ecg"].data[0]
    assert causal.max() > 1.5 * abs(causal.min())
    off = PreprocessingConfig.from_options({"ecg": {"upright": False}})
    left = preprocess(recording(ecg=given), off).signals["ecg"].data[0]
    np.testing.assert_array_equal(left, sign * found)


@pytest.mark.parametrize("sign", [1, -1])
def test_polarity_is_that_of_neurokit(sign):
    import neurokit2

    given = sign * neurokit2.ecg_simulate(
        duration=20, sampling_rate=250, random_state=3, random_state_distort=3
    )
    _, inverted = neurokit2.ecg_invert(given, sampling_rate=250)
    found = upright(Signal(given[None], 250.0, ("ecg",), "mV"))
    np.testing.assert_array_equal(found.data[0] < 0, (-given if inverted else given).astype(np.float32) < 0)


def test_polarity_needs_a_stretch_to_look_at():
    empty = replace(recording(ecg=heartbeats()), baseline=(0.0, 0.0))
    with pytest.raises(ValueError, match=r"made/P1: ECG polarity.*'upright' to false"):
        preprocess(empty, replace(STANDARD, causal=True))


def test_flat_stretches_become_gaps():
    signal = noise(100.0)
    signal.data[1, 500:1100] = 3.0
    signal.data[2, 500:900] = 3.0
    wanted = np.zeros(signal.data.shape, bool)
    wanted[1, 500:1100] = True
    np.testing.assert_array_equal(np.isnan(reject_flat(signal, 5.0).data), wanted)
    # Only at its 500th equal sample is a line known to be flat.
    wanted[1, 500:999] = False
    np.testing.assert_array_equal(np.isnan(reject_flat(signal, 5.0, causal=True).data), wanted)


@pytest.mark.parametrize(("unit", "factor"), [("µV", 1.0), ("mV", 1e-3), ("V", 1e-6)])
def test_loud_stretches_become_gaps(unit, factor):
    signal = noise(100.0, unit=unit)
    signal.data[2, 1000:1010] = 150.0
    signal = replace(signal, data=signal.data * factor)
    wanted = np.zeros(signal.data.shape, bool)
    wanted[2, 980:1030] = True
    np.testing.assert_array_equal(np.isnan(reject_loud(signal, 100.0).data), wanted)
    wanted[2, 980:1000] = False
    np.testing.assert_array_equal(np.isnan(reject_loud(signal, 100.0, causal=True).data), wanted)


def test_rejected_stretches_are_zero_or_nan_and_gaps_of_the_file_stay():
    signal = noise(256.0, n_channels=6)
    signal.data[0, 1000:1100] = np.nan
    signal.data[1, 2560:] = 2.0
    signal.data[2, 2000:2050] = 400.0
    found = {}
    for rejected in ("zero", "nan"):
        config = PreprocessingConfig.from_options({"eeg": {"rejected": rejected}})
        found[rejected] = preprocess(recording(eeg=signal), config).signals["eeg"].data
    gaps, zeros = np.isnan(found["nan"]), found["zero"] == 0
    np.testing.assert_array_equal(np.isnan(found["zero"]), gaps & (np.arange(6) == 0)[:, None])
    np.testing.assert_array_equal(zeros, gaps & (np.arange(6) > 0)[:, None])
    assert zeros[1, 1280:].all()
    assert zeros[2, 1000:1025].all()
    np.testing.assert_array_equal(found["zero"][~gaps], found["nan"][~gaps])


def test_loudness_needs_a_unit():
    with pytest.raises(ValueError, match=r"made/P1: EEG is in 'counts'.*'loudest' to null"):
        preprocess(recording(eeg=noise(128.0, unit="counts")), STANDARD)
    config = PreprocessingConfig.from_options({"eeg": {"loudest": None}})
    assert np.isfinite(
        preprocess(recording(eeg=noise(128.0, unit="counts")), config).signals["eeg"].data
    ).all()


def test_a_recording_that_is_loud_throughout_is_refused():
    """Counts of a converter under a stated µV would otherwise all become 0."""
    counts = noise(128.0)
    with pytest.raises(ValueError, match=r"made/P1: EEG: \d\d% of the samples.*unit really 'µV'"):
        preprocess(recording(eeg=replace(counts, data=500 * counts.data)), STANDARD)


def test_the_average_reference_knows_gaps():
    signal = noise(128.0, n_channels=6)
    signal.data[3, 100:200] = np.nan
    found = average_reference(signal).data
    np.testing.assert_allclose(np.nansum(found, axis=0), 0, atol=1e-5)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(signal.data))
    alone = recording(eeg=noise(128.0, n_channels=1))
    assert np.std(preprocess(alone, STANDARD).signals["eeg"].data) > 0.5
    assert [c for c in cautions(alone, STANDARD) if "average reference left out: 1 channels" in c]


def eyes(n_channels: int = 6) -> tuple[Recording, np.ndarray]:
    """EEG of independent sources with blinks of 80 µV mixed in, the EOG, and the EEG without blinks."""
    rng = np.random.default_rng(5)
    rate, n = 128.0, 128 * 60
    blink = np.zeros(n)
    for onset in rng.choice(n - 40, 30, replace=False):
        blink[onset : onset + 40] += np.hanning(40)
    sources = rng.laplace(size=(n_channels - 1, n))
    brain = rng.normal(size=(n_channels, n_channels - 1)) @ sources * 5
    eeg = brain + np.linspace(80, 10, n_channels)[:, None] * blink
    names = tuple(f"E{k}" for k in range(n_channels))
    eog = Signal((200 * blink + rng.normal(size=n))[None], rate, ("vEOG",), "µV")
    return recording(eeg=Signal(eeg, rate, names, "µV"), eog=eog), brain


NEEDS_MNE = pytest.mark.skipif(not importlib.util.find_spec("mne"), reason="MNE is not installed (an extra)")


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({"artefacts": "regression"}, 0.01),
        pytest.param({"artefacts": "ica"}, 0.05, marks=NEEDS_MNE),
        pytest.param({"artefacts": "ica", "eog": "none", "eog_channels": ["E0"]}, 0.05, marks=NEEDS_MNE),
    ],
)
def test_eye_artefacts_are_taken_out(options, share):
    """Of the error's power that the blinks make, no more than `share` is left; the brain stays."""
    mixed, brain = eyes()
    plain = {"reference": False, "loudest": None}
    config = PreprocessingConfig.from_options({"eeg": plain | options})
    without = PreprocessingConfig.from_options({"eeg": plain})
    clean = replace(mixed, signals={"eeg": replace(mixed.signals["eeg"], data=brain)})
    wanted = preprocess(clean, without).signals["eeg"].data
    before = preprocess(mixed, without).signals["eeg"].data - wanted
    after = preprocess(mixed, config).signals["eeg"].data - wanted
    assert np.mean(after**2) < share * np.mean(before**2)


def test_eye_artefacts_need_an_eog():
    alone = recording(eeg=noise(128.0))
    config = PreprocessingConfig.from_options({"eeg": {"artefacts": "regression"}})
    with pytest.raises(ValueError, match=r"made/P1.*no modality 'eog'; allowed are \['eeg'\]"):
        preprocess(alone, config)
    config = PreprocessingConfig.from_options({"eeg": {"artefacts": "ica", "eog_channels": ["Fp1"]}})
    with pytest.raises(ValueError, match=r"made/P1.*\['Fp1'\].*allowed are \['c0', 'c1', 'c2', 'c3'\]"):
        preprocess(alone, config)


def test_ica_without_mne_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mne", None)
    config = PreprocessingConfig.from_options({"eeg": {"artefacts": "ica"}})
    with pytest.raises(ValueError, match=r"made/P1: .*pip install 'biollm\[mne\]'"):
        preprocess(eyes()[0], config)


def trial(name: str, start: float) -> Recording:
    level = np.where(np.arange(240) < 40, 3.0, 4.5)[None]
    blocks = (Block(start, 25.0, {"emotion": "joy"}, trial=name),)
    return Recording(
        {"gsr": Signal(level, 8.0, ("gsr",), "µS")}, "made", "P1", "", blocks, name, "", (0.0, 5.0)
    )


def test_the_baseline_is_subtracted_where_a_trial_has_its_own():
    off = {"low_pass": None}
    config = PreprocessingConfig.from_options({"gsr": off})
    found = preprocess(trial("T1", 5.0), config).signals["gsr"].data[0]
    np.testing.assert_allclose([found[0], found[-1]], [0, 1.5])
    above = preprocess(trial("T1", 5.0), config).signals["gsr"]
    assert above.above_baseline
    assert signal_summary(above) == "8 Hz in µS above the baseline (gsr)"
    for other in (trial("", 5.0), trial("T1", 2.0)):  # a whole session; a baseline inside the block
        assert preprocess(other, config).signals["gsr"].data[0, 0] == 3.0
        assert not preprocess(other, config).signals["gsr"].above_baseline
        assert signal_summary(preprocess(other, config).signals["gsr"]) == "8 Hz in µS (gsr)"
    always = PreprocessingConfig.from_options({"gsr": off | {"baseline": "always"}})
    assert preprocess(trial("", 5.0), always).signals["gsr"].data[0, 0] == 0
    never = PreprocessingConfig.from_options({"gsr": off | {"baseline": "never"}})
    assert preprocess(trial("T1", 5.0), never).signals["gsr"].data[0, 0] == 3.0


def test_a_baseline_without_values_is_refused():
    broken = trial("T1", 5.0)
    broken.signals["gsr"].data[0, :40] = np.nan
    with pytest.raises(ValueError, match=r"made/P1/T1: baseline: \['gsr'\] have no value from 0 to 5 s"):
        preprocess(broken, STANDARD)


def test_none_is_resampling_alone():
    given = recording(emg=noise(2000.0), gsr=noise(100.0), heart_rate=noise(1.0), eeg=noise(100.0))
    for options in (None, "none"):
        found = preprocess(given, PreprocessingConfig.from_options(options)).signals
        for name, signal in given.signals.items():
            rate = min(signal.sampling_rate, HIGHEST_RATES.get(name, signal.sampling_rate))
            np.testing.assert_array_equal(found[name].data, resample(signal, rate).data)
            assert found[name].sampling_rate == rate


def test_options_differ_from_the_standard_by_modality():
    options = {"emg": {"notch": [50], "rate": 500}, "eeg": None, "wrist_gsr": {"kind": "gsr", "split": 0.05}}
    config = PreprocessingConfig.from_options(options)
    assert config == PreprocessingConfig.from_options(json.dumps(options))
    assert (config.steps("emg").notch, config.steps("emg").high_pass, config.steps("emg").rate) == (
        (50,),
        20,
        500,
    )
    assert config.steps("eeg").high_pass is None
    assert config.steps("eeg").rate == HIGHEST_RATES["eeg"]
    assert config.steps("ecg") == STANDARD.steps("ecg")
    found = preprocess(recording(wrist_gsr=tone(0.1, 4.0, 60)), config).signals["wrist_gsr"]
    assert found.channel_names == ("x", "x_tonic", "x_phasic")


def test_full_adds_the_further_channels():
    found = preprocess(
        recording(emg=noise(1000.0, n_channels=2), gsr=noise(8.0, n_channels=1)),
        PreprocessingConfig.from_options("full"),
    ).signals
    assert found["emg"].channel_names == ("c0", "c1", "c0_envelope", "c1_envelope")
    assert found["gsr"].channel_names == ("c0", "c0_tonic", "c0_phasic")


def test_all_faults_are_told_at_once():
    options = {
        "causal": "yes",
        "emg": {"highpass": 20, "order": 0},
        "ecg": {"high_pass": 50},
        "gsr": "off",
        "wrist": {"kind": "eda"},
    }
    with pytest.raises(ValueError, match="preprocessing: ") as error:
        PreprocessingConfig.from_options(options)
    for part in (
        "causal is 'yes'",
        "emg: has no 'highpass'",
        "gsr is 'off'",
        "wrist: kind is 'eda'",
        "emg: order is 0",
        "ecg: high_pass is 50 Hz; allowed is below low_pass 40 Hz",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("strong", r"'strong'; allowed are \['none', 'standard', 'full'\]"),
        ({"emg": {"notch": 50}}, "notch is 50; allowed is a list"),
        (
            {"eeg": {"artefacts": "asr"}},
            r"artefacts is 'asr'; allowed is one of \['none', 'regression', 'ica'\]",
        ),
        ({"eeg": {"loudest": -1}}, "loudest is -1"),
        ({"gsr": {"baseline": True}}, "baseline is True"),
        ({"causal": True, "eeg": {"artefacts": "ica"}}, "learns from the whole recording"),
    ],
)
def test_a_fault_is_told_with_what_is_allowed(options, told):
    with pytest.raises(ValueError, match=told):
        PreprocessingConfig.from_options(options)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real samples are not here")
def test_real_ecg_keeps_its_beats():
    """MIT-BIH 100 by NeuroKit2's detector, within 75 ms of the reference beats."""
    import neurokit2
    import wfdb

    record = wfdb.rdrecord(str(SAMPLES / "mitdb_100"), channels=[0])
    annotation = wfdb.rdann(str(SAMPLES / "mitdb_100"), "atr")
    beats = annotation.sample[np.isin(annotation.symbol, list("NAVL/RFjaeSE"))] / record.fs
    signal = Signal(-record.p_signal.T, record.fs, ("MLII",), "mV")
    found = preprocess(recording(ecg=signal), STANDARD).signals["ecg"]
    _, info = neurokit2.ecg_peaks(found.data[0], sampling_rate=256)
    peaks = info["ECG_R_Peaks"] / 256
    near = [np.abs(beats - peak).min() <= 0.075 for peak in peaks]
    missed = [np.abs(peaks - beat).min() > 0.075 for beat in beats]
    assert 2 * sum(near) / (2 * sum(near) + near.count(False) + sum(missed)) >= 0.995
