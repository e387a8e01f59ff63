"""Stage ``finetune``: LoRA on a 4-bit base and trained rows for the signal tokens, through TRL."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trl import SFTConfig

from biollm.artefact import ArtefactCard, save_artefact
from biollm.artefact import read_card as read_artefact_card
from biollm.base_model import (
    add_signal_tokens,
    base_identity,
    fingerprint,
    initial_vectors,
    load_base_model,
    load_text_tokenizer,
)
from biollm.building import read_card
from biollm.finetune_config import FinetuneConfig
from biollm.provenance import source_hash
from data_builders.sharegpt import (
    Roles,
    check_token_lengths,
    read_sharegpt,
    to_prompt_completions,
    token_lengths,
)
from data_builders.stage import close_stage, folder_hash, locked, open_stage, read_stamp
from encoders.signal_tokenizer import SignalTokenizer

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

__all__ = ["FinetuneConfig", "FinetuneTraining", "finetune", "with_lora"]


SETTLED = {
    "assistant_only_loss": (False, "rows come with their masks, and answers alone are trained as it is"),
    "eval_strategy": (
        "no",
        "nothing is held out here; 'biollm evaluate' scores the artefact on test subjects",
    ),
    "save_only_model": (False, "a stopped run goes on with the state of its optimizer"),
}
"""Options of TRL that say what is settled here: their one value, and why."""


@dataclass
class FinetuneTraining(SFTConfig):
    """TRL's SFTConfig; defaults that reached the encoders on small data sets."""

    output_dir: str | None = field(
        default=None, metadata={"help": "not used: checkpoints are kept beside `out`"}
    )
    max_steps: int = field(
        default=150, metadata={"help": "optimizer steps, -1 for num_train_epochs; over-fits from about 1,000"}
    )
    per_device_train_batch_size: int = field(default=16, metadata={"help": "conversations a step and device"})
    learning_rate: float = field(default=2e-3, metadata={"help": "highest learning rate of AdamW"})
    lr_scheduler_type: str = field(default="cosine", metadata={"help": "schedule after the warm-up"})
    warmup_steps: float = field(
        default=0.05, metadata={"help": "steps, or share of all steps, of the warm-up"}
    )
    weight_decay: float = field(default=0.01, metadata={"help": "of AdamW"})
    logging_steps: float = field(default=20, metadata={"help": "steps between two logged losses"})
    save_steps: float = field(default=100, metadata={"help": "steps between two checkpoints to resume from"})
    save_total_limit: int | None = field(default=1, metadata={"help": "checkpoints kept"})
    gradient_checkpointing: bool | None = field(
        default=None, metadata={"help": "less memory, a third more time"}
    )  # type: ignore[assignment]
    report_to: str = field(default="none", metadata={"help": "tensorboard, wandb, ..."})  # type: ignore[assignment]

    def __post_init__(self) -> None:
        import torch

        # bfloat16 is asked for by default; the trainer accepts it without a GPU only when told.
        self.use_cpu = self.use_cpu or not torch.cuda.is_available()
        super().__post_init__()
        for name, (allowed, why) in SETTLED.items():
            if getattr(self, name) != allowed:
                raise ValueError(
                    f"FinetuneTraining: {name} is {getattr(self, name)!r}; allowed is {allowed!r}: {why}."
                )
        if self.max_steps > 0 and self.num_train_epochs != SFTConfig.num_train_epochs:
            raise ValueError(
                f"FinetuneTraining: num_train_epochs is {self.num_train_epochs}, which max_steps "
                f"{self.max_steps} would override; give max_steps -1 with it."
            )


WITHOUT_EFFECT = {
    "disable_tqdm", "hub_model_id", "hub_token", "logging_steps", "push_to_hub", "report_to", "run_name",
    "save_steps", "save_total_limit",
}  # fmt: skip
"""Options that do not shape the weights: another value of them is no other run, and a token is no record."""


