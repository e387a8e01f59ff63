"""What moves with an emotion, and by how much: the parameters of the simulated set.

Each emotion has a profile of shifts against a neutral state, in effect units. One unit is `Parameter.scale`
of its parameter, about the size of a reported group mean (4 bpm of heart rate, 0.35 log units of SCR rate).
The signs and the ranks follow the sources; the sizes are rounded, and reviews differ on some of them.

- Heart rate, RMSSD, SCR rate and amplitude, skin conductance level: Kreibig (2010), Biological Psychology
  84, 394-421 (anger, anxiety and fear raise heart rate and electrodermal activity, anxiety and fear lower
  vagal heart rate variability; non-crying sadness lowers both; happiness and surprise raise both a little).
- Ranges of level (2-20 µS), SCR rate (1-20 a minute) and amplitude (0.1-1 µS): Boucsein (2012),
  Electrodermal Activity, 2nd edition.
- Facial EMG: Cacioppo, Petty, Losch & Kim (1986), JPSP 50, 260-268, and Larsen, Norris & Cacioppo (2003),
  Psychophysiology 40, 776-785 (corrugator with negative, zygomaticus with positive valence); Ekman & Friesen
  (1978), FACS, for frontalis (surprise, fear), orbicularis oculi (joy), levator (disgust), depressor
  (sadness). Median frequency: Stulen & De Luca (1981), IEEE TBME 28, 515-523 (the spectrum's model).
- Frontal alpha asymmetry, ln F4 - ln F3: Coan & Allen (2004), Biological Psychology 67, 7-50, and Davidson
  (1992), Brain and Cognition 20, 125-151 (approach, anger among it, against withdrawal). Less alpha and more
  beta with arousal, more frontal theta with load: Klimesch (1999), Brain Research Reviews 29, 169-195.
- Valence and arousal: Russell (1980), JPSP 39, 1161-1178, with Russell & Mehrabian (1977), Journal of
  Research in Personality 11, 273-294, rounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["CIRCUMPLEX", "EFFECTS", "MONTAGE", "MUSCLES", "PARAMETERS", "Parameter", "natural_values"]

MUSCLES = (
    "zygomaticus",
    "corrugator",
    "frontalis",
    "orbicularis_oculi",
    "levator_labii",
    "depressor_anguli",
    "orbicularis_oris",
    "masseter",
)
MONTAGE = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")


@dataclass(frozen=True)
class Parameter:
    """A physiological quantity of a block.

    Parameters
    ----------
    name, modality : str
    centre : float
        Median over subjects, in natural units; its logarithm is Gaussian if `log`.
    spread : float
        Standard deviation over subjects (of the logarithm if `log`).
    scale : float
        One effect unit (of the logarithm if `log`).
    log : bool
    """

    name: str
    modality: str
    centre: float
    spread: float
    scale: float
    log: bool = True


PARAMETERS = (
    Parameter("heart_rate", "ecg", 72.0, 8.0, 4.0, log=False),  # bpm
    Parameter("rmssd", "ecg", 35.0, 0.35, 0.25),  # ms
    Parameter("scr_rate", "gsr", 5.0, 0.25, 0.35),  # a minute
    Parameter("scr_amplitude", "gsr", 0.30, 0.40, 0.30),  # µS
    Parameter("tonic_level", "gsr", 6.0, 0.40, 0.08),  # µS
    Parameter("burst_rate", "emg", 12.0, 0.20, 0.20),  # a minute
    Parameter("median_frequency", "emg", 90.0, 6.0, 4.0, log=False),  # Hz
    *(Parameter(muscle, "emg", 12.0, 0.40, 0.35) for muscle in MUSCLES),  # µV RMS at the peak of a burst
    Parameter("theta", "eeg", 16.0, 0.40, 0.25),  # µV², 4-8 Hz
    Parameter("alpha", "eeg", 40.0, 0.60, 0.30),  # µV², 8-13 Hz
    Parameter("beta", "eeg", 10.0, 0.40, 0.25),  # µV², 13-30 Hz
    Parameter("frontal_asymmetry", "eeg", 0.0, 0.15, 0.20, log=False),  # ln F4 - ln F3 of alpha power
)

_PROFILES = """
            HR   RMS  SCRr SCRa SCL  | brst mdf  zyg  corr fron ooc  lev  dep  oor  mass | the  alp  bet  FAA
