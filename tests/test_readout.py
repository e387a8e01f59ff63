"""Label likelihoods against a computation by hand, and generated answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from biollm.base_model import load_base_model, load_text_tokenizer
from biollm.readout import chat_prompts, generate, label_probabilities


@pytest.fixture(scope="module")
def base(make_base):
    name = make_base()
    return load_base_model(name, load_in_4bit=False).float(), load_text_tokenizer(name)


ANSWERS = {
    "one token apart": ("The recording shows calm.", "The recording shows tense."),
    "several tokens": (
        "The recording shows calm.",
        "The recording shows perplexity.",
        "The recording shows tense.",
    ),
    "one inside the other": ("The recording shows calm.", "The recording shows calmer."),
}


def by_hand(model, tokenizer, prompt, answers):
    """Softmax over the answers of the sum of their tokens' log-probabilities, one sequence at a time.

    Tokens behind the only one that differs are left out, as they say nothing of the signal.
    """
    whole = [tokenizer(prompt + answer, add_special_tokens=False)["input_ids"] for answer in answers]
    shared = next(k for k in range(999) if len({tuple(ids[: k + 1]) for ids in whole}) > 1)
    alone = len({tuple(ids[shared + 1 :]) for ids in whole}) == 1
    scores = []
    for ids in whole:
        with torch.no_grad():
            logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        last = shared + 1 if alone else len(ids)
        scores.append(sum(float(logs[k - 1, ids[k]]) for k in range(shared, last)))
    return torch.tensor(scores).softmax(0).numpy()


@pytest.mark.parametrize("answers", ANSWERS.values(), ids=ANSWERS)
def test_likelihoods_equal_those_by_hand_whatever_the_padding(base, answers):
    model, tokenizer = base
    prompts = chat_prompts(
        tokenizer, "You read biosignals.", ["Which state is it?", "x", "calm calm tense " * 9]
    )
    found = label_probabilities(model, tokenizer, prompts, answers, batch_size=2)
    wanted = np.stack([by_hand(model, tokenizer, prompt, answers) for prompt in prompts])
    # Left padding changes only the order of float32 sums.
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_single_answer_is_certain(base):
    assert label_probabilities(*base, ["Which state is it?"] * 2, [" calm"]).tolist() == [[1.0], [1.0]]


def test_prompts_are_what_training_shows_before_an_answer(base):
    """A template may write more before an answer than its generation prompt has."""
    import copy

    tokenizer = copy.deepcopy(base[1])
    tokenizer.chat_template = (
        "{% for m in messages %}[{{ m['role'] }}]{% if m['role'] == 'assistant' %}<think></think>{% endif %}"
        "{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    assert chat_prompts(tokenizer, "S", ["Q"]) == ["[system]S[user]Q[assistant]<think></think>"]


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
