"""Label likelihoods against a computation by hand, and generated answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biollm.base_model import load_base_model, load_text_tokenizer
from biollm.readout import chat_prompts, generate, label_probabilities

PREFIX = "The recording shows"


@pytest.fixture(scope="module")
def base(make_base):
    name = make_base()
    return load_base_model(name, load_in_4bit=False).float(), load_text_tokenizer(name)


def by_hand(model, tokenizer, prompt, labels):
    """Softmax over the labels of the sum of their tokens' log-probabilities, one sequence at a time."""
    scores = []
    for label in labels:
        start = tokenizer(prompt + PREFIX, add_special_tokens=False)["input_ids"]
        end = tokenizer(f" {label}", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logs = model(torch.tensor([start + end])).logits[0].log_softmax(-1)
        scores.append(sum(float(logs[len(start) + i - 1, token]) for i, token in enumerate(end)))
    return torch.tensor(scores).softmax(0).numpy()


@pytest.mark.parametrize(
    "labels", [("calm", "tense"), ("calm", "perplexity", "tense")], ids=["one token", "several"]
)
def test_likelihoods_equal_those_by_hand_whatever_the_padding(base, labels):
    model, tokenizer = base
    prompts = chat_prompts(
        tokenizer, "You read biosignals.", ["Which state is it?", "x", "calm calm tense " * 9]
    )
    found = label_probabilities(model, tokenizer, prompts, labels, PREFIX, batch_size=2)
    wanted = np.stack([by_hand(model, tokenizer, prompt, labels) for prompt in prompts])
    # Left padding changes only the order of float32 sums.
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_prompt_ends_where_the_assistant_begins(base):
    _, tokenizer = base
    (prompt,) = chat_prompts(tokenizer, "S", ["Q"])
    assert prompt.endswith("<|im_start|>assistant\n")
    assert prompt.index("S") < prompt.index("Q")


def test_generation_is_greedy_and_never_writes_signal_tokens(base):
    model, tokenizer = base
    prompts = chat_prompts(tokenizer, "You read biosignals.", ["Which state is it?", "calm calm"])
    plain = generate(model, tokenizer, prompts, 4)
    start = tokenizer(prompts[0], add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        first = int(model(torch.tensor([start])).logits[0, -1].argmax())
    assert plain[0].startswith(tokenizer.decode([first]).strip())
    without = generate(model, tokenizer, prompts, 4, signal_tokens=[tokenizer.convert_ids_to_tokens(first)])
    assert not without[0].startswith(tokenizer.decode([first]).strip())