def finetune(config: FinetuneConfig, training: FinetuneTraining, progress: bool = True) -> Path:
    """Fine-tune a base on conversations, or leave the artefact that is there for the same inputs.

    An interrupted run goes on from its last checkpoint. Under ``accelerate launch`` every process
    trains, and the main one writes.

    Raises
    ------
    ValueError
        If a conversation does not fit into ``max_length`` or would train nothing, or the conversations were
        built by a version of biollm whose cards say less.
    """
    from accelerate import PartialState

    card, state = read_card(config.dataset_path), PartialState()
    chosen = {k: v for k, v in asdict(training).items() if k not in WITHOUT_EFFECT and not k.endswith("dir")}
    data_key = read_stamp(config.dataset_path, "build")["key"]
    base = base_identity(config.model_name_or_path)
    inputs = {
        "config": asdict(config) | {"out": None}, "training": chosen, "data": data_key, "base": base,
        "source": source_hash(),
    }  # fmt: skip
    if config.adapter:
        inputs["adapter"] = read_stamp(config.adapter, "finetune")["key"]
    with locked(config.out, state.is_main_process):
        with state.main_process_first():
            partial = open_stage("finetune", config.out, inputs)
        if partial is None:
            return Path(config.out)
        model, tokenizer, made = _prepare(config, card, training.seed)
        dataset = _training_rows(config, card, tokenizer, training.max_length)
        _train(model, tokenizer, dataset, training, partial / "checkpoints", progress)
        state.wait_for_everyone()
        if state.is_main_process:
            _finish(model, tokenizer, made, config, partial)
            close_stage("finetune", partial, config.out)
        state.wait_for_everyone()
    return Path(config.out)


def with_lora(
    model: PreTrainedModel, config: FinetuneConfig, token_ids: list[int], seed: int = 0
) -> PeftModel:
    """Wrap a base: LoRA on all linear layers, and the rows of `token_ids` trained in the embedding."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    set_seed(seed)
    name = next(n for n, m in model.named_modules() if m is model.get_input_embeddings()).rpartition(".")[2]
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear",
        trainable_token_indices={name: token_ids} if token_ids else None,
    )
    return _with_head_bias(get_peft_model(model, lora))


def _with_head_bias(wrapped: PeftModel) -> PeftModel:
    """On tied embeddings PEFT wraps the head too and hides all but its weight; TRL's loss reads the bias."""
    head = wrapped.get_output_embeddings()
    if not hasattr(head, "bias"):
        head.bias = getattr(head.original_module, "bias", None)
    return wrapped


def _prepare(config: FinetuneConfig, card: dict, seed: int) -> tuple[Any, Any, ArtefactCard]:
    tokenizer = load_text_tokenizer(config.model_name_or_path)
    model = load_base_model(config.model_name_or_path, config.load_in_4bit)
    signals = SignalTokenizer.from_pretrained(Path(config.dataset_path) / "signal_tokenizer")
    base = fingerprint(model)
    tokens, vectors = signals.vocabulary(card["sources"])
    start = _stage_before(config, card, tokens, base) if config.adapter else None
    token_init, token_seed = (start.token_init, start.token_seed) if start else (config.token_init, seed)
    about = {"base_fingerprint": base, "token_init": token_init, "token_seed": token_seed}
    rows = initial_vectors(vectors, token_init, token_seed)
    ids = add_signal_tokens(model, tokenizer, tokens, rows, token_seed)
    if start:
        _check_same_adapter(config, token_init, len(ids))
        wrapped = _adapted(model, str(config.adapter))
    else:
        wrapped = with_lora(model, config, ids if config.train_tokens else [], seed)
    wrapped.peft_config["default"].base_model_name_or_path = config.model_name_or_path
    about |= {"signal_tokens": tokens, **card}
    return wrapped, tokenizer, ArtefactCard.from_build(about, config, start)


