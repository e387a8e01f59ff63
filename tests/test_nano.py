"""The embedded nano base: size, tokenizer, chat template, what it has seen and what it can do."""

from __future__ import annotations

import json
from random import Random

import pytest

from biollm.nano import NANO_PATH
from biollm.nano_corpus import MIXTURE, documents
from prompts import STATE_WORDS, load_task

# Measured .23 nats a token, mean over 600 held-out chats; four quarters of them gave .17 to .27.
VALIDATION_LOSS_BOUND = 0.35


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(NANO_PATH)


@pytest.fixture(scope="module")
def model():
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(NANO_PATH, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def sample():
    return list(documents(3000, seed=11))


def answer(model, tokenizer, *messages: str, system: str = "") -> str:
    """The greedy answer to a conversation, special tokens kept."""
    roles = ("user", "assistant")
    turns = [{"role": "system", "content": system}] if system else []
    turns += [{"role": roles[k % 2], "content": content} for k, content in enumerate(messages)]
    ids = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    written = model.generate(**ids, max_new_tokens=60, do_sample=False)[0, ids["input_ids"].shape[1] :]
    return tokenizer.decode(written)


def test_it_is_small_enough(model):
    assert model.num_parameters() <= 5_000_000
    assert (NANO_PATH / "model.safetensors").stat().st_size <= 10_000_000


def test_head_is_untied_and_linear_layers_fit_nf4_blocks(model):
    import torch

    assert model.get_input_embeddings().weight.data_ptr() != model.get_output_embeddings().weight.data_ptr()
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    assert {size % 64 for module in linear for size in module.weight.shape} == {0}


def test_weights_are_bfloat16_and_fit_the_tokenizer(tokenizer):
    from safetensors import safe_open

    with safe_open(NANO_PATH / "model.safetensors", "pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"BF16"}  # noqa: SIM118
        assert weights.get_slice("lm_head.weight").get_shape()[0] == len(tokenizer)


def test_end_pad_and_text_end_are_different(tokenizer, model):
    ends = {tokenizer.eos_token, tokenizer.pad_token, "<|endoftext|>"}
    assert ends == {"<|im_end|>", "<|pad|>", "<|endoftext|>"}
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id


@pytest.mark.parametrize("word", STATE_WORDS)
def test_a_state_word_is_one_token_in_an_answer(tokenizer, word):
    task = load_task("emotion")
    ids = tokenizer(task.answer(word))["input_ids"]
    prefix = tokenizer(task.answer(word).partition(f" {word}")[0])["input_ids"]
    assert ids[: len(prefix)] == prefix
    assert tokenizer.decode(ids[len(prefix)]) == f" {word}"


def test_digits_stand_alone(tokenizer):
    assert tokenizer.tokenize("72.5") == ["7", "2", ".", "5"]


@pytest.mark.parametrize("text", ["Heart rate 72 µS — σ.\n\n  Two  spaces", "fear, anger", " 心拍"])
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_template_writes_chatml(tokenizer):
    messages = [{"role": "system", "content": " s "}, {"role": "user", "content": "u"}]
    messages += [{"role": "assistant", "content": "a"}]
    written = "<|im_start|>system\n s <|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"
    open_ended = tokenizer.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert open_ended == written
    assert tokenizer.apply_chat_template(messages, tokenize=False) == written + "a<|im_end|>\n"


def test_template_marks_answers_with_their_end_and_nothing_else(tokenizer):
    messages = [
        {"role": role, "content": content}
        for role, content in [
            ("user", "Hi."),
            ("assistant", "Hello."),
            ("user", "Why?"),
            ("assistant", "No."),
        ]
    ]
    encoded = tokenizer.apply_chat_template(messages, return_assistant_tokens_mask=True, return_dict=True)
    pairs = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    marked = [token for token, is_answer in pairs if is_answer]
    assert tokenizer.decode(marked) == "Hello.<|im_end|>No.<|im_end|>"


def test_corpus_is_the_same_for_the_same_seed():
    assert list(documents(50, seed=3)) == list(documents(50, seed=3)) != list(documents(50, seed=4))


def test_corpus_has_every_kind_and_every_state_word_in_an_answer(sample):
    assert {kind for kind, _ in sample} == set(MIXTURE)
    answers = " ".join(
        turn["content"] for _, turns in sample for turn in turns if turn["role"] == "assistant"
    )
    assert set(STATE_WORDS) <= set(answers.replace(".", " ").replace(",", " ").split())


@pytest.mark.parametrize("kind", [kind for kind in MIXTURE if kind.endswith("_reading")])
def test_reading_tasks_answer_within_their_classes(kind):
    task = load_task("emotion")
    rng = Random(5)
    for _ in range(50):
        turns = MIXTURE[kind][0](rng)
        if turns[0]["role"] != "system":
            continue
        classes = turns[0]["content"].split("Classes: ")[1].rstrip(".").split(", ")
        assert task.label(turns[2]["content"], classes) in classes


def test_loss_on_held_out_documents(model, tokenizer, sample):
    import torch

    losses = []
    for _, turns in sample[:150]:
        if turns[0]["role"] == "text":
            continue
        encoded = tokenizer.apply_chat_template(
            turns, return_assistant_tokens_mask=True, return_dict=True, return_tensors="pt"
        )
        labels = encoded["input_ids"].masked_fill(encoded["assistant_masks"] == 0, -100)
        with torch.no_grad():
            losses.append(model(input_ids=encoded["input_ids"], labels=labels).loss.item())
    assert sum(losses) / len(losses) < VALIDATION_LOSS_BOUND


@pytest.mark.parametrize(
    "question", ["Hello.", "What is heart rate?", "What is fear?", "Which is larger, 12 or 40?"]
)
def test_an_answer_ends(model, tokenizer, question):
    assert answer(model, tokenizer, question).endswith("<|im_end|>")


def test_it_names_a_state_by_its_cues(model, tokenizer):
    task = load_task("emotion")
    classes = ("anger", "sadness", "happiness")
    cues = {
        "happiness": "zygomaticus active, eye muscle active, corrugator quiet",
        "sadness": "heart rate low, lip corners lowered, muscles loose",
        "anger": "corrugator active, jaw tense, blood pressure high",
    }
    for label, signal in cues.items():
        said = answer(model, tokenizer, task.question(0, signal), system=task.instruction(classes))
        assert said == task.answer(label) + "<|im_end|>"


def test_card_states_the_measured_figures(model):
    figures = json.loads((NANO_PATH / "pretraining.json").read_text(encoding="utf-8"))
    card = (NANO_PATH / "README.md").read_text(encoding="utf-8")
    assert figures["parameters"] == model.num_parameters()
    assert f"{figures['parameters']:,}" in card
    assert f"{figures['validation_loss']['all']:.2f}" in card
