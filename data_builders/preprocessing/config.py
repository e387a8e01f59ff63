"""What is done to each modality, with defaults from the literature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from data_builders.options import as_mapping
from data_builders.preprocessing.resampling import HIGHEST_RATES

__all__ = ["ECG", "EEG", "EMG", "FULL", "GSR", "KINDS", "STANDARD", "PreprocessingConfig", "Steps"]

NUMBERS = ("rate", "high_pass", "low_pass", "order", "flat", "loudest", "envelope", "split")
CHOICES = {
    "baseline": ("never", "trial", "always"),
    "artefacts": ("none", "regression", "ica"),
    "rejected": ("zero", "nan"),
    "reference": (True, False),
    "upright": (True, False),
}
MAINS = (50.0, 60.0)
"""Hz; a data set rarely tells which, and a notch where there is no hum takes off under 2 Hz of the band."""


@dataclass(frozen=True)
class Steps:
    """What is done to any signal; edges in Hz, None for no such filter.

    The order is: resampling, high-pass, low-pass and notch, what the modality adds, baseline.
    """

    rate: float | None = None  # Hz to store at, if the signal is faster; None: see HIGHEST_RATES
    high_pass: float | None = None
    low_pass: float | None = None
    notch: tuple[float, ...] = ()  # of the mains, and of its harmonics where they disturb
    order: int = 4  # of the Butterworth filters; zero-phase runs them twice, -6 dB at the edges
    # Subtract each channel's mean over Recording.baseline: never, where the recording is one trial
    # with a baseline before its first block (trial), or always.
    baseline: str = "never"

    def faults(self) -> list[str]:
        """All values that are not allowed, each with what is."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        found = [
            f"{name} is {values[name]!r}; allowed is a number above 0" + " or null" * (name != "order")
            for name in NUMBERS
            if name in values and not (_above_0(values[name]) or (values[name] is None and name != "order"))
        ]
        found += [
            f"{name} is {values[name]!r}; allowed is one of {list(allowed)}"
            for name, allowed in CHOICES.items()
            if name in values and values[name] not in allowed
        ]
        if not (isinstance(self.notch, tuple) and all(map(_above_0, self.notch))):
            found.append(f"notch is {self.notch!r}; allowed is a list of numbers of Hz above 0, or []")
        if not found and self.high_pass and self.low_pass and self.high_pass >= self.low_pass:
            found.append(
                f"high_pass is {self.high_pass:g} Hz; allowed is below low_pass {self.low_pass:g} Hz"
            )
        return found


