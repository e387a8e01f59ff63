"""Rows of a report that average the answers of two others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from biollm.report_rows import ensembles, gathered

CLASSES = ("calm", "tense")


def answers(method: str, tense: list[float], seed: int = 0) -> pd.DataFrame:
    p = np.asarray(tense)
    return pd.DataFrame(
        {
            "segment": [f"s{k}" for k in range(len(p))], "fold": 0, "seed": seed, "method": method,
            "family": "llm", "note": "", "seconds": 1.0, "parameters": np.nan, "history": "[]",
            "truth": "calm", "prediction": np.where(p > 0.5, "tense", "calm"), "p_calm": 1 - p, "p_tense": p,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "average"),
    [
        ("LLM on codes", "LLM on bins", "LLM on codes and bins"),
        ("LLM on codes+bins", "LLM on codes", "LLM on codes+bins and codes"),
        ("LLM on bins+levels", "LLM on words", "LLM on bins+levels and words"),
        ("encoder of the tokens", "extra trees", "encoder + extra trees"),
    ],
)
def test_two_prompts_are_read_as_the_mean_of_their_likelihoods(tmp_path, one, other, average):
    (tmp_path / "jobs").mkdir()
    # Other orders of segments must not matter.
    answers(one, [0.1, 0.9, 0.6]).to_parquet(tmp_path / "jobs" / "a.parquet")
    answers(other, [0.3, 0.2, 0.7])[::-1].to_parquet(tmp_path / "jobs" / "b.parquet")
    rows = gathered(tmp_path, CLASSES)
    assert set(rows["method"]) == {one, other, average}
    mean = rows[rows["method"] == average].set_index("segment")
    assert mean["p_tense"].to_dict() == pytest.approx({"s0": 0.2, "s1": 0.55, "s2": 0.65})
    assert mean["prediction"].to_dict() == {"s0": "calm", "s1": "tense", "s2": "tense"}


def test_the_matched_control_has_the_seeds_that_both_of_its_parts_have(tmp_path):
    (tmp_path / "jobs").mkdir()
    for seed in (0, 1):
        answers("encoder of the tokens", [0.1, 0.9], seed).to_parquet(tmp_path / "jobs" / f"{seed}.parquet")
    answers("extra trees", [0.3, 0.2]).to_parquet(tmp_path / "jobs" / "trees.parquet")
    rows = gathered(tmp_path, CLASSES)
    mean = rows[rows["method"] == "encoder + extra trees"]
    assert mean["seed"].tolist() == [0, 0]
    assert mean["p_tense"].tolist() == pytest.approx([0.2, 0.55])


def test_seeds_of_networks_and_llms_answer_together_in_a_row_of_their_own():
    tables = []
    for seed, tense in enumerate(([0.1, 0.9, 0.6], [0.3, 0.2, 0.7])):
        frames = [answers(name, tense, seed) for name in ("LLM on codes", "LLM on codes, generated", "CNN")]
        forest = answers("extra trees", tense, seed).assign(family="classical")
        frames.append(answers("GRU-XNet, dynamic", tense, seed).assign(family="encoder"))
        # Other orders of segments must not matter.
        tables.append(pd.concat([*frames, forest])[:: 1 - 2 * seed])
    both = pd.concat(ensembles(pd.concat(tables), CLASSES))
    assert set(both["method"]) == {
        "LLM on codes, ensemble", "CNN, ensemble", "GRU-XNet, dynamic, ensemble"
    }  # fmt: skip
    one = both[both["method"] == "LLM on codes, ensemble"].set_index("segment")
    assert one["p_tense"].to_dict() == pytest.approx({"s0": 0.2, "s1": 0.55, "s2": 0.65})
    assert one["prediction"].to_dict() == {"s0": "calm", "s1": "tense", "s2": "tense"}
    assert set(one["seconds"]) == {2.0}
    assert set(one["note"]) == {"mean of 2 seeds, each fitted by itself"}
    assert set(one["seed"]) == {0}
