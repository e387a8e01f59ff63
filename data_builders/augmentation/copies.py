"""Augmented copies of training segments: which transforms suit them, and how the copies are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from data_builders.augmentation.basic import BASIC
from data_builders.augmentation.electrodes import has_homologues, is_ring
from data_builders.augmentation.generative import GENERATIVE
from data_builders.augmentation.generator import GenerativeConfig
from data_builders.augmentation.intermediate import INTERMEDIATE
from data_builders.augmentation.synthesis import Synthesis
from data_builders.options import as_mapping
from data_builders.recording import LABELS
from data_builders.segments import Segments, SignalSpec, concatenate
from data_builders.splits import Split
from data_builders.stage import content_hash

if TYPE_CHECKING:
    import torch

__all__ = ["LEVELS", "AugmentationConfig", "augment", "suitable"]

LEVELS: dict[str, Mapping[str, Any]] = {
    "basic": BASIC,
    "intermediate": INTERMEDIATE,
    "generative": GENERATIVE,
}
SUITED: dict[str, Callable[[str, SignalSpec], bool]] = {
    "phase_randomisation": lambda modality, spec: modality in ("eeg", "emg"),
    "swap_hemispheres": lambda modality, spec: modality == "eeg" and has_homologues(spec.channel_names),
    "rotate_ring": lambda modality, spec: modality == "emg" and is_ring(spec.channel_names),
}
"""Transforms that suit some modalities only."""
PLACING = ("swap_hemispheres", "rotate_ring")
MIXING = ("mixup", "cutmix")
ALIKE = ("shift", "time_warping", "window_slicing", *MIXING)
"""Transforms that treat all modalities of a segment alike, since they share time and label."""
NO_SIGNALS = "features"


@dataclass
class AugmentationConfig:
    """Which copies training segments get, and how many."""

    level: str = field(default="basic", metadata={"help": "basic, intermediate or generative"})
    ratio: int = field(default=2, metadata={"help": "copies of each training segment"})
    transforms: dict | str | None = field(
        default=None,
        metadata={
            "help": 'transforms and their strengths, as JSON: {"jitter": 0.05, "time_warping": null}, null '
            "for the default strength; default: those of the level that suit the modalities"
        },
    )
    n_transforms: int = field(default=2, metadata={"help": "transforms of a copy, drawn at random"})
    generator: str = field(default="cvae", metadata={"help": "generative model: cvae or wgan"})
    generator_options: dict | str | None = field(
        default=None, metadata={"help": "size and training of the generative model, as JSON"}
    )
    seed: int = field(default=0, metadata={"help": "of all that is drawn"})

    def __post_init__(self) -> None:
        self.transforms = as_mapping(self.transforms)
        self.generator_options = as_mapping(self.generator_options)
        problems = []
        if self.level not in LEVELS:
            problems.append(f"level is {self.level!r}; allowed are {list(LEVELS)}")
        if self.generator not in GENERATIVE:
            problems.append(f"generator is {self.generator!r}; allowed are {list(GENERATIVE)}")
        for name in ("ratio", "n_transforms"):
            if getattr(self, name) < 1:
                problems.append(f"{name} is {getattr(self, name)}; allowed are whole numbers from 1")
        known = BASIC | INTERMEDIATE
        unknown = sorted(set(self.transforms) - set(known))
        if unknown:
            problems.append(f"transforms are {unknown}; allowed are {list(known)}")
        if self.transforms and self.level == "generative":
            problems.append("transforms are given, which the generative level has none of; leave them out")
        if self.level != "generative" and (self.generator != "cvae" or self.generator_options):
            problems.append("a generator is given, which the generative level alone has; set level")
        if problems:
            raise ValueError(f"{type(self).__name__}: {'; '.join(problems)}.")
        GenerativeConfig(**self.generator_options)


def suitable(config: AugmentationConfig, specs: Mapping[str, SignalSpec]) -> dict[str, list[str]]:
    """The transforms that copies are made by, and the modalities that each of them suits.

    Raises
    ------
    ValueError
        If a transform that was asked for suits no modality, or there is none that does.
    """
    names = list(as_mapping(config.transforms)) or list(LEVELS[config.level])
    found = {
        name: [
            modality
            for modality, spec in specs.items()
            if modality != NO_SIGNALS and SUITED.get(name, lambda *_: True)(modality, spec)
        ]
        for name in names
    }
    useless = [name for name, modalities in found.items() if not modalities]
    if (useless and config.transforms) or len(useless) == len(found):
        channels = {name: list(spec.channel_names) for name, spec in specs.items()}
        raise ValueError(
            f"the transforms {useless} suit none of the modalities {channels}; phase_randomisation needs eeg "
            "or emg, swap_hemispheres an eeg with 10-20 names in pairs, rotate_ring an emg with channels "
            f"numbered round the arm, and nothing is done to {NO_SIGNALS!r}."
        )
    return {name: modalities for name, modalities in found.items() if modalities}


def augment(
    segments: Segments, config: AugmentationConfig, split: Split, synthesis: Synthesis | None = None
) -> Segments:
    """Copies of training segments, `config.ratio` of each; the segments themselves are not among them.

    A copy has the ids and labels of its segment, ``source`` names the segments that it was made of, and it
    is never ``on_grid``. Of the basic and intermediate level, each copy gets `config.n_transforms`
    transforms, drawn for it; a modality that none of them suits stays as it is. Changes of time are the
    same for all modalities; segments are mixed within a subject's session and with the same labels. Of the
    generative level, a copy is drawn for the emotion and subject of its segment and has no other label.

    Parameters
    ----------
    segments : Segments
        All of the training part of `split`.
    config : AugmentationConfig
    split : Split
    synthesis : Synthesis, optional
        Fitted generators of the generative level; by default they are fitted on `segments`.

    Returns
    -------
    Segments
        ``<segment>/aug0`` of all, then ``<segment>/aug1``, and so on.

    Raises
    ------
    ValueError
        If a segment is not of the training part, a reference window or a copy already; or no transform
        suits.
    """
    _check_segments(segments, split)
    if config.level == "generative" and synthesis is None:
        options = {"seed": config.seed, **as_mapping(config.generator_options)}
        synthesis = Synthesis(config.generator, GenerativeConfig(**options)).fit(segments, progress=False)
    copies = []
    for number in range(config.ratio):
        seed = _seed(config.seed, number, segments.table["segment"].iloc[0])
        if synthesis is None:
            signals, sources = _transformed(segments, config, seed)
            copies.append(_named(segments, signals, sources, number))
        else:
            drawn = synthesis.sample(segments.table, seed)
            copy = _named(segments, drawn, segments.table["segment"].to_list(), number)
            copy.table[[label for label in LABELS if label != "emotion"]] = None
            copies.append(copy)
    return concatenate(copies)


def _check_segments(segments: Segments, split: Split) -> None:
    table = segments.table
    wrong = {
        "are not of the training part": ~split.mask(table, "train"),
        "are reference windows": table["reference"].to_numpy(bool),
        "are augmented copies already": (table["source"] != "").to_numpy(),
    }
    problems = [
        f"{rows.sum()} {what}, such as {table['segment'][rows].tolist()[:3]}"
        for what, rows in wrong.items()
        if rows.any()
    ]
    if problems or not len(table):
        raise ValueError(
            f"of {len(table)} segments {'; '.join(problems) or 'there is none'}; allowed are one or more "
            "real segments of the training part. Take those of split.mask(table, 'train') but references."
        )


def _seed(*parts: Any) -> int:
    """A seed that follows from what is augmented, whatever was augmented before it."""
    return int(content_hash(list(parts)), 16) % 2**62


def _named(segments: Segments, signals: dict, sources: list[str], number: int) -> Segments:
    table = segments.table.copy()
    table["source"] = sources
    table["segment"] += f"/aug{number}"
    table["on_grid"] = False
    return Segments(signals, table, segments.specs)


def _transformed(segments: Segments, config: AugmentationConfig, seed: int) -> tuple[dict, list[str]]:
    """Signals of one copy of each segment, and the ids of what it was made of."""
    import torch

    plan = suitable(config, segments.specs)
    rng = np.random.default_rng(seed)
    order = rng.random((len(segments), len(plan))).argsort(axis=1)
    signals = {name: torch.tensor(data) for name, data in segments.signals.items()}
    made_of = [(name,) for name in segments.table["segment"]]
    kinds = torch.as_tensor(_kinds(segments.table))
    for k, (name, modalities) in enumerate(plan.items()):
        rows = torch.as_tensor(np.flatnonzero((order[:, : config.n_transforms] == k).any(axis=1)))
        partner = _apply(name, signals, rows, kinds, modalities, segments, config, _seed(seed, name))
        if partner is not None:
            made_of = _joined(made_of, rows.tolist(), rows[partner].tolist())
    return {name: data.numpy() for name, data in signals.items()}, ["+".join(ids) for ids in made_of]


def _kinds(table: pd.DataFrame) -> np.ndarray:
    """Segments of one subject, session and label have the same number: only they are mixed."""
    by = ["dataset", "subject", "session", *LABELS]
    return table.groupby(by, dropna=False, sort=False).ngroup().to_numpy(np.int64)


def _apply(
    name: str,
    signals: dict[str, torch.Tensor],
    rows: torch.Tensor,
    kinds: torch.Tensor,
    modalities: list[str],
    segments: Segments,
    config: AugmentationConfig,
    seed: int,
) -> torch.Tensor | None:
    """Change some rows of the modalities in place; returns the partners of a mixing transform."""
    import torch

    strength = as_mapping(config.transforms).get(name)
    options: dict[str, Any] = {} if strength is None else {"strength": strength}
    partner = None
    for number, modality in enumerate(modalities if len(rows) else []):
        generator = torch.Generator().manual_seed(seed + (0 if name in ALIKE else number))
        if name in PLACING:
            options["channel_names"] = segments.specs[modality].channel_names
        if name in MIXING:
            options["kinds"] = kinds[rows]
        changed = (BASIC | INTERMEDIATE)[name](signals[modality][rows], generator, **options)
        if name in MIXING:
            changed, partner, _ = changed
        signals[modality][rows] = changed
    return partner


def _joined(made_of: list[tuple], rows: list[int], partners: list[int]) -> list[tuple]:
    """Add to what each row was made of what its partner was."""
    joined = list(made_of)
    for row, other in zip(rows, partners, strict=True):
        joined[row] = tuple(dict.fromkeys(made_of[row] + made_of[other]))
    return joined
