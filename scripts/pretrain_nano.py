"""python scripts/pretrain_nano.py --output_dir biollm/nano

Pretrain the embedded nano base from nothing: tokenizer, then a small Llama, on generated English of the
domain (`biollm/nano_corpus.py`). CPU only, under 30 minutes on two free cores. Writes the model in bfloat16,
the tokenizer with its chat template, and `pretraining.json` with the measured figures.
"""

from __future__ import annotations

import json
import math
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import TrlParser

from biollm.nano_corpus import MIXTURE, documents
from biollm.nano_language import Document
from biollm.nano_reading import CODES
from prompts import STATE_WORDS

SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['role'] == 'assistant' -%}
{% generation %}{{- message['content'] + '<|im_end|>' -}}{% endgeneration %}{{- '\\n' -}}
{%- else -%}
{{- message['content'] + '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""


@dataclass
class PretrainConfig:
    """Everything that can be set, as `--flags` or in a YAML file given by `--config`."""

    output_dir: str  # folder that gets the model, the tokenizer and pretraining.json
    n_documents: int = 50_000  # documents to train on, each seen once
    n_validation: int = 3_000  # held-out documents
    vocab_size: int = 2048  # tokens, the special ones included
    hidden_size: int = 256  # width; a multiple of 64 for nf4 blocks
    intermediate_size: int = 512  # width of the feed-forward layers; a multiple of 64
    num_layers: int = 4
    num_heads: int = 4
    max_position_embeddings: int = 2048  # longest text in tokens
    tokens_per_batch: int = 3072  # padding included
    learning_rate: float = 2e-3  # peak, after the warm-up; falls as a cosine to a tenth
    warmup: float = 0.03  # share of the steps
    weight_decay: float = 0.1
    threads: int = 2
    seed: int = 0


@dataclass
class Example:
    """One document as token ids, and which of them are learnt, both of shape (n_tokens,)."""

    kind: str
    ids: np.ndarray
    learnt: np.ndarray


def train_tokenizer(texts: Iterator[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE in which digits stand alone and every state word and code is one token."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Split(Regex(r"\d"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=None,
        eos_token="<|im_end|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|endoftext|>", "<|im_start|>"],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
    )


def tokenizer_texts(n: int, seed: int) -> Iterator[str]:
    """Texts of the corpus, then the words that must become one token, often enough that they do."""
    for _, document in documents(n, seed):
        for message in document:
            yield message["role"] + "\n" + message["content"]
    for word in (*STATE_WORDS, *CODES):
        yield from [f" {word}" * 50] * 100


def check_single_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    split = [word for word in (*STATE_WORDS, *CODES) if len(tokenizer.tokenize(f" {word}")) != 1]
    if split:
        raise ValueError(
            f"these words are more than one token: {split}; raise vocab_size or name fewer words"
        )


def encode(tokenizer: PreTrainedTokenizerFast, kind: str, document: Document) -> Example:
    """Token ids of a document; plain text and answers with their end mark are learnt, questions are not."""
    if document[0]["role"] == "text":
        ids = tokenizer(document[0]["content"] + "<|endoftext|>")["input_ids"]
        return Example(kind, np.array(ids, np.int16), np.ones(len(ids), bool))
    encoded: Any = tokenizer.apply_chat_template(
        document, return_assistant_tokens_mask=True, return_dict=True
    )
    return Example(kind, np.array(encoded["input_ids"], np.int16), np.array(encoded["assistant_masks"], bool))


def make_batches(examples: list[Example], tokens_per_batch: int, rng: Random) -> list[list[Example]]:
    """Examples of like length together, so that little is padding; batches in random order."""
    batches = []
    for start in range(0, len(examples), 4096):
        pool = sorted(examples[start : start + 4096], key=lambda example: len(example.ids))
        batch: list[Example] = []
        for example in pool:
            if batch and (len(batch) + 1) * len(example.ids) > tokens_per_batch:
                batches.append(batch)
                batch = []
            batch.append(example)
        batches.append(batch)
    rng.shuffle(batches)
    return batches


def batch_loss(model: LlamaForCausalLM, batch: list[Example], pad_id: int) -> torch.Tensor:
    """Mean cross-entropy of the learnt tokens, in nats; causal attention needs no padding mask."""
    ids = pad_sequence([torch.from_numpy(each.ids.astype(np.int64)) for each in batch], True, pad_id)
    learnt = pad_sequence([torch.from_numpy(each.learnt) for each in batch], True, False)[:, 1:]
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        logits = model.lm_head(hidden[learnt])
    return cross_entropy(logits.float(), ids[:, 1:][learnt])


def build_model(config: PretrainConfig, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama with an untied head and fresh weights."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_heads,
            max_position_embeddings=config.max_position_embeddings,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_optimizer(model: LlamaForCausalLM, config: PretrainConfig) -> torch.optim.AdamW:
    """AdamW with decay on matrices only."""
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95))


def learning_rate_factor(step: int, n_steps: int, warmup: float) -> float:
    """Linear warm-up, then a cosine from 1 to a tenth."""
    n_warm = max(1, round(warmup * n_steps))
    if step < n_warm:
        return (step + 1) / n_warm
    return 0.55 + 0.45 * math.cos(math.pi * (step - n_warm) / max(1, n_steps - n_warm))


def train(model: LlamaForCausalLM, batches: list[list[Example]], config: PretrainConfig, pad_id: int) -> None:
    optimizer = build_optimizer(model, config)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, len(batches), config.warmup)
    )
    bar, smooth = tqdm(batches, desc="pretraining", unit="step", mininterval=5), None
    for batch in bar:
        loss = batch_loss(model, batch, pad_id)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        bar.set_postfix(loss=f"{smooth:.3f}", refresh=False)


