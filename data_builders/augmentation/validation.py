"""Whether made segments may stand in for real ones: spectra, amplitudes, MMD, coverage, classifiers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_builders.augmentation.descriptors import AMPLITUDE, amplitudes, band_powers, bands, describe
from data_builders.augmentation.two_samples import coverage, discrepancy, told_apart, transfer
from data_builders.segments import Segments

__all__ = ["CHECKS", "AugmentationReport", "Check", "validate"]

LIMITS = {
    "spectra": 3.0,
    "amplitude": 0.3,
    "mmd": 0.05,
    "coverage": 0.5,
    "classifier": 0.75,
    "transfer": -0.1,
}
CHECKS = {
    "spectra": "largest difference in dB of a band's mean log power that holds 0.1 % of the power; at most 3",
    "amplitude": "largest Kolmogorov-Smirnov distance of the segments' mean, SD, skewness or kurtosis, "
    "mean over channels; at most 0.3",
    "mmd": "squared maximum mean discrepancy of the descriptors; at most 0.05, or p of permutation from 0.01",
    "coverage": "share of real segments with a made one as near as their fifth neighbour; at least 0.5",
    "classifier": "area under the ROC curve of trees that tell made from real; at most 0.75",
    "transfer": "balanced accuracy on held-out subjects, trained on made less trained on real; at least "
    "-0.1, or within two standard errors of 0",
}
"""What is judged and by which limit."""
LOW_POWER = 1e-3
FEWEST = 20
ABOVE_CHANCE = 0.05


@dataclass(frozen=True)
class Check:
    """One judgement: what was found, what is allowed; `passed` is None where it cannot be judged."""

    value: float | None
    limit: float
    passed: bool | None
    note: str = ""


@dataclass
class AugmentationReport:
    """What `validate` found.

    Parameters
    ----------
    n_real, n_made, n_held_out : int
    checks : dict of str to Check
        By the names of `CHECKS`.
    details : dict
        The figures behind them, as JSON values.
    curves : dict
        What the figures show; not in the JSON.
    """

    n_real: int
    n_made: int
    n_held_out: int
    checks: dict[str, Check]
    details: dict[str, Any]
    curves: dict[str, Any] = field(repr=False, default_factory=dict)

    def failures(self, judged: Collection[str] = tuple(CHECKS)) -> list[str]:
        """The checks of `judged` that failed, each as a line with its figures."""
        return [
            f"{name} is {check.value:.3g}, the limit {check.limit:g} ({CHECKS[name]})"
            for name, check in self.checks.items()
            if name in judged and check.passed is False
        ]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures()

    def as_json(self) -> dict[str, Any]:
        """All but the curves."""
        return {
            "passed": self.passed,
            "n_real": self.n_real,
            "n_made": self.n_made,
            "n_held_out": self.n_held_out,
            "checks": {name: asdict(check) for name, check in self.checks.items()},
            "details": self.details,
        }

    def save(self, folder: str | Path) -> Path:
        """Write ``report.json``, ``report.md`` and its figures into a folder."""
        from data_builders.augmentation.validation_page import write_page

        return write_page(self.as_json(), self.curves, CHECKS, Path(folder))


def validate(
    real: Segments, made: Segments, held_out: Segments | None = None, seed: int = 0
) -> AugmentationReport:
    """Compare made segments with the real ones that they were made of, or learned from.

    Parameters
    ----------
    real : Segments
        Of the training part; windows that do not overlap tell most.
    made : Segments
        Of the same specs.
    held_out : Segments, optional
        Real segments of other subjects, of the validation part and never of the test part; without them
        nothing is said on transfer.
    seed : int
        Of the trees and permutations.

    Returns
    -------
    AugmentationReport

    Raises
    ------
    ValueError
        If specs differ, a set is too small to judge, or `held_out` shares a subject with the others.

    References
    ----------
    Gretton et al. (2012), A Kernel Two-Sample Test, JMLR 13 (MMD); Naeem et al. (2020), Reliable Fidelity
    and Diversity Metrics for Generative Models, ICML (coverage); Lopez-Paz, Oquab (2017), Revisiting
    Classifier Two-Sample Tests, ICLR; Esteban, Hyland, Raetsch (2017), Real-valued (Medical) Time Series
    Generation with Recurrent Conditional GANs, arXiv:1706.02633 (train on synthetic, test on real).
    """
    _check_inputs(real, made, held_out)
    details: dict[str, Any] = {
        "spectra": {name: _spectra(name, real, made) for name in real.specs},
        "amplitude": {name: _amplitude(name, real, made) for name in real.specs},
    }
    one, other = describe(real), describe(made)
    scaled_real, scaled_made = _scaled(one, other)
    details["mmd"] = discrepancy(scaled_real, scaled_made, seed)
    details["coverage"] = coverage(scaled_real, scaled_made, seed)
    details["classifier"], roc = told_apart(scaled_real, scaled_made, real.table, made.table, seed)
    details["transfer"] = None
    if held_out is not None:
        parts = ((one, real.table), (other, made.table), (describe(held_out), held_out.table))
        details["transfer"] = transfer(*parts, seed)
    curves = {"roc": roc, "specs": real.specs, "real": _some(real, seed), "made": _some(made, seed)}
    n_held_out = 0 if held_out is None else len(held_out)
    return AugmentationReport(len(real), len(made), n_held_out, _judge(details), details, curves)


def _check_inputs(real: Segments, made: Segments, held_out: Segments | None) -> None:
    problems = []
    others = {"made": made} | ({"held_out": held_out} if held_out is not None else {})
    for name, part in others.items():
        if part.specs != real.specs:
            problems.append(f"{name} has {part.specs}, the real segments {real.specs}")
    if min(len(real), len(made)) < FEWEST:
        problems.append(f"there are {len(real)} real and {len(made)} made segments; allowed are {FEWEST} up")
    if held_out is not None:
        known = {*real.table["subject"], *made.table["subject"]}
        shared = sorted(known & set(held_out.table["subject"]))
        if shared:
            problems.append(f"held_out shares the subjects {shared[:3]} with the training part; take others")
    if problems:
        raise ValueError(f"made segments cannot be judged: {'; '.join(problems)}.")


def _spectra(name: str, real: Segments, made: Segments) -> dict[str, dict[str, float | bool]]:
    """By band: difference of the mean log power in dB, mean of its size over channels; and if judged."""
    rate = real.specs[name].sampling_rate
    power = [band_powers(part.signals[name], rate) for part in (real, made)]
    floor = max(float(power[0].mean()) * 1e-12, np.finfo(float).tiny)
    levels = [10 * np.log10(p + floor).mean(axis=0) for p in power]
    share = power[0].mean(axis=(0, 1)) / max(power[0].mean(axis=(0, 1)).sum(), np.finfo(float).tiny)
    edges = bands(real.signals[name].shape[2], rate)
    return {
        f"{low:.3g} to {high:.3g} Hz": {
            "dB": float(np.abs(levels[1] - levels[0])[:, k].mean()),
            "judged": bool(share[k] >= LOW_POWER),
        }
        for k, (low, high) in enumerate(edges)
    }


def _amplitude(name: str, real: Segments, made: Segments) -> dict[str, float]:
    """By statistic: Kolmogorov-Smirnov distance, mean over channels."""
    from scipy.stats import ks_2samp

    one, other = (amplitudes(part.signals[name]).transpose(2, 1, 0) for part in (real, made))
    return {
        what: float(
            np.mean(
                [ks_2samp(*pair, method="asymp").statistic for pair in zip(one[k], other[k], strict=True)]
            )
        )
        for k, what in enumerate(AMPLITUDE)
    }


def _scaled(real: pd.DataFrame, made: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors in standard deviations of the real ones, without those that do not vary at all."""
    both = np.vstack([real, made])
    varies = both.std(axis=0) > 1e-9 * np.maximum(1, np.abs(both).mean(axis=0))
    mean, sd = real.to_numpy().mean(axis=0), real.to_numpy().std(axis=0)
    # What is constant in real segments alone is all the more telling: scaled by both.
    sd = np.where(sd > 1e-3 * both.std(axis=0), sd, both.std(axis=0) + ~varies)
    scaled = ((both - mean) / sd)[:, varies]
    return scaled[: len(real)], scaled[len(real) :]


