"""What the table of features says of the EEG."""

from __future__ import annotations

from functools import partial

from encoders.features.eeg_full import ENTROPY_SAMPLES, SHORTEST, SHORTEST_COUPLING
from encoders.features.row import Row

__all__ = ["EEG"]

FLAT = "the signal is constant"
NO_BIN = "the signal is constant, or the window too short for a bin of the spectrum in the band"
SHORT = "too short for an autoregression of all regions (see the formula), or a constant among them"
FEW = f"the signal is constant, has under {ENTROPY_SAMPLES} samples, or no three in a row come again"
FullRow = partial(Row, set="full", undefined=FLAT)
EEG = (
    Row(
        "theta alpha beta gamma",
        "ln µV²",
        "ln of the power P in 4-8, 8-13, 13-30, 30-45 Hz (Welch, 2 s Hann windows); bands up to f/2",
        undefined=NO_BIN,
    ),
    Row(
        "theta_relative alpha_relative beta_relative gamma_relative",
        "part",
        "P(band) / sum of P over these four bands",
        undefined=NO_BIN,
    ),
    Row(
        "mobility", "Hz", "sqrt(m2 / m0), mk = sum of frequency^k P, 1-45 Hz", "Hjorth 1970", undefined=NO_BIN
    ),
    Row("complexity", "1", "sqrt(m4 / m2) / mobility; 1 for a sine", "Hjorth 1970", undefined=NO_BIN),
    Row(
        "faa faa_f8_f7 faa_af4_af3",
        "ln",
        "alpha of F4 - alpha of F3; F8 - F7; AF4 - AF3",
        "Coan and Allen 2004",
        undefined=NO_BIN,
    ),
    FullRow("delta", "ln µV²", "ln of the power in 1-4 Hz", minimum=SHORTEST),
    FullRow("delta_relative", "part", "P(delta) / sum of P over all five bands", minimum=SHORTEST),
    FullRow("activity", "ln µV²", "ln of the power in 1-45 Hz", "Hjorth 1970", minimum=SHORTEST),
    FullRow(
        "de_delta de_theta de_alpha de_beta de_gamma",
        "nat",
        "ln(2 pi e var(x)) / 2, x in the band, at 100-200 Hz",
        "Duan et al. 2013",
        minimum=SHORTEST,
    ),
    FullRow(
        "spectral_entropy",
        "part",
        "-sum p ln p / ln n, p = the n bins of the spectrum, 1-45 Hz, as parts of their sum",
        "Inouye et al. 1991",
        minimum=SHORTEST,
    ),
    FullRow(
        "sample_entropy",
        "nat",
        "-ln(A / B), matches of 3 over those of 2 samples within 0.2 sd; mean of pieces of up to 10 s",
        "Richman and Moorman 2000",
        minimum=SHORTEST,
        undefined=FEW,
    ),
    FullRow(
        "permutation_entropy",
        "part",
        "-sum p ln p / ln 6, p = shares of the 6 orders of 3 neighbouring samples",
        "Bandt and Pompe 2002",
        minimum=SHORTEST,
    ),
    FullRow(
        "plv_delta plv_theta plv_alpha plv_beta plv_gamma",
        "part",
        "|mean of exp(i (phase a - phase b))|, mean over the pairs of two regions' channels",
        "Lachaux et al. 1999",
        minimum=SHORTEST_COUPLING,
    ),
    FullRow(
        "coherence_delta coherence_theta coherence_alpha coherence_beta coherence_gamma",
        "part",
        "|S_ab|^2 / (S_aa S_bb), 1 s windows, mean over the band and the pairs of channels",
        "Carter 1987",
        minimum=SHORTEST_COUPLING,
    ),
    FullRow(
        "pdc_delta pdc_theta pdc_alpha pdc_beta pdc_gamma",
        "part",
        "|A_ba| / sqrt(sum over c of |A_ca|^2), a to b, order 8; needs 10 samples at 100-200 Hz for each "
        "of 8 coefficients a region",
        "Baccala and Sameshima 2001",
        undefined=SHORT,
    ),
)
