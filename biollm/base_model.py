"""The base LLM: loading it in 4-bit, and giving it rows for the signal tokens."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_builders.stage import file_stats

TOKEN_INITS = ("codebook", "random", "mean")
ONE_DAY = "{%- macro strftime_now(format) -%} 26 Jul 2024 {%- endmacro -%}"

__all__ = [
    "TOKEN_INITS",
    "add_signal_tokens",
    "add_tokens",
    "base_identity",
    "fingerprint",
    "initial_vectors",
    "known_words",
    "load_base_model",
    "load_text_tokenizer",
    "resolve_model",
]


def resolve_model(name: str) -> str:
    """The folder of the embedded model for ``"nano"``; any other name or folder as it is.

    Raises
    ------
    FileNotFoundError
        If it is a path where no folder is.
    """
    if name == "nano":
        from biollm.nano import NANO_PATH

        return str(NANO_PATH)
    if (name.startswith((".", "/", "~")) or name.count("/") > 1) and not Path(name).is_dir():
        raise FileNotFoundError(
            f"{name}: there is no such folder; allowed is nano, the folder of a base, or a hub id (NAME or "
            "OWNER/NAME). Where a base has moved, --model_name_or_path says where it is now."
        )
    return name


def load_text_tokenizer(name: str) -> Any:
    """A base model's own tokenizer, with a pad token that is not its end-of-sequence token.

    Raises
    ------
    ValueError
        If it has no chat template, or one that drops or refuses a role.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve_model(name))
    if tokenizer.chat_template is None:
        raise ValueError(f"{name}: its tokenizer has no chat template; choose an instruct model.")
    if isinstance(tokenizer.chat_template, str) and "strftime_now" in tokenizer.chat_template:
        # Today's date in the system turn would make the prompts of another day other ones.
        tokenizer.chat_template = ONE_DAY + tokenizer.chat_template
    _check_template(name, tokenizer)
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        # A pad equal to eos is masked with it, and the model never learns to stop.
        tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    return tokenizer


def add_tokens(tokenizer: Any, tokens: Sequence[str]) -> None:
    """Add signal tokens to a tokenizer in place; a normaliser would break those that stand behind a space."""
    from tokenizers import AddedToken

    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in tokens])


def _check_template(name: str, tokenizer: Any) -> None:
    """Some templates drop turns silently; a model then trains on what is left with a falling loss."""
    from jinja2 import TemplateError

    said = {role: f"spoken by {role}" for role in ("system", "user", "assistant")}
    messages = [{"role": role, "content": words} for role, words in said.items()]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False)
    except TemplateError as error:
        raise ValueError(
            f"{name}: its chat template refuses system, user, assistant: {error}. Choose another base, or "
            "copy its folder and let chat_template.jinja write the system turn before the first question."
        ) from error
    dropped = [role for role, words in said.items() if words not in text]
    if dropped:
        raise ValueError(f"{name}: its chat template drops the turns of {dropped}; choose another base.")


def base_identity(name: str) -> Any:
    """What tells that a base has changed: its files for a local folder, the name for a hub id."""
    folder = Path(resolve_model(name))
    return file_stats(folder) if folder.is_dir() else name


def load_base_model(name: str, load_in_4bit: bool = True) -> Any:
    """A causal LLM in bfloat16, its linear layers in nf4 if asked for, on this process's device.

    Of the base's own way to generate, which may draw words or penalise repeated ones, only its ends stay.
    """
    import torch
    from accelerate import PartialState
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig, GenerationConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    device = PartialState().device if torch.cuda.is_available() else torch.device("cpu")
    model = AutoModelForCausalLM.from_pretrained(
        resolve_model(name),
        dtype=torch.bfloat16,
        # On a CPU, padded batches of short prompts train 1.25 times faster without the fused kernel.
        attn_implementation="eager" if device.type == "cpu" else None,
        quantization_config=quantization if load_in_4bit else None,
        device_map={"": device},
    )
    own = model.generation_config
    model.generation_config = GenerationConfig(
        bos_token_id=own.bos_token_id, eos_token_id=own.eos_token_id, pad_token_id=own.pad_token_id
    )
    return model