def _above_0(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


@dataclass(frozen=True)
class EEG(Steps):
    """0.5-45 Hz, mains notch, flat and loud stretches taken out, average reference.

    Notes
    -----
    Delorme and Makeig (2004), J Neurosci Methods 134 (EEGLAB), and Koelstra et al. (2012), IEEE Trans
    Affect Comput 3 (DEAP: 4-45 Hz, average reference), for band and reference; ±100 µV is the usual limit
    of affective EEG (Luck 2014, An Introduction to the Event-Related Potential Technique, ch. 6), and 5 s
    the flat-line criterion of Kothe's clean_rawdata.
    """

    high_pass: float | None = 0.5
    low_pass: float | None = 45.0
    notch: tuple[float, ...] = MAINS
    flat: float | None = 5.0  # s without any change after which a channel is a gap (NaN)
    loudest: float | None = 100.0  # µV either way, filtered; what is beyond, and 0.2 s around, is a gap
    # What flat and loud stretches are at last: 0, the mean that all channels have then and what encoders
    # can read, or nan. Gaps of the file itself stay NaN.
    rejected: str = "zero"
    reference: bool = True  # subtract the mean of all channels that are no gap at the time
    artefacts: str = "none"  # eye artefacts: none, regression on EOG channels, or ica (MNE)
    eog: str = "eog"  # modality that holds the EOG
    eog_channels: tuple[str, ...] = ()  # EEG channels in its place, for ica: those next to the eyes


@dataclass(frozen=True)
class ECG(Steps):
    """0.5-40 Hz, mains notch, upright R waves.

    Notes
    -----
    0.5 Hz takes off the wander of the baseline and leaves rhythm and R waves as they are (Kligfield et al.
    2007, Circulation 115; 0.67 Hz is their limit for a zero-phase filter, 0.05 Hz for ST segments, which
    nothing here reads); 40 Hz is the monitor band.
    """

    high_pass: float | None = 0.5
    low_pass: float | None = 40.0
    notch: tuple[float, ...] = MAINS
    upright: bool = True  # turn a channel over whose largest deflections point down


@dataclass(frozen=True)
class EMG(Steps):
    """20-450 Hz, mains notch; the rectified envelope as further channels by option.

    Notes
    -----
    De Luca et al. (2010), J Biomech 43: a Butterworth corner at 20 Hz with 12 dB per octave against
    movement; SENIAM (Hermens et al. 2000, J Electromyogr Kinesiol 10) and Merletti (1999, ISEK) for the
    upper end; Winter (2009), Biomechanics, 4th ed., for the linear envelope.
    """

    high_pass: float | None = 20.0
    low_pass: float | None = 450.0
    notch: tuple[float, ...] = MAINS
    order: int = 2
    envelope: float | None = None  # Hz of the rectified envelope's low-pass, e.g. 6; None: no envelope


@dataclass(frozen=True)
class GSR(Steps):
    """Low-pass 3 Hz, and the trial's baseline; tonic level and phasic part as further channels by option.

    Notes
    -----
    3 Hz, order 4, as NeuroKit2's `eda_clean` (Makowski et al. 2021, Behav Res Methods 53); changes from
    the level before the trial as in Boucsein (2012), Electrodermal Activity, 2nd ed.; the split at 0.05 Hz
    is AcqKnowledge's. cvxEDA is not offered.
    """

    low_pass: float | None = 3.0
    baseline: str = "trial"
    split: float | None = None  # Hz that parts tonic from phasic, e.g. 0.05; None: no split


KINDS: dict[str, type[Steps]] = {"eeg": EEG, "ecg": ECG, "emg": EMG, "gsr": GSR}
STANDARD: dict[str, Steps] = {name: kind() for name, kind in KINDS.items()}
FULL = STANDARD | {"emg": EMG(envelope=6.0), "gsr": GSR(split=0.05)}
NAMED: dict[str, dict[str, Steps]] = {"none": {}, "standard": STANDARD, "full": FULL}


@dataclass(frozen=True)
class PreprocessingConfig:
    """What is done to a recording before it is cut.

    Raises
    ------
    ValueError
        If steps do not fit together; the message lists all faults by modality.
    """

    modalities: Mapping[str, Steps] = field(default_factory=dict)  # the others are only resampled
    causal: bool = False  # never look ahead; all that is learned is learned on Recording.baseline

    NAMES: ClassVar[tuple[str, ...]] = tuple(NAMED)

    def __post_init__(self) -> None:
        _refuse(_faults(self.modalities, self.causal))

    @classmethod
    def from_options(cls, options: dict[str, Any] | str | None) -> PreprocessingConfig:
        """Of a name, or of what differs from the standard.

        Parameters
        ----------
        options : dict or str or None
            ``"none"`` (or None): resampling only; ``"standard"``: the defaults of `EEG`, `ECG`, `EMG`
            and `GSR`; ``"full"``: with the EMG's envelope and the split of the GSR. Or a mapping of
            modality to the fields that differ from the standard, or null to leave the modality as it is,
            or its JSON; ``causal`` beside the modalities, and ``kind`` (eeg, ecg, emg or gsr) within one
            that is named otherwise.

        Raises
        ------
        ValueError
            If a name, modality's field or value is unknown; the message lists all.
        """
        if options is None or (isinstance(options, str) and options in NAMED):
            return cls(NAMED[options or "none"])
        if isinstance(options, str) and not options.lstrip().startswith("{"):
            raise ValueError(
                f"preprocessing is {options!r}; allowed are {list(NAMED)}, or an object as "
                '\'{"emg": {"rate": 2000}}\'.'
            )
        mapping = as_mapping(options)
        causal = mapping.pop("causal", False)
        faults = [] if isinstance(causal, bool) else [f"causal is {causal!r}; allowed are true and false"]
        modalities = dict(STANDARD)
        for name, chosen in mapping.items():
            modalities[name] = _steps(name, chosen, faults)
        _refuse(faults + _faults(modalities, causal is True))
        return cls(modalities, causal)

    def steps(self, modality: str) -> Steps:
        """Steps of a modality, with its rate."""
        steps = self.modalities.get(modality, Steps())
        return replace(steps, rate=steps.rate or HIGHEST_RATES.get(modality))


def _steps(name: str, chosen: Mapping[str, Any] | None, faults: list[str]) -> Steps:
    """The standard steps of a modality with the fields that were chosen."""
    if chosen is None:
        return Steps()
    if not isinstance(chosen, Mapping):
        faults.append(f"{name} is {chosen!r}; allowed is null or a mapping of its fields")
        return Steps()
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in chosen.items()}
    kind = values.pop("kind", name)
    if kind not in KINDS and kind != name:
        faults.append(f"{name}: kind is {kind!r}; allowed are {list(KINDS)}")
    standard = STANDARD.get(kind, Steps())
    allowed = [option.name for option in fields(standard)]
    unknown = [key for key in values if key not in allowed]
    faults += [f"{name}: has no {key!r}; allowed are {allowed}" for key in unknown]
    return replace(standard, **{key: value for key, value in values.items() if key in allowed})


def _faults(modalities: Mapping[str, Steps], causal: bool) -> list[str]:
    found = [f"{name}: {fault}" for name, steps in modalities.items() for fault in steps.faults()]
    return found + [
        f"{name}: artefacts is {steps.artefacts!r}, which learns from the whole recording; allowed with "
        "causal is 'none'"
        for name, steps in modalities.items()
        if causal and isinstance(steps, EEG) and steps.artefacts != "none"
    ]


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ValueError("preprocessing: " + "; ".join(faults) + ".")
