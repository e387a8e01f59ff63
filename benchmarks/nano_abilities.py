"""python benchmarks/nano_abilities.py

What the nano base finds in its prompt: greedy answers to the first question of documents drawn anew, and the
second tokens of random pairs. Prints the table of its card, beside a guess among what the prompt offers.
"""

from __future__ import annotations

import argparse
import re
from random import Random

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer

from biollm.nano import NANO_PATH
from biollm.nano_corpus import MIXTURE
from biollm.nano_language import Document
from biollm.nano_reading import TASK

N_BYTE_TOKENS = 4 + 256  # special ones and single bytes, many of which come in no text
KINDS = {
    "cue_reading": "cues in words to a state",
    "code_reading": "adding up syllables to a state",
    "half_reading": "same or different halves",
    "level_reading": "a level against an average",
    "key_reading": "codes by a key in the prompt",
    "copying": "remembered pairs of a code and a word",
}
"""Kind of document -> what it asks."""


def offered(document: Document) -> tuple[Document, str, int]:
    """The turns up to the first question, what its answer must hold, and among how many it is found."""
    first = next(k for k, turn in enumerate(document) if turn["role"] == "assistant")
    asked, said = document[first - 1]["content"], document[first]["content"]
    if document[0]["role"] == "system":
        classes = document[0]["content"].split("Classes: ")[1].rstrip(".").split(", ")
        return document[:first], str(TASK.label(said, classes)), len(classes)
    return document[:first], said.rstrip(".").split()[-1], asked.count(" is ") - 1


def holds(answer: str, wanted: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(wanted)}(?!\w)", answer) is not None


@torch.no_grad()
def right_answers(model, tokenizer, asked: list[tuple[Document, str, int]]) -> float:
    """Share of greedy answers that hold what they must."""
    turns = [document for document, _, _ in asked]
    ids = tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
    )
    written = model.generate(**ids, max_new_tokens=40, do_sample=False)[:, ids["input_ids"].shape[1] :]
    answers = tokenizer.batch_decode(written, skip_special_tokens=True)
    return float(
        np.mean([holds(answer, wanted) for answer, (_, wanted, _) in zip(answers, asked, strict=True)])
    )


@torch.no_grad()
def found_pairs(model, vocab_size: int, n_pairs: int, n_texts: int) -> float:
    """Share of texts of random pairs of tokens and the first of one again in which its second comes next."""
    rng, ids, wanted = np.random.default_rng(0), [], []
    for _ in range(n_texts):
        pairs = N_BYTE_TOKENS + rng.permutation(vocab_size - N_BYTE_TOKENS)[: 2 * n_pairs].reshape(n_pairs, 2)
        asked = pairs[rng.integers(n_pairs)]
        ids.append([*pairs.ravel(), asked[0]])
        wanted.append(asked[1])
    said = model(input_ids=torch.tensor(np.array(ids))).logits[:, -1].argmax(1).numpy()
    return float(np.mean(said == wanted))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=str(NANO_PATH), help="folder of the model")
    parser.add_argument("--documents", type=int, default=192, help="of each kind")
    given = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(given.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32).eval()
    rows = []
    for kind, words in tqdm(KINDS.items(), unit="kind"):
        rng = Random(f"abilities of {kind}")
        asked = [offered(MIXTURE[kind][0](rng)) for _ in range(given.documents)]
        guess = float(np.mean([1 / n for _, _, n in asked]))
        rows.append((f"{words} (`{kind}`)", right_answers(model, tokenizer, asked), guess))
    for n_pairs in (4, 12):
        found = found_pairs(model, len(tokenizer), n_pairs, given.documents)
        rows.append((f"the second of {n_pairs} random pairs of tokens", found, 1 / n_pairs))
    print("| | right | guess |\n|---|---:|---:|")
    for words, found, guess in rows:
        print(f"| {words} | {found:.2f} | {guess:.2f} |")


if __name__ == "__main__":
    main()
