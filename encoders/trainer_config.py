"""What ``biollm train-encoder`` is told: one dataclass, checked whole, and how its parts are put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from data_builders.normalisation import NORMALISATIONS
from data_builders.options import as_mapping, merged
from encoders.encoder_config import OF_THE_MACHINE, READS, EncoderConfig
from encoders.signal_tokenizer import SignalTokenizerConfig
from encoders.targets import TARGETS
from encoders.trackers import tracker_problems
from encoders.training_config import LENGTHS, TrainingConfig, of_length

__all__ = [
    "TrainEncoderConfig", "beside_problems", "full_settings", "recipe", "tokenizer_config",
    "training_problems",
]  # fmt: skip


@dataclass
class TrainEncoderConfig:
    """Store and split -> encoder and signal tokenizer, fitted on the training part, scored on the test part.

    Settings that are named more closely win: `training` over `encoder` over `tokenizer`, and the fields
    beside them over all three. What nobody names is as the network's system (`encoders.presets`) has it.
    """

    store: str = field(default="runs/store", metadata={"help": "folder that 'biollm prepare' wrote"})
    out: str = field(
        default="runs/signal_tokenizer",
        metadata={"help": "run folder to write to; until it is whole its place is OUT.partial"},
    )
    split: str | None = field(
        default=None, metadata={"help": "split.json, or folder of 'biollm split', to use instead of protocol"}
    )
    protocol: str = field(
        default="holdout",
        metadata={"help": "holdout (a quarter of the subjects), gkfN, loso, ...: see 'biollm split --help'"},
    )
    fold: int = field(default=0, metadata={"help": "fold of the protocol or of the folder of splits"})
    network: str | None = field(
        default=None, metadata={"help": "cnn, tcn, bigru, gru_xnet, ...: a system of encoders.presets"}
    )
    targets: list[str] = field(
        default_factory=list,
        metadata={"help": "emotion (default), valence, arousal, transition: any of them"},
    )
    normalisation: str | None = field(
        default=None,
        metadata={"help": "subject (default) or recording (transductive), baseline (causal) or none"},
    )
    frame_seconds: float | None = field(
        default=None, metadata={"help": "seconds a frame and code (2); by stream in the tokenizer's mapping"}
    )
    preset: str = field(
        default="full",
        metadata={"help": "full, or quick: a third of the epochs, unless the settings name them"},
    )
    tokenizer: dict | str | None = field(
        default=None, metadata={"help": "fields of SignalTokenizerConfig: a mapping in YAML, JSON as a flag"}
    )
    encoder: dict | str | None = field(
        default=None, metadata={"help": "network_options (stft, heads, ...), dim, quantizer of EncoderConfig"}
    )
    training: dict | str | None = field(
        default=None, metadata={"help": "epochs, batch_size, learning_rate, ... of TrainingConfig"}
    )
    report_to: list[str] = field(
        default_factory=list, metadata={"help": "trackers that log each epoch: tensorboard, wandb, ..."}
    )
    seed: int = field(default=0, metadata={"help": "of the split, the weights and the training"})
    jobs: int = field(default=1, metadata={"help": "processes that compute features"})

    def __post_init__(self) -> None:
        for name in ("tokenizer", "encoder", "training"):
            setattr(self, name, as_mapping(getattr(self, name)))
        problems = list(_problems(self))
        if problems:
            raise ValueError("TrainEncoderConfig:\n" + "\n".join(f"  {problem}" for problem in problems))


def tokenizer_config(config: TrainEncoderConfig) -> SignalTokenizerConfig:
    """The signal tokenizer's settings, the encoder's and the training's inside, as far as they are named."""
    settings = as_mapping(config.tokenizer)
    given = {"normalisation": config.normalisation, "frame_seconds": config.frame_seconds}
    settings |= {name: value for name, value in given.items() if value is not None}
    if settings.get("encoder", {}) is not None:
        settings["encoder"] = _encoder(config, settings.get("encoder", {}))
    return SignalTokenizerConfig(**settings)


def _encoder(config: TrainEncoderConfig, inner: Mapping[str, Any]) -> dict[str, Any]:
    given = {**inner, **as_mapping(config.encoder)}
    training = {**inner.get("training", {}), **given.get("training", {}), **as_mapping(config.training)}
    if config.report_to:
        training["report_to"] = config.report_to
    system = _system(config.network) if config.network else {}
    named = {"network": system["network"]} if config.network else {}
    if config.targets:
        named["targets"] = config.targets
    options = merged(system.get("network_options", {}), given.get("network_options", {}))
    settings = {**system, **given, **named, "network_options": options}
    settings["training"] = {**of_length(system.get("training", {}), config.preset), **training}
    if isinstance(settings.get("beside"), list):
        settings["beside"] = [_of_preset(entry, config.preset) for entry in settings["beside"]]
    return {name: value for name, value in settings.items() if value != {}}