def fingerprint(model: Any) -> str:
    """Sixteen hex digits that tell one base model from another.

    Of the architecture, all norms and a sample of embedding and head, which no quantization touches;
    taken before any row is added.
    """
    config = model.config.get_text_config()
    shape = f"{config.model_type} {config.vocab_size} {config.hidden_size} {config.num_hidden_layers}"
    digest = hashlib.sha256(shape.encode())
    ends = [model.get_input_embeddings().weight[::97], model.get_output_embeddings().weight[::97]]
    norms = [parameter for _, parameter in sorted(model.named_parameters()) if parameter.ndim == 1]
    for values in [*ends, *norms]:
        digest.update(values.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def known_words(tokenizer: Any, besides: Sequence[str] = ()) -> list[str]:
    """Words that a tokenizer knows as one token each, with the space before them, in the order of its ids.

    Plain words of three letters or more, none of them in the texts `besides`: a word that says one thing
    there should not say another in a signal.
    """
    taken = {word for text in besides for word in re.findall("[a-z]+", text.lower())}
    found = {}
    for token, number in tokenizer.get_vocab().items():
        text = tokenizer.convert_tokens_to_string([token])
        if re.fullmatch(" ?[a-z]{3,}", text) and text.strip() not in taken:
            word = " " + text.strip()
            if tokenizer(word, add_special_tokens=False)["input_ids"] == [number]:
                found[word] = number
    return sorted(found, key=found.__getitem__)


def initial_vectors(vectors: np.ndarray, how: str, seed: int = 0) -> np.ndarray | None:
    """The vectors of signal tokens that their rows start from, for `add_signal_tokens`.

    Parameters
    ----------
    vectors : ndarray, shape (n_tokens, dim)
        Of the codebooks.
    how : {"codebook", "random", "mean"}
        These; normal numbers in their place; or none, which leaves all rows at the mean of the old ones.
    """
    if how not in TOKEN_INITS:
        raise ValueError(f"token_init is {how!r}; allowed are {list(TOKEN_INITS)}.")
    if how == "random":
        return np.random.default_rng([seed, 1]).standard_normal(vectors.shape)
    return vectors if how == "codebook" else None


def add_signal_tokens(
    model: Any,
    tokenizer: Any,
    tokens: Sequence[str],
    vectors: np.ndarray | None,
    seed: int = 0,
) -> list[int]:
    """Add tokens and their rows to a base model, in place.

    Parameters
    ----------
    tokens : sequence of str
    vectors : ndarray, shape (n_tokens, dim), or None
        From `initial_vectors`. A row becomes the old rows' mean plus its vector, projected at random
        at the old rows' spread. With None all rows are that mean, as after the resize's own default, and
        a model cannot tell them apart unless they are trained.
    seed : int

    Returns
    -------
    list of int
        The ids of the tokens.
    """
    import torch

    known = [token for token in tokens if token in tokenizer.get_vocab()]
    if known:
        raise ValueError(f"the base's tokenizer already has the signal tokens {known[:3]}.")
    embedding = model.get_input_embeddings().weight
    n_rows, n_old = embedding.shape[0], min(embedding.shape[0], len(tokenizer))
    add_tokens(tokenizer, tokens)
    ids = tokenizer.convert_tokens_to_ids(list(tokens))
    # Some bases have spare rows behind their vocabulary; they are used and nothing is cut off.
    model.resize_token_embeddings(max(n_rows, len(tokenizer)), mean_resizing=False)
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    with torch.no_grad():
        old = embedding[:n_old].float()
        mean, spread = old.mean(0), old.std()
        rows = mean.expand(len(ids), -1)
        if vectors is not None and len(vectors):
            rng = np.random.default_rng(seed)
            directions = vectors @ rng.standard_normal((vectors.shape[1], embedding.shape[1]))
            projected = torch.tensor(
                directions / directions.std(), dtype=torch.float32, device=embedding.device
            )
            rows = mean + spread * projected
        if head.data_ptr() != embedding.data_ptr():
            # Never a target: the same finite logit for all, and the same after loading.
            head[n_old:] = head[:n_old].float().mean(0).to(head.dtype)
        embedding[n_old:] = mean.to(embedding.dtype)  # an added pad token's too, which a tied head may write
        embedding[ids] = rows.to(embedding.dtype)
    return ids
