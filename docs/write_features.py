"""python docs/write_features.py

Writes docs/features.md from the rows of encoders/features/catalogue.py and encoders/quantities.py.
"""

from __future__ import annotations

from pathlib import Path

from data_builders.channel_words import MODALITY_WORDS
from encoders.features.catalogue import CATALOGUE
from encoders.features.row import Row
from encoders.quantities import DESCRIBED, Described, parts_of_column

DOCS = Path(__file__).parent
INTRODUCTION = """# Hand-made features

What classical models and the bins of the signal tokenizer read. Written by `python docs/write_features.py`
from the rows of `encoders/features/catalogue.py`; a test holds them against the columns.

```python
from encoders.features import extract_features, why_undefined

extract_features(segments)  # the standard set: a row a segment, a column a feature
extract_features(segments, "full")  # all of these tables
why_undefined(segments)  # the reason for each NaN of the full set
```

A column is `<modality>_<name>`, with `_<channel>` behind it where a modality has several channels. EEG of
more than 6 channels has regions in place of channels, and connectivity names both ends:
`eeg_plv_alpha_<a>_and_<b>`, `eeg_pdc_alpha_<a>_to_<b>`. x is the signal of one channel, f its sampling rate.
Each segment is measured by itself: nothing is fitted. A gap gives NaN.

The full set is strict: a feature is NaN in windows below the shortest one of its row. In the standard set,
with which the tables of docs/results.md were measured, the features of the heart have no shortest window but
five beats, and responses of skin conductance are not refused in noise. Intervals of beats that jump by more
than a quarter, where one was missed or is premature, and those beside them are left out of an ECG, and of
pulse waves in the full set: at the wrist it is movement that makes them, and it tells states apart.

`encoders.features.raw_and_features` gives EMG as an array (n_segments, n_samples, n_channels + 4): the
channels, and RMS, mean absolute value, zero crossings and waveform length in a sliding window.
"""
TITLES = {
    ("emg",): "EMG, above 20 Hz (or a tenth of the rate)",
    ("eeg",): "EEG",
    (
        "ecg",
        "ppg",
        "bvp",
    ): "ECG and pulse wave (PPG, BVP): RR are the intervals between R peaks or systolic peaks",
    ("gsr",): "GSR (skin conductance), averaged down to about 8 Hz",
    ("respiration",): "Respiration",
    ("acceleration",): "Acceleration",
    ("temperature", "heart_rate", "spo2", "eog"): "Temperature, heart rate as a series, SpO2, EOG",
    ("features",): "Features that a data set gives in place of signals",
}
NOTES = {
    "gsr": "Where `scr_noise` exceeds 0.0028 µS, and at rates below 3 Hz, responses and `phasic_area` are "
    "NaN in the full set: a rise of 0.02 µS is then within five standard deviations of a noise difference.",
    "ecg": "R peaks by NeuroKit2 (Makowski et al. 2021) after 0.5-40 Hz, systolic peaks after Elgendi et al. "
    "2013 and 0.5-8 Hz, both placed between samples by a parabola. Shortest windows: HF 1 min and LF 2 min "
    "after the Task Force 1996; rate, RMSSD and pNN50 after Baek et al. 2015; SDNN 60 s, the shortest in use "
    "(Shaffer and Ginsberg 2017). The intervals that are kept must cover 80 % of these, for the spectrum 80 "
    "% of the window; what is missing between them is bridged by a monotone curve.",
}
QUANTITIES = """## Quantities that are described in words

What an LLM is taught to say of a segment, out of the standard set (`encoders/quantities.py`). Values are as
measured, not normalised. Where the literature has no range that holds for any sensor it is that of the
training subjects; so it is in windows that are too short for the literature's, and in recordings of another
unit. Of several rows of one name the first that a store has is written.

| feature | in words | unit | decimals | range | shortest window | source of the range |
|---|---|---|---:|---|---:|---|"""
HEAD = (
    "| name | unit | formula | set | shortest window of the full set | source |\n|---|---|---|---|---:|---|"
)


def line(row: Row) -> str:
    names = ", ".join(f"`{name}`" for name in row.names)
    minimum = f"{row.minimum:g} s" if row.minimum else ""
    cells = (names, row.unit, row.formula, row.set, minimum, row.source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def section(modalities: tuple[str, ...], title: str) -> str:
    lines = [f"## {title}", "", HEAD, *map(line, CATALOGUE[modalities[0]])]
    notes = [NOTES[name] for name in modalities if name in NOTES]
    return "\n".join([*lines, *(f"\n{note}" for note in notes)])


def quantity_line(row: Described) -> str:
    modality = parts_of_column(row.key)[0]
    several = "`<channel>` " if modality in ("emg", "eeg") else ""
    shown = {"signal": several + MODALITY_WORDS[modality], "unit": row.expects}
    span = "" if row.low is None else f"{row.low:g} to {row.high:g}"
    shortest = f"{row.shortest:g} s" if row.shortest else ""
    cells = (
        f"`{row.key}`",
        row.name.format(**shown),
        row.unit.format(**shown),
        str(row.digits),
        span,
    )
    return "| " + " | ".join((*cells, shortest, row.source)) + " |"


def text() -> str:
    sections = [section(modalities, title) for modalities, title in TITLES.items()]
    quantities = "\n".join([QUANTITIES, *map(quantity_line, DESCRIBED)])
    return "\n\n".join([INTRODUCTION.rstrip(), *sections, quantities]) + "\n"


if __name__ == "__main__":
    (DOCS / "features.md").write_text(text())
