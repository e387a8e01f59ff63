"""The table of all features: a row for each, by modality. docs/features.md is written from here."""

from __future__ import annotations

from functools import partial

from encoders.features.cardiac import MINIMUM
from encoders.features.catalogue_eeg import EEG
from encoders.features.gsr import LOWEST_RATE
from encoders.features.peripheral import BREATHING_BAND
from encoders.features.row import Row

__all__ = ["CATALOGUE", "row_of"]

PHINYOMARK = "Phinyomark et al. 2012"
TASK_FORCE = "Task Force 1996"
BOUCSEIN = "Boucsein 2012"
CONSTANT = "the signal is constant"
NO_BEATS = (
    "fewer than 5 beats, or they do not look alike, or over 20 % of them are not 0.3-2 s apart, or those "
    "that do not jump cover too little of the window"
)
Muscle = partial(Row, source=PHINYOMARK)
FullMuscle = partial(Row, set="full")
Heart = partial(Row, source=TASK_FORCE, undefined=NO_BEATS)
Response = partial(Row, source=BOUCSEIN, lowest_rate=LOWEST_RATE)

EMG = (
    Muscle("rms", "signal's", "sqrt(mean(x²))"),
    Muscle("mav", "signal's", "mean(|x|)"),
    Muscle("log_rms", "ln", "ln(rms)", undefined=CONSTANT),
    Muscle("waveform_length", "signal's / s", "f mean(|x(t) - x(t-1)|)"),
    Muscle("zero_crossings", "1/s", "f mean(sign x(t) ≠ sign x(t-1))"),
    Muscle("mean_frequency", "Hz", "sum(F P) / sum(P), P = Welch, 1 s Hann windows", undefined=CONSTANT),
    Muscle("median_frequency", "Hz", "frequency that halves sum(P)", undefined=CONSTANT),
    Row("burst_rate", "1/s", "starts of RMS (0.1 s blocks) > 2 x its lower quartile, over the window"),
    Row(
        "slope",
        "ln / s",
        "least-squares slope of ln RMS over 0.1 s blocks",
        minimum=0.2,
        undefined="a block is constant",
    ),
    Row(
        "contrast",
        "ln",
        "ln(rms of the last three quarters) - ln(rms of the first quarter)",
        "Fridlund and Cacioppo 1986",
        undefined="a part of the signal is constant",
    ),
    FullMuscle("mean", "signal's", "mean(x) of the signal as recorded"),
    FullMuscle("variance", "signal's²", "mean(x²) - mean(x)²", PHINYOMARK),
    FullMuscle(
        "clear_zero_crossings",
        "1/s",
        "changes from x > T to x < -T or back, T = 0.1 rms",
        "Hudgins et al. 1993",
    ),
    FullMuscle(
        "slope_sign_changes",
        "1/s",
        "the same of d(t) = x(t) - x(t-1), T = 0.1 of the RMS of d",
        "Hudgins et al. 1993",
    ),
    FullMuscle(
        "ar1 ar2 ar3 ar4",
        "1",
        "x(t) = ar1 x(t-1) + ... + ar4 x(t-4) + noise, Burg's method; comparable at one rate only",
        "Burg 1975",
        undefined=CONSTANT,
    ),
)
HEART = (
    Heart("heart_rate", "bpm", "60000 / mean_rr", minimum=MINIMUM["heart_rate"]),
    Heart(
        "mean_rr", "ms", "mean(RR), of a pulse wave the mean inter-beat interval", minimum=MINIMUM["mean_rr"]
    ),
    Heart("sdnn", "ms", "standard deviation of RR (n - 1)", minimum=MINIMUM["sdnn"]),
    Heart("rmssd", "ms", "sqrt(mean((RR(i+1) - RR(i))²))", minimum=MINIMUM["rmssd"]),
    Heart("pnn50", "%", "100 mean(|RR(i+1) - RR(i)| > 50 ms)", minimum=MINIMUM["pnn50"]),
    Heart(
        "hf",
        "ms²",
        "power of RR in 0.15-0.4 Hz: cubic spline at 4 Hz, Welch, 120 s Hann windows without their line",
        minimum=MINIMUM["hf"],
        set="full",
    ),
    Heart("lf", "ms²", "the same in 0.04-0.15 Hz", minimum=MINIMUM["lf"], set="full"),
    Heart(
        "lf_hf",
        "1",
        "lf / hf",
        minimum=MINIMUM["lf_hf"],
        undefined=f"{NO_BEATS}; or hf is below 0.01 ms²",
        set="full",
    ),
)
GSR = (
    Row("level", "µS", "mean(x)"),
    Row("std", "µS", "standard deviation of x"),
    Row("minimum", "µS", "min(x)"),
    Row("maximum", "µS", "max(x)"),
    Row("slope", "µS/min", "least-squares slope of x"),
    Row("contrast", "µS", "mean of the last three quarters - mean of the first quarter"),
    Row("mean_abs_slope", "µS/s", "f mean(|x(t) - x(t-1)|)"),
    Response(
        "scr_rate", "1/min", "responses over the window: rises below 1 Hz of 0.02 µS or more in 0.5-6 s"
    ),
    Response("scr_amplitude", "µS", "mean of peak - trough of the responses; 0 without"),
    Response("scr_rise_time", "s", "mean of peak - trough time", undefined="the window holds no response"),
    Response("phasic_area", "µS s / min", "60 mean(max(x - tonic, 0))"),
    Row("tonic_level", "µS", "mean of tonic, the running median of x over 8 s", BOUCSEIN, set="full"),
    Response("scr_count", "1", "responses in the window", set="full"),
    Row(
        "scr_noise",
        "µS",
        "1.48 median(|x above 1 Hz|) sqrt(s / (1 - s)), s = 2 Hz / f: the noise below 1 Hz",
        lowest_rate=LOWEST_RATE,
        set="full",
    ),
)
SLOW = (
    Row("mean", "signal's", "mean(x)"),
    Row("std", "signal's", "standard deviation of x"),
    Row("slope", "signal's / min", "least-squares slope of x"),
    Row("range", "signal's", "max(x) - min(x)"),
    Row("q10 q90", "signal's", "quantiles .1 and .9 of x"),
    Row("mean_abs_diff", "signal's / s", "f mean(|x(t) - x(t-1)|)"),
)
BREATHING = (
    Row(
        "rate",
        "1/min",
        "60 x frequency in 0.1-0.5 Hz at which the spectrum is highest",
        "Charlton et al. 2016",
        minimum=1 / BREATHING_BAND[0],
        lowest_rate=2 * BREATHING_BAND[1],
        undefined=CONSTANT,
    ),
)
NO_MOVEMENT = "no bin of the spectrum in 0.5-3.5 Hz (a low rate or a short window), or rest that is exactly 0"
MOVEMENT = (
    Row("magnitude_mean", "signal's", "mean(m), m = length of the vector (x, y, z)"),
    Row("magnitude_std", "signal's", "standard deviation of m"),
    Row("jerk", "signal's / s", "f mean(length of the vector's change)"),
    Row(
        "movement_power",
        "ln signal's²",
        "ln of the power of all axes in 0.5-3.5 Hz (Welch, 8 s)",
        "Bouten et al. 1997",
        undefined=NO_MOVEMENT,
    ),
    Row(
        "dominant_frequency",
        "Hz",
        "frequency of its highest bin",
        "Bouten et al. 1997",
        undefined=NO_MOVEMENT,
    ),
)
GIVEN = (Row("<channel>", "as given", "mean(x): a value that the data set gives in place of a signal"),)

CATALOGUE: dict[str, tuple[Row, ...]] = {
    "emg": EMG,
    "eeg": EEG,
    "ecg": HEART,
    "ppg": HEART,
    "bvp": HEART,
    "gsr": GSR,
    "respiration": (*SLOW, *BREATHING),
    "acceleration": (*SLOW, *MOVEMENT),
    "temperature": SLOW,
    "heart_rate": SLOW,
    "spo2": SLOW,
    "eog": SLOW,
    "features": GIVEN,
}


def row_of(modality: str, feature: str) -> Row:
    """The row of a feature, by its name in a column: ``<name>`` or ``<name>_<channel>``.

    Raises
    ------
    KeyError
        If there is none.
    """
    if modality == "features":
        return GIVEN[0]
    found = [
        (len(name), row)
        for row in CATALOGUE[modality]
        for name in row.names
        if feature == name or feature.startswith(f"{name}_")
    ]
    if not found:
        raise KeyError(f"{modality}_{feature} has no row in encoders/features/catalogue.py; add one.")
    return max(found, key=lambda pair: pair[0])[1]
