"""The steps of every modality, in order, on a recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from data_builders.preprocessing.components import with_envelope, with_tonic_and_phasic
from data_builders.preprocessing.config import ECG, EEG, EMG, GSR, PreprocessingConfig, Steps
from data_builders.preprocessing.eeg import (
    LEAST_CHANNELS,
    average_reference,
    reject_flat,
    reject_loud,
    without_eog_components,
    without_eog_regression,
)
from data_builders.preprocessing.filters import apply_filter, design_filter, high_pass_fault, ineffective
from data_builders.preprocessing.polarity import upright
from data_builders.preprocessing.resampling import resample
from data_builders.recording import Recording, Signal

__all__ = ["cautions", "preprocess"]

RESPONSES_FROM = 8.0  # Hz; the rise of a skin conductance response takes 1-3 s (Boucsein 2012)


def preprocess(recording: Recording, config: PreprocessingConfig) -> Recording:
    """Resample and clean every modality of a recording.

    Resampling comes first: its own anti-aliasing filter leaves less to filter, and the order of linear
    filters does not matter.

    Parameters
    ----------
    recording : Recording
    config : PreprocessingConfig

    Returns
    -------
    Recording
        Signals in float32; `HIGHEST_RATES` or the configured rates, where the signal is not slower.

    Raises
    ------
    ValueError
        If a high-pass does not fit a signal's rate, or a signal lacks what a step needs; the message
        names the recording, and all modalities whose filters do not fit.
    """
    faults = _filter_faults(recording, config)
    if faults:
        raise ValueError(f"{recording.id}: preprocessing does not fit: {'; '.join(faults)}.")
    try:
        signals = {name: _clean(recording, name, config) for name in recording.signals}
    except ValueError as error:
        raise ValueError(f"{recording.id}: {error}") from error
    return replace(recording, signals=signals)


def cautions(recording: Recording, config: PreprocessingConfig) -> list[str]:
    """What `preprocess` leaves out for this recording and why, and what cannot be read from it."""
    found = []
    for name, signal in recording.signals.items():
        steps = config.steps(name)
        rate = _stored_rate(signal, steps)
        texts = ineffective(rate, steps.low_pass, steps.notch)
        if isinstance(steps, EEG) and steps.reference and len(signal.channel_names) < LEAST_CHANNELS:
            texts.append(
                f"average reference left out: {len(signal.channel_names)} channels, needed are "
                f"{LEAST_CHANNELS}"
            )
        if (isinstance(steps, GSR) or name == "gsr") and rate < RESPONSES_FROM:
            texts.append(f"at {rate:g} Hz single skin conductance responses are not to be trusted")
        found += [f"{name}: {text}" for text in texts]
    return found


def _stored_rate(signal: Signal, steps: Steps) -> float:
    return min(signal.sampling_rate, steps.rate or signal.sampling_rate)


def _filter_faults(recording: Recording, config: PreprocessingConfig) -> list[str]:
    """All modalities whose high-pass lies above what their rate can hold."""
    found = []
    for name, signal in recording.signals.items():
        steps = config.steps(name)
        if fault := high_pass_fault(_stored_rate(signal, steps), steps.high_pass):
            found.append(f"{name}: {fault}")
    return found


def _clean(recording: Recording, name: str, config: PreprocessingConfig) -> Signal:
    signal, steps = recording.signals[name], config.steps(name)
    if isinstance(steps, EEG) and steps.flat:
        signal = reject_flat(signal, steps.flat, config.causal)
    signal = _filtered(signal, steps, config.causal)
    finish = FINISH.get(type(steps))
    signal = finish(signal, steps, name, recording, config) if finish else signal
    # Last, so that a channel's further ones (the tonic level) are relative to the baseline too.
    return _from_baseline(signal, recording) if _has_baseline(recording, steps) else signal


def _filtered(signal: Signal, steps: Steps, causal: bool) -> Signal:
    signal = resample(signal, _stored_rate(signal, steps), causal)
    rate = signal.sampling_rate
    sections = design_filter(rate, steps.high_pass, steps.low_pass, steps.notch, steps.order)
    if not len(sections):
        return signal
    slowest = min(edge for edge in (steps.high_pass, steps.low_pass, *steps.notch) if edge)
    return replace(signal, data=apply_filter(signal.data, sections, round(2 * rate / slowest), causal))


def _finish_eeg(
    signal: Signal, steps: EEG, name: str, recording: Recording, config: PreprocessingConfig
) -> Signal:
    if steps.artefacts != "none":
        signal = _without_eyes(signal, steps, recording)
    if steps.loudest:
        signal = reject_loud(signal, steps.loudest, config.causal)
    if steps.reference and len(signal.channel_names) >= LEAST_CHANNELS:
        signal = average_reference(signal)
    return signal if steps.rejected == "nan" else _zero_rejected(signal, name, recording, config)


def _zero_rejected(signal: Signal, name: str, recording: Recording, config: PreprocessingConfig) -> Signal:
    """`signal` with 0 in all gaps but those of the recording itself."""
    given = recording.signals[name]
    rejected = np.isnan(signal.data)
    if np.isnan(given.data).any():
        rejected &= ~np.isnan(resample(given, signal.sampling_rate, config.causal).data)
    return replace(signal, data=np.where(rejected, 0, signal.data))


def _without_eyes(signal: Signal, steps: EEG, recording: Recording) -> Signal:
    eog = recording.signals.get(steps.eog)
    if eog is not None:
        eog = _filtered(eog, replace(steps, rate=signal.sampling_rate), causal=False)
        if (eog.sampling_rate, eog.data.shape[1]) != (signal.sampling_rate, signal.data.shape[1]):
            raise ValueError(
                f"{steps.eog} has {eog.data.shape[1]} samples at {eog.sampling_rate:g} Hz; allowed beside "
                f"the EEG are {signal.data.shape[1]} at {signal.sampling_rate:g} Hz."
            )
    if steps.artefacts == "ica":
        return without_eog_components(signal, eog, steps.eog_channels)
    if eog is None:
        raise ValueError(
            f"EEG artefacts by regression: there is no modality {steps.eog!r}; allowed are "
            f"{list(recording.signals)}. Name the one that holds the EOG as eeg's 'eog'."
        )
    return without_eog_regression(signal, eog)


def _finish_ecg(
    signal: Signal, steps: ECG, name: str, recording: Recording, config: PreprocessingConfig
) -> Signal:
    if not steps.upright:
        return signal
    return upright(signal, *recording.baseline) if config.causal else upright(signal)


def _finish_emg(
    signal: Signal, steps: EMG, name: str, recording: Recording, config: PreprocessingConfig
) -> Signal:
    return with_envelope(signal, steps.envelope, config.causal) if steps.envelope else signal


def _finish_gsr(
    signal: Signal, steps: GSR, name: str, recording: Recording, config: PreprocessingConfig
) -> Signal:
    return with_tonic_and_phasic(signal, steps.split, config.causal) if steps.split else signal


FINISH: dict[type[Steps], Callable[..., Signal]] = {
    EEG: _finish_eeg,
    ECG: _finish_ecg,
    EMG: _finish_emg,
    GSR: _finish_gsr,
}
"""What a modality adds after its filters."""


def _has_baseline(recording: Recording, steps: Steps) -> bool:
    if steps.baseline != "trial":
        return steps.baseline == "always"
    start, stop = recording.baseline
    first = min((block.start for block in recording.blocks), default=np.inf)
    return bool(recording.name) and start < stop <= first and stop <= recording.duration


def _from_baseline(signal: Signal, recording: Recording) -> Signal:
    """`signal` minus each channel's mean over the baseline.

    Raises
    ------
    ValueError
        If a channel has no value there.
    """
    start, stop = (round(edge * signal.sampling_rate) for edge in recording.baseline)
    seen = signal.data[:, start:stop]
    empty = [n for n, c in zip(signal.channel_names, seen, strict=True) if not np.isfinite(c).any()]
    if empty:
        raise ValueError(
            f"baseline: {empty} have no value from {recording.baseline[0]:g} to {recording.baseline[1]:g} s; "
            "allowed is a stretch with values. Set the modality's 'baseline' to 'never'."
        )
    data = signal.data - np.nanmean(seen, axis=1, keepdims=True, dtype=np.float64)
    return replace(signal, data=data, above_baseline=True)