def _judge(details: dict[str, Any]) -> dict[str, Check]:
    spectra = [
        band["dB"] for found in details["spectra"].values() for band in found.values() if band["judged"]
    ]
    amplitude = [value for found in details["amplitude"].values() for value in found.values()]
    mmd, covered = details["mmd"], details["coverage"]
    checks = {
        name: Check(value, LIMITS[name], value <= LIMITS[name])
        for name, value in (
            ("spectra", max(spectra)),
            ("amplitude", max(amplitude)),
            ("classifier", details["classifier"]["auc"]),
        )
    }
    checks["mmd"] = Check(
        mmd["mmd2"], LIMITS["mmd"], mmd["mmd2"] <= LIMITS["mmd"] or mmd["p"] >= 0.01, f"p = {mmd['p']:.3g}"
    )
    checks["coverage"] = Check(covered, LIMITS["coverage"], covered >= LIMITS["coverage"])
    checks["transfer"] = _judge_transfer(details["transfer"])
    return {name: checks[name] for name in CHECKS}


def _judge_transfer(found: dict[str, float] | None) -> Check:
    limit = LIMITS["transfer"]
    if found is None:
        return Check(None, limit, None, "no held-out segments of two classes")
    value = found["difference"]
    if found["real"] < found["chance"] + ABOVE_CHANCE:
        return Check(value, limit, None, "real segments are at chance themselves")
    note = f"{found['made']:.3f} against {found['real']:.3f}, standard error {found['error']:.3f}"
    return Check(value, limit, value >= limit or value + 2 * found["error"] >= 0, note)


def _some(segments: Segments, seed: int) -> Segments:
    """Up to 300 segments, for the figures."""
    rows = np.random.default_rng(seed).permutation(len(segments))[:300]
    return segments[np.sort(rows)]