anger       1.5 -0.8  1.2  0.8  0.8  | 0.8  0.4 -0.4  1.6 -0.4  0.3  0.4  0.3  0.6  1.0  | 0.3 -0.4  0.9  0.9
anxiety     1.1 -1.2  0.9  0.4  0.6  | 0.2  0.2 -0.4  0.9  0.4  0.0  0.0  0.3  0.2  0.5  | 0.3 -0.8  0.7 -0.7
contempt    0.1  0.0  0.2  0.2  0.1  | 0.2  0.0  0.7  0.3 -0.2  0.0  0.8  0.4  0.4  0.1  | 0.0 -0.2  0.2 -0.2
delight     0.9 -0.2  0.7  0.7  0.5  | 1.2  0.2  1.9 -0.9  0.3  1.4  0.0 -0.4  0.0  0.0  | 0.2 -0.4  0.5  0.9
disgust     0.1  0.3  0.9  0.5  0.5  | 0.8  0.1 -0.4  1.2 -0.2  0.5  1.9  0.4  0.2  0.0  | 0.3 -0.3  0.3 -0.9
fear        1.7 -1.0  1.6  1.0  1.0  | 0.6  0.3 -0.5  0.9  1.4  0.3  0.2  0.3  0.2  0.2  | 0.6 -0.7  0.5 -0.9
happiness   0.7 -0.3  0.5  0.3  0.3  | 0.9  0.1  1.6 -0.8  0.0  1.0  0.0 -0.3  0.0 -0.2  | 0.0  0.1  0.2  0.7
neutral     0.0  0.0  0.0  0.0  0.0  | 0.0  0.0  0.0  0.0  0.0  0.0  0.0  0.0  0.0  0.0  | 0.0  0.0  0.0  0.0
perplexity  0.2 -0.3  0.4  0.1  0.2  | 0.3  0.1 -0.2  1.0  0.6  0.1  0.0  0.1  0.3  0.1  | 0.9 -0.5  0.2  0.0
pride       0.4  0.1  0.4  0.2  0.2  | 0.4  0.1  1.0 -0.4  0.1  0.4  0.0 -0.3  0.3  0.0  | 0.0  0.0  0.2  0.6
sadness    -0.7  0.3 -0.6 -0.5 -0.5  |-0.3 -0.3 -0.5  1.1  0.3 -0.1  0.0  1.1  0.5 -0.2  | 0.3  0.4 -0.4 -0.6
surprise    0.7 -0.1  1.2  1.0  0.4  | 0.6  0.3  0.1 -0.3  1.8 -0.3  0.0  0.0  0.0 -0.4  | 0.5 -0.5  0.3  0.1
"""


def _read_profiles(text: str) -> dict[str, np.ndarray]:
    rows = (line.replace("|", " ").split() for line in text.strip().splitlines()[1:])
    return {row[0]: np.array(row[1:], dtype=float) for row in rows}


EFFECTS = _read_profiles(_PROFILES)

CIRCUMPLEX = {
    "anger": (-0.5, 0.6),
    "anxiety": (-0.4, 0.5),
    "contempt": (-0.5, 0.3),
    "delight": (0.8, 0.6),
    "disgust": (-0.6, 0.4),
    "fear": (-0.6, 0.7),
    "happiness": (0.8, 0.4),
    "neutral": (0.0, 0.0),
    "perplexity": (-0.3, 0.3),
    "pride": (0.7, 0.3),
    "sadness": (-0.6, -0.4),
    "surprise": (0.3, 0.7),
}


def natural_values(subject_offset: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Parameters in natural units.

    Parameters
    ----------
    subject_offset : ndarray, shape (n_parameters,)
        The subject's offset from the centres, in units of `spread`.
    shift : ndarray, shape (n_stretches, n_parameters)
        In effect units.

    Returns
    -------
    ndarray, shape (n_stretches, n_parameters)
    """
    log = np.array([p.log for p in PARAMETERS])
    centre = np.array([np.log(p.centre) if p.log else p.centre for p in PARAMETERS])
    spread = np.array([p.spread for p in PARAMETERS])
    scale = np.array([p.scale for p in PARAMETERS])
    values = centre + spread * subject_offset + scale * shift
    values[:, log] = np.exp(values[:, log])
    return values