def _of_preset(entry: Any, preset: str) -> Any:
    """An encoder beside whose training is its own, with the epochs of the preset unless it names them."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("training"), Mapping):
        return entry
    return {**entry, "training": {**of_length({}, preset), **entry["training"]}}


def _system(network: str) -> Mapping[str, Any]:
    from encoders.presets import PRESETS

    return PRESETS[network]


def full_settings(config: TrainEncoderConfig) -> dict[str, Any]:
    """All fields with their values, of the nested ones too: what makes the same run again.

    The seed of the training stays out of it unless it is named, since it is the run's own.
    """
    made = tokenizer_config(config)
    content = asdict(config) | {"tokenizer": asdict(made) | {"encoder": None}}
    if made.encoder is None:
        return content
    encoder = asdict(EncoderConfig(**{**made.encoder, "normalisation": made.normalisation}))
    training = asdict(TrainingConfig(**encoder.pop("training")))
    if "seed" not in made.encoder.get("training", {}):
        del training["seed"]
    for entry in encoder["beside"]:
        if "training" in entry:
            entry["training"] = _own_training(entry["training"])
    del encoder["normalisation"], content["tokenizer"]["encoder"]
    return content | {"encoder": encoder, "report_to": training.pop("report_to"), "training": training}


def _own_training(training: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of the training of an encoder beside, but those that it has of the first."""
    left_out = {*OF_THE_MACHINE, *({"seed"} - set(training))}
    return {k: v for k, v in asdict(TrainingConfig(**training)).items() if k not in left_out}


def recipe(config: TrainEncoderConfig) -> str:
    """A YAML file that makes the same run again, whatever the defaults will be."""
    import yaml

    content = yaml.safe_dump({"train-encoder": full_settings(config)}, sort_keys=False)
    return f"# biollm train-encoder --config THIS_FILE\n{content}"


def _problems(config: TrainEncoderConfig) -> Iterator[str]:
    for name, least in (("fold", 0), ("jobs", 1)):
        if getattr(config, name) < least:
            yield f"{name} is {getattr(config, name)}; allowed are whole numbers from {least}."
    tokenizer = as_mapping(config.tokenizer)
    yield from _choice("preset", config.preset, LENGTHS)
    normalisation = config.normalisation or tokenizer.get("normalisation")
    yield from _choice("normalisation", normalisation, NORMALISATIONS)
    yield from _unknown("tokenizer", tokenizer, SignalTokenizerConfig)
    if tokenizer.get("encoder", {}) is None:
        names = ("network", "targets", "preset", "encoder", "training", "report_to")
        named = [name for name in names if getattr(config, name) not in (None, [], {}, "full")]
        if named:
            yield f"tokenizer says encoder: null, but {named} are set; leave one of the two out."
    else:
        yield from _encoder_problems(config, tokenizer.get("encoder", {}))


def _encoder_problems(config: TrainEncoderConfig, inner: Mapping[str, Any]) -> Iterator[str]:
    own = as_mapping(config.encoder)
    yield from _choice("network", config.network, _systems(config))
    given = {**inner, **own}
    yield from _choice("reads", given.get("reads"), READS)
    for target in config.targets or given.get("targets", []):
        yield from _choice("targets", target, TARGETS)
    yield from _unknown("tokenizer.encoder", inner, EncoderConfig)
    yield from _unknown("encoder", own, EncoderConfig)
    parts = {
        "tokenizer.encoder.training": inner.get("training", {}),
        "encoder.training": own.get("training", {}),
        "training": as_mapping(config.training),
    }
    yield from training_problems(parts)
    yield from beside_problems(given)
    named = [
        part["report_to"] for part in parts.values() if isinstance(part, Mapping) and "report_to" in part
    ]
    yield from tracker_problems(config.report_to or (named[-1] if named else []))


def beside_problems(encoder: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the encoders beside one, given as a mapping of the fields of its config."""
    entries = encoder.get("beside", [])
    try:
        EncoderConfig(quantizer=encoder.get("quantizer", EncoderConfig.quantizer), beside=entries)
    except ValueError as error:
        yield str(error).removeprefix("EncoderConfig: ")
        return
    for k, changes in enumerate(entries):
        yield from training_problems({f"beside[{k}].training": changes.get("training", {})})


def training_problems(parts: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with settings of a training, given in parts by the names they have for the user."""
    wrong = {name: part for name, part in parts.items() if not isinstance(part, Mapping)}
    shapeless = [f"{name}: got {part!r}; allowed are keys with values." for name, part in wrong.items()]
    unknown = shapeless or [p for name, part in parts.items() for p in _unknown(name, part, TrainingConfig)]
    yield from unknown
    if not unknown:
        try:
            TrainingConfig(**{key: value for part in parts.values() for key, value in part.items()})
        except ValueError as error:
            yield str(error)


def _systems(config: TrainEncoderConfig) -> Iterable[str]:
    if config.network is None:
        return ()  # the networks need torch, which takes a second to import
    from encoders.presets import PRESETS

    return PRESETS


def _choice(name: str, given: Any, allowed: Iterable[str]) -> list[str]:
    if given is None or given in allowed:
        return []
    return [f"{name}: got {given!r}; allowed are {sorted(allowed)}."]


def _unknown(name: str, given: Mapping[str, Any], config: type) -> list[str]:
    # The encoder's normalisation is the tokenizer's, which sets it.
    known = [f.name for f in fields(config) if (config, f.name) != (EncoderConfig, "normalisation")]
    return [f"{name}: got the key {key!r}; allowed are {known}." for key in given if key not in known]
