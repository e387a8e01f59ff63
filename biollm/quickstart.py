"""Stage ``quickstart``: the whole way on the simulated set and the embedded base."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from biollm.building import build
from biollm.chat import ChatConfig, chat
from biollm.cli import read_recipe
from biollm.experiment import evaluate
from biollm.finetuning import finetune
from data_builders.preparing import PrepareConfig, make_reader, prepare
from data_builders.recording import save_recording
from data_builders.splits import Split
from data_builders.store import SegmentStore
from encoders.trainer import train_encoder

__all__ = ["QuickstartConfig", "quickstart"]

RECIPE = "quickstart"


@dataclass
class QuickstartConfig:
    """Simulated recordings -> tokens -> conversations -> LoRA -> table -> chat."""

    out: str = field(default="runs/quickstart", metadata={"help": "folder to write to"})
    jobs: int = field(default=1, metadata={"help": "processes that evaluate; each takes about 1 GB"})

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError(f"QuickstartConfig: jobs is {self.jobs}; allowed is 1 or more.")


def quickstart(config: QuickstartConfig) -> None:
    """Run every stage on the recipe ``quickstart``; what is there already is not made again."""
    out = Path(config.out)
    _say(1, "simulated recordings -> segments")
    preparing = replace(read_recipe(RECIPE, "prepare"), out=str(out / "store"))
    prepare(preparing)
    _say(2, "segments -> subject-disjoint split, signal tokenizer")
    store = {"store": str(out / "store")}
    train_encoder(replace(read_recipe(RECIPE, "train-encoder"), **store, out=str(out / "signal_tokenizer")))
    _say(3, "segments -> ShareGPT conversations")
    tokenizer = {"signal_tokenizer": str(out / "signal_tokenizer")}
    build(replace(read_recipe(RECIPE, "build"), **store, **tokenizer, out=str(out / "conversations")))
    _say(4, "LoRA fine-tuning of the embedded base in 4-bit")
    tuning, training = read_recipe(RECIPE, "finetune")
    paths = {"dataset_path": str(out / "conversations"), "out": str(out / "artefact")}
    finetune(replace(tuning, **paths), training)
    _say(5, "baselines, controls and the LLM on the held-out subjects")
    split = out / "signal_tokenizer" / "split.json"
    evaluate(
        replace(
            read_recipe(RECIPE, "evaluate"),
            **store,
            split=str(split),
            artefact=[str(out / "artefact")],
            out=str(out / "evaluation"),
            jobs=config.jobs,
        )
    )
    _say(6, "a question about a recording of a held-out subject")
    recording = _held_out_recording(preparing, Split.load(split), out)
    question = "Which emotion does this recording show?"
    print(f"> {question}")
    chat(ChatConfig(artefact=[str(out / "artefact")], recording=str(recording), ask=question))
    print(_next_steps(out, recording))


def _say(step: int, what: str) -> None:
    print(f"\n[{step}/6] {what}", flush=True)


def _held_out_recording(preparing: PrepareConfig, split: Split, out: Path) -> Path:
    reader = make_reader(preparing.dataset, preparing.root, preparing.reader_options)
    table = SegmentStore(preparing.out).table
    subject = table.loc[split.mask(table, "test"), "subject"].min()
    return save_recording(reader.read(subject), out / f"{subject}.npz")


def _next_steps(out: Path, recording: Path) -> str:
    return f"""
written  {out}/artefact                 the tuned model with its signal tokenizer
         {out}/conversations            what it learned from, as ShareGPT
next     biollm chat --artefact {out}/artefact --recording {recording}
         biollm prepare --dataset noneeg --root FOLDER --out runs/noneeg
         biollm evaluate --config noneeg --store runs/noneeg --out runs/noneeg-results"""
