"""What `biollm ablate` varies: each variant is a name and what it changes in the settings of `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from biollm.experiment import EvaluateConfig
from biollm.llm_readouts import READOUTS
from data_builders.options import as_mapping, merged

__all__ = ["DEFAULT", "VARIANTS", "Variant", "changed", "chosen_variants"]

DEFAULT = "default"
MERGED = ("tokenizer", "build", "training", "finetune")
"""Settings that are mappings: a variant changes single keys of them."""
OF_THE_ENCODER = ("encoder", "frame_seconds", "features")
"""Settings of the tokenizer that another encoder comes of."""
SHARED = (
    "store", "out", "protocol", "split", "artefact", "targets", "seeds", "once", "groups", "part", "jobs"
)  # fmt: skip
"""Settings that all variants share."""


@dataclass(frozen=True)
class Variant:
    """One difference to the default.

    Parameters
    ----------
    group : str
        What is varied: variants of one group stand together in the table.
    changes : mapping
        Fields of `EvaluateConfig`; of mappings, only the keys that change.
    own_head : bool
        Whether the encoder's head is a row of its own: where the tokens come from another encoder than the
        default's.
    """

    group: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    own_head: bool = False


def _rows(init: str, trained: bool) -> Variant:
    return Variant("rows of new tokens", {"finetune": {"token_init": init, "train_tokens": trained}})


def _encoder(group: str, **settings: Any) -> Variant:
    return Variant(group, {"tokenizer": {"encoder": settings}}, own_head=True)


VARIANTS: dict[str, Variant] = {
    DEFAULT: Variant("default", {"readouts": list(READOUTS)}, own_head=True),
    "words": Variant("signal mode", {"signal_mode": "words"}),
    "digits": Variant("signal mode", {"signal_mode": "digits"}),
    "random rows, trained": _rows("random", True),
    "mean rows, trained": _rows("mean", True),
    "codebook rows, frozen": _rows("codebook", False),
    "random rows, frozen": _rows("random", False),
    "mean rows, frozen": _rows("mean", False),
    "residual VQ": _encoder("source", quantizer="rvq"),
    "FSQ": _encoder("source", quantizer="fsq"),
    "scalar codes": _encoder("source", quantizer="scalar"),
    "k-means": _encoder("source", quantizer="kmeans"),
    "codes alone": Variant("source", {"sources": ["codes"]}),
    "bins alone": Variant("source", {"sources": ["bins"]}),
    "codes and bins in two prompts": Variant("source", {"sources": ["codes", "bins"]}),
    "codes of signals": _encoder("source", reads="signals", beside=[]),
    "codes of signals and features": _encoder("source", reads="both", beside=[]),
    "codes of features": _encoder("source", reads="features", beside=[]),
    "16 bins": Variant("source", {"tokenizer": {"n_bins": 16}}),
    "reconstruction codebook": _encoder("codebook's objective", objective="reconstruction"),
    "supervised and reconstruction": _encoder("codebook's objective", objective="both"),
    "label-contrastive codebook": _encoder("codebook's objective", objective="contrastive"),
    "with levels": Variant("alignment", {"sources": ["codes+levels", "bins+levels"]}),
    "with levels, aligned": Variant(
        "alignment",
        {
            "sources": ["codes+levels", "bins+levels"],
            "alignment": {"tasks": {"describe": 1}, "n_conversations": 1600, "copies": 2, "max_steps": 100},
        },
    ),
    "label smoothing": Variant("teaching", {"training": {"label_smoothing_factor": 0.1}}),
    "classes as they come": Variant("teaching", {"build": {"balanced": False}}),
    "all answer forms": Variant("teaching", {"build": {"answer_forms": None}}),
    "rank 4": Variant("LoRA", {"finetune": {"lora_r": 4, "lora_alpha": 8}}),
    "rank 64": Variant("LoRA", {"finetune": {"lora_r": 64, "lora_alpha": 128}}),
    "learning rate 5e-4": Variant("LoRA", {"training": {"learning_rate": 5e-4}}),
    "learning rate 5e-3": Variant("LoRA", {"training": {"learning_rate": 5e-3}}),
    "300 steps": Variant("LoRA", {"training": {"max_steps": 300}}),
}
"""Name of a variant -> what it changes."""


def chosen_variants(names: Sequence[str], own: Mapping[str, Mapping[str, Any]]) -> dict[str, Variant]:
    """The variants of some names and groups, with one's own, behind the default.

    Parameters
    ----------
    names : sequence of str
        "all", names or groups.
    own : mapping of str to mapping
        Variants of one's own: name -> changes.

    Raises
    ------
    ValueError
        If a name is unknown, or one's own is taken, has ': ' in it or changes no mapping.
    """
    wrong = [name for name, made in own.items() if ": " in name or not isinstance(made, Mapping)]
    if wrong:
        raise ValueError(f"own holds {wrong}; allowed are names without ': ', each with settings to change.")
    groups = list(dict.fromkeys(variant.group for variant in VARIANTS.values()))
    unknown = [name for name in names if name not in (*VARIANTS, *own, *groups, "all")]
    taken = sorted(set(own) & set(VARIANTS))
    if unknown or taken:
        raise ValueError(
            f"unknown variants {unknown}, taken names {taken}; allowed are 'all', the groups {groups} and "
            f"{list(VARIANTS)}."
        )
    kept = {n: v for n, v in VARIANTS.items() if n == DEFAULT or {"all", n, v.group} & set(names)}
    return kept | {
        name: Variant("own", changes, _fits_another_encoder(changes)) for name, changes in own.items()
    }


def _fits_another_encoder(changes: Mapping[str, Any]) -> bool:
    tokenizer = as_mapping(changes.get("tokenizer"))
    return "normalisation" in changes or not tokenizer.keys().isdisjoint(OF_THE_ENCODER)


def changed(config: EvaluateConfig, variant: Variant) -> EvaluateConfig:
    """The settings of `evaluate` with a variant's changes.

    Raises
    ------
    ValueError
        If a change is of no setting, or of one that all variants share.
    """
    settings = {f.name: getattr(config, f.name) for f in fields(EvaluateConfig)}
    allowed = sorted(set(settings) - set(SHARED))
    unknown = sorted(set(variant.changes) - set(allowed))
    if unknown:
        raise ValueError(f"changes {unknown}, which no variant can; allowed are {allowed}.")
    if flat := [n for n, made in variant.changes.items() if n in MERGED and not isinstance(made, Mapping)]:
        raise ValueError(f"changes {flat} to what is no mapping; allowed are keys with values.")
    for name, value in variant.changes.items():
        settings[name] = merged(as_mapping(settings[name]), value) if name in MERGED else value
    return EvaluateConfig(**settings)
