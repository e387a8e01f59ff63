"""Label likelihoods against a computation by hand, and generated answers."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pytest
import torch

from biollm.base_model import load_base_model, load_text_tokenizer
from biollm.readout import _ends, chat_prompts, generate, label_probabilities


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


def test_a_base_s_own_way_to_generate_is_left_at_its_door(make_base, tmp_path):
    """Instruct models come with a penalty for repetition, which would change greedy answers."""
    shutil.copytree(make_base(), tmp_path / "base")
    own = {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "do_sample": True, "eos_token_id": [2, 7]}
    (tmp_path / "base" / "generation_config.json").write_text(json.dumps(own))
    model, tokenizer = load_base_model(str(tmp_path / "base"), False), load_text_tokenizer(make_base())
    assert model.generation_config.eos_token_id == [2, 7]
    prompts = chat_prompts(tokenizer, "You read biosignals.", ["Which state is it?", "calm calm"])
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    plain = load_base_model(make_base(), load_in_4bit=False)
    assert generate(model, tokenizer, prompts) == generate(plain, tokenizer, prompts)


def test_a_space_before_the_end_ends_no_answer(base):
    """ " 72" may begin with a space of its own."""
    model, tokenizer = base[0], copy.deepcopy(base[1])
    ends = _ends(model, tokenizer)
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", " <|im_end|>")
    assert _ends(model, tokenizer) == ends == [tokenizer.eos_token_id]
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", "")
    assert len(_ends(model, tokenizer)) == 2


def test_a_template_with_today_s_date_writes_one_day_for_ever(make_base, tmp_path):
    shutil.copytree(make_base(), tmp_path / "base")
    template = tmp_path / "base" / "chat_template.jinja"
    template.write_text("Today: {{ strftime_now('%d %b %Y') }}.\n" + template.read_text())
    (prompt,) = chat_prompts(load_text_tokenizer(str(tmp_path / "base")), "S", ["Q"])
    assert prompt.startswith("Today: 26 Jul 2024.\n<|im_start|>system")


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
