"""Options of the stage ``finetune`` beside the trainer's own."""

from __future__ import annotations

from dataclasses import dataclass, field

from biollm.base_model import TOKEN_INITS

__all__ = ["FinetuneConfig"]


@dataclass
class FinetuneConfig:
    """ShareGPT conversations -> LoRA adapter, in an artefact folder."""

    dataset_path: str = field(
        default="runs/conversations", metadata={"help": "folder that 'biollm build' wrote"}
    )
    out: str = field(default="runs/artefact", metadata={"help": "folder to write the artefact to"})
    model_name_or_path: str = field(
        default="nano", metadata={"help": "base: nano (embedded), a hub id or a folder"}
    )
    load_in_4bit: bool = field(
        default=True, metadata={"help": "nf4 weights through bitsandbytes, on CUDA or CPU"}
    )
    lora_r: int = field(default=16, metadata={"help": "LoRA rank"})
    lora_alpha: int = field(default=32, metadata={"help": "LoRA scale is lora_alpha / lora_r"})
    lora_dropout: float = field(default=0.0, metadata={"help": "dropout in front of the LoRA matrices"})
    token_init: str = field(
        default="codebook",
        metadata={
            "help": "what the rows of new tokens start from: codebook, random or mean (of the old rows)"
        },
    )
    train_tokens: bool = field(
        default=True, metadata={"help": "train the rows of new tokens; else they stay as they start"}
    )
    adapter: str | None = field(
        default=None,
        metadata={"help": "artefact to go on from, made with the same signal tokenizer: an alignment stage"},
    )

    def __post_init__(self) -> None:
        if self.token_init not in TOKEN_INITS:
            raise ValueError(
                f"FinetuneConfig: token_init is {self.token_init!r}; allowed are {list(TOKEN_INITS)}."
            )
