"""What an encoder is: its network, what it reads, its codes, and the encoders beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

__all__ = ["OF_THE_MACHINE", "READS", "EncoderConfig"]

READS = ("signals", "features", "both")
SAME_FOR_ALL = ("targets", "normalisation", "beside")
"""Fields that encoders beside another do not have of their own."""
OF_THE_MACHINE = ("use_cpu", "report_to")
"""Fields of their training that they do not have either."""


@dataclass
class EncoderConfig:
    """An encoder network, what it reads, how its frames are quantized, what it is taught, and how.

    `network`, `network_options` and `dim` may be mappings by stream, with ``default`` for the rest.

    Encoders `beside` this one are fitted each by itself and from a seed of its own, on the same segments and
    targets: answers are averaged, and each writes its own codes. An entry holds the fields in which the
    encoder differs, each whole; another `network` has no `network_options` but those that stand beside it.
    """

    network: str | dict = "cnn"  # a name of encoders.networks.ENCODERS
    network_options: dict = field(default_factory=dict)  # of the network's class
    reads: str = "signals"  # signals, features (hand-made, as a stream of one sample), or both
    amplitude_copies: bool = True  # of EMG and EEG channels, log-rectified, beside them
    quantizer: str | None = "vq"  # vq, rvq, kmeans, fsq, scalar, or None for heads on the frames themselves
    quantizer_options: dict = field(default_factory=dict)  # of the quantizer's class
    objective: str | dict = "supervised"  # or reconstruction, both, contrastive, or weights of the three
    targets: list[str] = field(default_factory=lambda: ["emotion"])  # and valence, arousal, transition
    normalisation: str = "subject"  # subject, recording (transductive), baseline (causal), none
    dim: int | dict = 64  # size of a frame's vector
    fusion: list[int] = field(default_factory=list)  # widths of dense layers between streams and heads
    dropout: float = 0.3  # before each dense layer and the heads
    pooling: str = "attention"  # attention, mean or last
    training: dict = field(default_factory=dict)  # of TrainingConfig
    beside: list[dict] = field(default_factory=list)  # further encoders: the fields in which each differs

    def __post_init__(self) -> None:
        _check_reads("EncoderConfig", self.reads)
        if not isinstance(self.beside, list):
            raise ValueError(
                f"EncoderConfig: beside is {self.beside!r}; allowed is a list of mappings, one an encoder."
            )
        for k, changes in enumerate(self.beside):
            self._check_entry(f"EncoderConfig: beside[{k}]", changes)

    def _check_entry(self, name: str, changes: Mapping) -> None:
        if not isinstance(changes, Mapping):
            raise ValueError(f"{name} is {changes!r}; allowed is a mapping of fields.")
        allowed = [one.name for one in fields(self) if one.name not in SAME_FOR_ALL]
        if unknown := sorted(set(changes) - set(allowed)):
            raise ValueError(f"{name} has {unknown}; allowed are {allowed}.")
        training = changes.get("training", {})
        if not isinstance(training, Mapping):
            raise ValueError(f"{name}: training is {training!r}; allowed is a mapping of fields.")
        if fixed := sorted(set(training) & set(OF_THE_MACHINE)):
            raise ValueError(f"{name}: training has {fixed}; give them to the first encoder's, for all.")
        if (changes.get("quantizer", self.quantizer) is None) != (self.quantizer is None):
            raise ValueError(f"{name}: some encoders have a quantizer and some none; give it to all or none.")
        _check_reads(name, changes.get("reads", self.reads))

    def each(self) -> list[EncoderConfig]:
        """This encoder, and those beside it."""
        own = replace(self, beside=[])
        return [own, *(replace(own, **self._entry(changes)) for changes in self.beside)]

    def _entry(self, changes: Mapping) -> dict:
        """All fields in which an encoder beside this one differs."""
        given = {"network_options": {}, **changes} if "network" in changes else dict(changes)
        fixed = {name: self.training[name] for name in OF_THE_MACHINE if name in self.training}
        return {**given, "training": {**given.get("training", self.training), **fixed}}

    @property
    def read_by_any(self) -> str:
        """What this encoder and those beside it read together: signals, features or both."""
        reads = {one.reads for one in self.each()}
        return reads.pop() if len(reads) == 1 else "both"


def _check_reads(name: str, reads: str) -> None:
    if reads not in READS:
        raise ValueError(f"{name}: reads is {reads!r}; allowed are {list(READS)}.")