def _stage_before(config: FinetuneConfig, card: dict, tokens: list[str], base: str) -> ArtefactCard:
    """The card of the artefact to go on from.

    Raises
    ------
    ValueError
        If it was made on another base or split, or with another signal tokenizer or other signal tokens.
    """
    before = read_artefact_card(str(config.adapter))[0]
    found = {
        "base_fingerprint": base,
        "signal_tokenizer_hash": folder_hash(Path(config.dataset_path) / "signal_tokenizer"),
        "signal_tokens": tokens,
        "split_hash": card["split_hash"],
    }
    wrong = [name for name, value in found.items() if getattr(before, name) != value]
    if wrong:
        raise ValueError(
            f"{config.adapter}: its {' and '.join(wrong)} differ from those of {config.dataset_path} on "
            f"{config.model_name_or_path}; both stages need one base, one signal tokenizer, sources of the "
            "same tokens and the same split."
        )
    return before


def _check_same_adapter(config: FinetuneConfig, token_init: str, n_tokens: int) -> None:
    """An adapter that is gone on from keeps its shape: other settings would have no effect.

    Raises
    ------
    ValueError
        With all settings that differ.
    """
    from peft import PeftConfig

    before: Any = PeftConfig.from_pretrained(str(config.adapter))
    known = {"lora_r": before.r, "token_init": token_init}
    known |= {name: getattr(before, name) for name in ("lora_alpha", "lora_dropout")}
    known["train_tokens"] = bool(before.trainable_token_indices) or not n_tokens
    wrong = {name: value for name, value in known.items() if getattr(config, name) != value}
    if wrong:
        given = {name: getattr(config, name) for name in wrong}
        raise ValueError(f"{config.adapter}: was made with {wrong}, and {given} is asked for; give the same.")


def _adapted(model: Any, folder: str) -> PeftModel:
    from peft import PeftModel

    wrapped = PeftModel.from_pretrained(model, folder, is_trainable=True)
    return _with_head_bias(wrapped)


def _training_rows(config: FinetuneConfig, card: dict, tokenizer: Any, max_length: int | None) -> Any:
    from datasets import Dataset

    roles = Roles(**card["roles"])
    rows = read_sharegpt(Path(config.dataset_path) / card["file"], roles)
    check_token_lengths(rows, token_lengths(rows, tokenizer, roles), max_length)
    return Dataset.from_list([part for row in rows for part in to_prompt_completions(row, roles)])


def _train(
    model: Any, tokenizer: Any, dataset: Any, training: FinetuneTraining, folder: Path, progress: bool
) -> None:
    import functools

    from transformers import PrinterCallback

    from biollm.answer_trainer import AnswerTrainer

    training.output_dir, training.disable_tqdm = str(folder), not progress
    # After a resize PEFT would write the whole embedding into every checkpoint, beside the rows.
    model.save_pretrained = functools.partial(model.save_pretrained, save_embedding_layers=False)
    trained = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    trainer = AnswerTrainer(model=model, args=training, train_dataset=dataset, processing_class=tokenizer)
    if not progress:
        trainer.remove_callback(PrinterCallback)
    if not training.packing:
        _check_nothing_dropped(trainer, len(dataset))
    for name, values in trained.items():
        # TRL has put them into bfloat16, where most steps of the optimizer round to nothing.
        model.get_parameter(name).data = values.float()
    trainer.train(resume_from_checkpoint=_last_checkpoint(folder))


def _last_checkpoint(folder: Path) -> str | None:
    """The last whole one: the trainer writes its state last, so that one without it was cut off."""
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json") if _is_json(state)]
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except ValueError:
        return False
    return True


def _check_nothing_dropped(trainer: Any, n_rows: int) -> None:
    """The trainer drops rows that train nothing, silently."""
    kept = len(trainer.train_dataset)
    if kept < n_rows:
        raise ValueError(
            f"{n_rows - kept} of {n_rows} conversations would train no token: nothing of the answer is left "
            "after the chat template and max_length."
        )


def _finish(model: Any, tokenizer: Any, card: ArtefactCard, config: FinetuneConfig, partial: Path) -> None:
    import shutil

    signals = Path(config.dataset_path) / "signal_tokenizer"
    save_artefact(partial, model, tokenizer, signals, card)
    logs = partial / "checkpoints" / "runs"
    if logs.is_dir():  # of TensorBoard
        shutil.move(logs, partial / "logs")
    shutil.rmtree(partial / "checkpoints", ignore_errors=True)
