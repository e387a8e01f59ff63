"""Two ways to read an LLM's answer: the likelihood of each label, and the text that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

__all__ = ["chat_prompts", "generate", "label_probabilities"]


def chat_prompts(tokenizer: Any, system: str, questions: Sequence[str]) -> list[str]:
    """Prompts of one user turn each, up to where the assistant begins to speak."""
    conversations = [
        [{"role": "system", "content": system}, {"role": "user", "content": question}]
        for question in questions
    ]
    return tokenizer.apply_chat_template(conversations, tokenize=False, add_generation_prompt=True)


def label_probabilities(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    labels: Sequence[str],
    answer_prefix: str,
    batch_size: int = 64,
    progress: bool = False,
) -> np.ndarray:
    """Probability of each label after the answer's first words, among the labels.

    Parameters
    ----------
    prompts : sequence of str
        From `chat_prompts`.
    labels : sequence of str
        Longer ones than a token are scored token by token.
    answer_prefix : str
        What the answer says before its label, without the space.

    Returns
    -------
    ndarray, shape (n_prompts, n_labels)
    """
    endings = [tokenizer(f" {label}", add_special_tokens=False)["input_ids"] for label in labels]
    starts = [tokenizer(p + answer_prefix, add_special_tokens=False)["input_ids"] for p in prompts]
    if all(len(ending) == 1 for ending in endings):
        ids = [ending[0] for ending in endings]
        scores = _batched(
            model, tokenizer, starts, batch_size, progress, lambda logits, _: logits[:, -1, ids], 1
        )
    else:
        columns = [_ending_scores(model, tokenizer, starts, e, batch_size, progress) for e in endings]
        scores = np.stack(columns, axis=1)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def _ending_scores(model, tokenizer, starts, ending, batch_size, progress) -> np.ndarray:
    """Log-likelihood of one ending after each start, shape (n_starts,)."""
    import torch

    def score(logits: Any, ids: Any) -> Any:
        kept = logits[:, -len(ending) - 1 : -1].log_softmax(-1)
        return kept.gather(2, ids[:, -len(ending) :, None]).sum((1, 2))

    with torch.no_grad():
        return _batched(
            model, tokenizer, [s + ending for s in starts], batch_size, progress, score, len(ending) + 1
        )


def _batched(model, tokenizer, sequences, batch_size, progress, score, n_logits) -> np.ndarray:
    """Score sequences in batches of like length, padded on the left; results in the given order."""
    import torch

    order = np.argsort([len(s) for s in sequences], kind="stable")
    results: list[Any] = [None] * len(sequences)
    starts = range(0, len(order), batch_size)
    for start in tqdm(starts, desc="likelihoods", unit="batch", disable=not progress, leave=False):
        rows = order[start : start + batch_size]
        batch = _pad_left(tokenizer, [sequences[i] for i in rows], model.device)
        with torch.no_grad():
            logits = model(**batch, logits_to_keep=n_logits, use_cache=False).logits.float()
            values = score(logits, batch["input_ids"]).cpu().numpy()
        for i, value in zip(rows, values, strict=True):
            results[i] = value
    return np.stack(results)


def _pad_left(tokenizer: Any, sequences: list[list[int]], device: Any) -> dict:
    import torch

    width = max(len(s) for s in sequences)
    ids = torch.full((len(sequences), width), tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, width - len(sequence) :] = torch.tensor(sequence)
        mask[row, width - len(sequence) :] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    batch = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
    return {name: values.to(device) for name, values in batch.items()}


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    max_new_tokens: int = 24,
    signal_tokens: Sequence[str] = (),
    batch_size: int = 64,
    progress: bool = False,
) -> list[str]:
    """Greedy answers, without the prompts; signal tokens are never written."""
    import torch

    suppressed = tokenizer.convert_tokens_to_ids(list(signal_tokens)) or None
    sequences = [tokenizer(p, add_special_tokens=False)["input_ids"] for p in prompts]
    answers: list[str] = []
    starts = range(0, len(sequences), batch_size)
    for start in tqdm(starts, desc="answers", unit="batch", disable=not progress, leave=False):
        batch = _pad_left(tokenizer, sequences[start : start + batch_size], model.device)
        del batch["position_ids"]
        with torch.no_grad():
            written = model.generate(
                **batch,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                suppress_tokens=suppressed,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        new = written[:, batch["input_ids"].shape[1] :]
        answers += [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]
    return answers
