"""Loading a base and giving it rows for the signal tokens."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from biollm.base_model import add_signal_tokens, fingerprint, load_base_model, load_text_tokenizer

TOKENS = [f"<|gsr_vq_{k:04d}|>" for k in range(8)]


def with_tokens(base, vectors, load_in_4bit=False, seed=0):
    model, tokenizer = load_base_model(base, load_in_4bit), load_text_tokenizer(base)
    return model, tokenizer, add_signal_tokens(model, tokenizer, TOKENS, vectors, seed)


@pytest.mark.parametrize("name", ["/nowhere/base", "./base", "models/of/mine"])
def test_a_folder_that_is_not_there_is_no_hub_id(name):
    with pytest.raises(
        FileNotFoundError, match=rf"^{name}: there is no such folder.*--model_name_or_path says"
    ):
        load_text_tokenizer(name)


@pytest.mark.parametrize("tied", [False, True])
def test_new_rows_differ_and_keep_the_geometry_of_the_codebook(make_base, tied):
    vectors = np.random.default_rng(0).standard_normal((8, 16))
    vectors[1] = vectors[0] + 0.01
    model, _, ids = with_tokens(make_base(tied), vectors)
    weight = model.get_input_embeddings().weight.detach().float()
    rows, old = weight[ids], weight[: min(ids)]
    distance = torch.cdist(rows, rows)
    # Neighbours in the codebook stay neighbours, and no two rows are the same.
    assert distance[0, 1] < 0.2 * distance[0, 2:].min()
    assert distance[0, 1] > 0
    # At the spread of the old rows: a random projection of 8 vectors holds it within a third.
    assert float(rows.std()) == pytest.approx(float(old.std()), rel=0.34)


def test_old_rows_stay_as_they_are(make_base):
    base = make_base()
    before = load_base_model(base, False).get_input_embeddings().weight.detach().clone()
    model, _, ids = with_tokens(base, np.eye(8))
    assert torch.equal(model.get_input_embeddings().weight[: min(ids)], before[: min(ids)])


def test_rows_depend_on_the_seed_alone(make_base):
    rows = [
        with_tokens(make_base(), np.eye(8), seed=s)[0].get_input_embeddings().weight[-8:].detach()
        for s in (0, 0, 1)
    ]
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])


def test_untied_heads_give_new_tokens_the_mean_row(make_base):
    model, _, ids = with_tokens(make_base(), np.eye(8))
    head = model.get_output_embeddings().weight.detach().float()
    mean = head[: min(ids)].mean(0)
    assert torch.allclose(head[ids], mean.expand(8, -1), atol=1e-3)  # bfloat16 rounding of the mean


def test_a_signal_token_is_one_token(make_base):
    _, tokenizer, ids = with_tokens(make_base(), np.eye(8))
    assert tokenizer("".join(TOKENS), add_special_tokens=False)["input_ids"] == ids


def test_tokens_that_the_base_has_are_refused(make_base):
    model, tokenizer, _ = with_tokens(make_base(), np.eye(8))
    with pytest.raises(ValueError, match="already has"):
        add_signal_tokens(model, tokenizer, TOKENS[:1], None)


def test_fingerprint_tells_bases_apart_whatever_their_precision(make_base):
    one = fingerprint(load_base_model(make_base(seed=0), True))
    assert one == fingerprint(load_base_model(make_base(seed=0), False))
    assert one != fingerprint(load_base_model(make_base(seed=1), True))


def test_linear_layers_are_in_4_bit(make_base):
    from bitsandbytes.nn import Linear4bit

    model = load_base_model(make_base(), True)
    assert isinstance(model.model.layers[0].mlp.up_proj, Linear4bit)
    assert not isinstance(model.get_output_embeddings(), Linear4bit)


@pytest.mark.parametrize("tied", [False, True])
def test_an_added_pad_token_is_the_mean_of_all(make_base, tmp_path, tied):
    """Where embedding and head are one, a row at random might be written."""
    shutil.copytree(make_base(tied), tmp_path / "base")
    config = tmp_path / "base" / "tokenizer_config.json"
    about = json.loads(config.read_text())
    config.write_text(json.dumps(about | {"pad_token": about["eos_token"]}))
    base = load_text_tokenizer(make_base(tied))
    file = tmp_path / "base" / "tokenizer.json"  # where no token is a pad
    file.write_text(file.read_text().replace("<|pad|>", "<|other|>"))
    model, tokenizer, ids = with_tokens(
        str(tmp_path / "base"), np.random.default_rng(0).standard_normal((8, 16))
    )
    assert tokenizer.pad_token_id >= len(base)
    weight = model.get_input_embeddings().weight.detach().float()
    mean = weight[: len(base)].mean(0)
    torch.testing.assert_close(weight[tokenizer.pad_token_id], mean, atol=1e-3, rtol=0)
    assert tokenizer.pad_token_id not in ids


def test_pad_is_not_end_of_sequence(make_base, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(make_base())
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(tmp_path)
    assert load_text_tokenizer(str(tmp_path)).pad_token_id != tokenizer.eos_token_id


def test_a_base_without_chat_template_is_refused(make_base, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(make_base())
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="no chat template"):
        load_text_tokenizer(str(tmp_path))