@torch.no_grad()
def validation_losses(model: LlamaForCausalLM, examples: list[Example], pad_id: int) -> dict[str, float]:
    """Mean loss in nats a token for each kind of document and, as "all", over the documents."""
    kinds = {kind: [example for example in examples if example.kind == kind] for kind in MIXTURE}
    kinds["all"] = examples
    losses = {}
    for kind, chosen in kinds.items():
        batches = [chosen[k : k + 32] for k in range(0, len(chosen), 32)]
        each = [batch_loss(model, batch, pad_id).item() for batch in batches]
        losses[kind] = round(float(np.mean(each)), 4)
    return losses


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, figures: dict, folder: Path) -> None:
    """Write every file beside the folder first, then move each into place."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".nano-") as unfinished:
        model.generation_config = GenerationConfig(
            eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, max_new_tokens=64
        )
        model.bfloat16().save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        (Path(unfinished) / "pretraining.json").write_text(
            json.dumps(figures, indent=2) + "\n", encoding="utf-8"
        )
        for path in Path(unfinished).iterdir():
            path.chmod(0o644)
            os.replace(path, folder / path.name)


def main(config: PretrainConfig) -> None:
    started = time.perf_counter()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    texts = tokenizer_texts(20_000, config.seed + 1)
    tokenizer = train_tokenizer(texts, config.vocab_size)
    check_single_tokens(tokenizer)
    n = config.n_documents
    drawn = tqdm(documents(n, config.seed), desc="documents", total=n, unit="doc", mininterval=5)
    examples = [encode(tokenizer, *each) for each in drawn]
    held_out = [encode(tokenizer, *each) for each in documents(config.n_validation, config.seed + 2)]
    model = build_model(config, tokenizer)
    batches = make_batches(examples, config.tokens_per_batch, Random(config.seed))
    train(model, batches, config, tokenizer.pad_token_id)
    figures = {
        "parameters": model.num_parameters(),
        "documents": n,
        "tokens": int(sum(len(example.ids) for example in examples)),
        "steps": len(batches),
        "validation_loss": validation_losses(model, held_out, tokenizer.pad_token_id),
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "config": {key: value for key, value in asdict(config).items() if key != "output_dir"},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
    save(model, tokenizer, figures, Path(config.output_dir))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(TrlParser([PretrainConfig]).parse_args_and_config()[0])
