"""Two ways to read an LLM's answer: the likelihood of each label, and the text that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

__all__ = ["chat_prompts", "generate", "label_probabilities"]

ANSWER_MARK = "\N{SYMBOL FOR UNIT SEPARATOR}"


def chat_prompts(
    tokenizer: Any, system: str, questions: Sequence[str], before: Sequence[tuple[str, str]] = ()
) -> list[str]:
    """Prompts of one question each, up to where the assistant's words begin.

    They are cut out of whole conversations, as training renders them: a template may put more before
    an answer (an empty thought, say) than its generation prompt has.

    Parameters
    ----------
    before : sequence of (question, answer)
        Turns that come before each of the questions.
    """
    return [start for start, _ in _rendered(tokenizer, system, questions, before)]


def _rendered(
    tokenizer: Any, system: str, questions: Sequence[str], before: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """What a template writes before and behind the assistant's last words."""
    conversations = []
    for question in questions:
        turns = [{"role": "system", "content": system}]
        for asked, answer in (*before, (question, ANSWER_MARK)):
            turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        conversations.append(turns)
    texts = tokenizer.apply_chat_template(conversations, tokenize=False)
    return [(before, behind) for before, _, behind in (text.rpartition(ANSWER_MARK) for text in texts)]


def label_probabilities(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    answers: Sequence[str],
    batch_size: int = 64,
) -> np.ndarray:
    """Probability of each answer, among these answers.

    Parameters
    ----------
    prompts : sequence of str
        From `chat_prompts`.
    answers : sequence of str
        One a label, whole: what comes behind a label keeps it from standing for a longer one. Where
        they differ in one token only, that token alone is scored.

    Returns
    -------
    ndarray, shape (n_prompts, n_answers)
    """
    if len(answers) == 1:
        return np.ones((len(prompts), 1))
    whole = [[_ids(tokenizer, prompt + answer) for answer in answers] for prompt in prompts]
    starts = [_common_prefix(sequences) for sequences in whole]
    endings = [
        [ids[len(start) :] for ids in sequences] for start, sequences in zip(starts, whole, strict=True)
    ]
    if all(len({tuple(ending[1:]) for ending in row}) == 1 for row in endings):
        first = np.array([[ending[0] for ending in row] for row in endings])
        scores = _first_token_scores(model, tokenizer, starts, first, batch_size)
    else:
        of_label = [list(column) for column in zip(*endings, strict=True)]
        columns = [_ending_scores(model, tokenizer, starts, e, batch_size) for e in of_label]
        scores = np.stack(columns, axis=1)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _common_prefix(sequences: list[list[int]]) -> list[int]:
    """The tokens that all sequences begin with."""
    length = 0
    for column in zip(*sequences, strict=False):
        if len(set(column)) > 1:
            break
        length += 1
    return sequences[0][:length]


def _first_token_scores(model, tokenizer, starts, first, batch_size) -> np.ndarray:
    """Logits of some tokens right after each start, shape (n_starts, n_answers)."""
    import torch

    def score(logits: Any, ids: Any, rows: np.ndarray) -> Any:
        return logits[:, -1].gather(1, torch.as_tensor(first[rows], device=logits.device))

    return _batched(model, tokenizer, starts, batch_size, score, 1)


def _ending_scores(model, tokenizer, starts, endings, batch_size) -> np.ndarray:
    """Log-likelihood of an ending after each start, shape (n_starts,)."""
    import torch

    lengths = np.array([len(ending) for ending in endings])
    width = int(lengths.max())

    def score(logits: Any, ids: Any, rows: np.ndarray) -> Any:
        logs = logits[:, :-1].log_softmax(-1).gather(2, ids[:, -width:, None]).squeeze(2)
        from_end = torch.arange(width, 0, -1, device=logs.device)
        inside = from_end <= torch.as_tensor(lengths[rows], device=logs.device)[:, None]
        return (logs * inside).sum(dim=1)

    sequences = [start + ending for start, ending in zip(starts, endings, strict=True)]
    return _batched(model, tokenizer, sequences, batch_size, score, width + 1)


def _batched(model, tokenizer, sequences, batch_size, score, n_logits) -> np.ndarray:
    """Score sequences in batches of like length, padded on the left; results in the given order."""
    import torch

    order = np.argsort([len(sequence) for sequence in sequences], kind="stable")
    results: list[Any] = [None] * len(sequences)
    starts = range(0, len(order), batch_size)
    for start in starts:
        rows = order[start : start + batch_size]
        batch = _pad_left(tokenizer, [sequences[i] for i in rows], model.device)
        with torch.no_grad():
            logits = model(**batch, logits_to_keep=n_logits, use_cache=False).logits.float()
            values = score(logits, batch["input_ids"], rows).cpu().numpy()
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
    """Greedy answers without the prompts; signal tokens are never written."""
    import torch

    suppressed = tokenizer.convert_tokens_to_ids(list(signal_tokens)) or None
    sequences = [_ids(tokenizer, prompt) for prompt in prompts]
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
                eos_token_id=_ends(model, tokenizer),
                pad_token_id=tokenizer.pad_token_id,
            )
        new = written[:, batch["input_ids"].shape[1] :]
        answers += [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]
    return answers


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """Tokens that end an answer: the tokenizer's, the base's own, and what the template puts behind it."""
    own = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}
    ((_, behind),) = _rendered(tokenizer, "", [""])
    ids = _ids(tokenizer, behind)
    # A space before the end would end an answer before its first number.
    marks = [one for one in ids if tokenizer.decode([one]).strip()] or ids
    return sorted(ends | set(marks[:1]))
