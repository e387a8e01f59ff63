"""Models and recordings made on the spot; nothing is fetched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_builders.options import merged
from data_builders.recording import Block, Recording, Signal, save_recording

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ m['content'] }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def make_base(tmp_path_factory):
    """A function that writes an untrained Llama with a word-level tokenizer to a folder."""

    made: dict = {}

    def make(tied: bool = False, seed: int = 0) -> str:
        if (tied, seed) not in made:
            made[tied, seed] = write(tied, seed)
        return made[tied, seed]

    def write(tied: bool, seed: int) -> str:
        import torch
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
        from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

        folder = tmp_path_factory.mktemp("base")
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        from tokenizers.decoders import ByteLevel

        tokenizer.decoder = ByteLevel()
        special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
        text = [" calm tense The recording shows Which state is it? You read biosignals."] * 20
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        tokenizer.train_from_iterator(
            text, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
        )
        fast = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|im_end|>", chat_template=CHATML
        )
        fast.save_pretrained(folder)
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(fast),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            tie_word_embeddings=tied,
            max_position_embeddings=1024,
            eos_token_id=fast.eos_token_id,
            pad_token_id=fast.pad_token_id,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
        return str(folder)

    return make


def two_state_recording(subject: str, seed: int, n_blocks: int = 6, block_seconds: float = 40.0) -> Recording:
    """Skin conductance and heart rate that are high and unsteady in half of the blocks."""
    rng = np.random.default_rng(seed)
    tense = rng.permutation([k % 2 for k in range(n_blocks)])
    level = np.repeat(tense, round(block_seconds * 8))
    gsr = 5 + rng.normal() + 2.0 * level + rng.normal(0, 0.3 + 0.5 * level)
    heart = (
        70 + 10 * rng.normal() + 15 * np.repeat(tense, round(block_seconds)) + rng.normal(0, 1, n_blocks * 40)
    )
    blocks = tuple(
        Block(k * block_seconds, block_seconds, {"emotion": ("calm", "tense")[state]}, trial=f"T{k}")
        for k, state in enumerate(tense)
    )
    signals = {
        "gsr": Signal(gsr[None], 8.0, ("gsr",), "µS"),
        "heart_rate": Signal(heart[None], 1.0, ("hr",), "bpm"),
    }
    return Recording(signals, "two_states", subject, blocks=blocks)


@pytest.fixture(scope="session")
def two_states(tmp_path_factory) -> Path:
    """A folder of eight recordings with two easily told states."""
    folder = tmp_path_factory.mktemp("two_states")
    for k in range(8):
        save_recording(two_state_recording(f"P{k}", seed=k), folder / f"P{k}.npz")
    return folder


@pytest.fixture(scope="session")
def store(two_states, tmp_path_factory) -> Path:
    """Their segment store: 10 s windows, 5 s steps."""
    from data_builders.preparing import PrepareConfig, prepare

    out = tmp_path_factory.mktemp("stores") / "store"
    config = PrepareConfig(dataset="npz", root=str(two_states), out=str(out), window=10.0, step=5.0)
    return prepare(config, progress=False)


TINY_TOKENIZER = {
    "frame_seconds": 2.0,
    "encoder": {
        "dim": 16,
        "quantizer_options": {"codebook_size": 8, "codebook_dim": 4},
        "training": {"epochs": 4},
    },
}


@pytest.fixture(scope="session")
def conversations(store, make_base, tmp_path_factory) -> Path:
    """Signal tokenizer and conversations of that store."""
    from biollm.building import BuildConfig, build
    from encoders.trainer import TrainEncoderConfig, train_encoder

    folder = tmp_path_factory.mktemp("built")
    encoder = TrainEncoderConfig(str(store), str(folder / "signal_tokenizer"), tokenizer=TINY_TOKENIZER)
    train_encoder(encoder, progress=False)
    config = BuildConfig(
        str(store), str(folder / "signal_tokenizer"), str(folder / "conversations"), n_conversations=400,
        answer_forms=1, model_name_or_path=make_base(),
    )  # fmt: skip
    return build(config, progress=False)


@pytest.fixture
def artefact_copy(artefact_folder, tmp_path) -> Callable[..., str]:
    """Copies that artefact into `tmp_path`, with other values in one of its JSON files."""

    def copied(name: str, changed: dict | None = None, file: str = "artefact.json") -> str:
        path = shutil.copytree(artefact_folder, tmp_path / name) / file
        path.write_text(json.dumps(merged(json.loads(path.read_text()), changed or {})))
        return str(tmp_path / name)

    return copied


@pytest.fixture(scope="session")
def artefact_folder(conversations, make_base, tmp_path_factory) -> Path:
    """A base that was tuned for a few steps on them, in 4-bit."""
    from biollm.finetuning import FinetuneConfig, FinetuneTraining, finetune

    out = tmp_path_factory.mktemp("tuned") / "artefact"
    config = FinetuneConfig(str(conversations), str(out), make_base())
    return finetune(config, FinetuneTraining(max_steps=60, per_device_train_batch_size=8), progress=False)
