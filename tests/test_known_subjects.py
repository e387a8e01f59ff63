"""Splits within subjects: one normalisation a person, whichever part a window is in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from biollm.known_subjects import normalised_before
from data_builders.splits import make_splits
from data_builders.store import SegmentStore
from encoders.inputs import signal_inputs


def test_a_subjects_windows_share_their_statistics_over_all_parts(store):
    opened = SegmentStore(store)
    inputs = signal_inputs(opened.segments(), 2.0)
    split = make_splits(opened.table, "trial5")[0]
    assert not split.subject_disjoint
    made = normalised_before(inputs, split, "subject")
    seen = ~made.table["reference"].to_numpy(bool)
    by_subject = made.features[seen].groupby(made.table["subject"][seen])
    # float32 sums over some 150 windows
    np.testing.assert_allclose(by_subject.mean().to_numpy(), 0, atol=1e-4)
    spread = by_subject.std(ddof=0).to_numpy()
    np.testing.assert_allclose(spread[spread > 0], 1, atol=1e-4)
    for data in made.streams.values():
        one = data[seen & (made.table["subject"] == "P0").to_numpy()]
        np.testing.assert_allclose(one.mean(axis=(0, 2)), 0, atol=1e-3)
        np.testing.assert_allclose(one.std(axis=(0, 2)), 1, atol=1e-3)
    pd.testing.assert_frame_equal(made.table, inputs.table)


def test_a_baseline_in_another_part_than_the_training_serves_it(store):
    """In each fold of blocks, the first two minutes of some subjects are tested or chosen by."""
    opened = SegmentStore(store)
    inputs = signal_inputs(opened.segments(), 2.0)
    subject, reference = inputs.table["subject"], inputs.table["reference"].to_numpy(bool)
    split = make_splits(opened.table, "blocks3")[0]
    train = split.mask(inputs.table, "train")
    assert set(subject[train]) > set(subject[train & reference])
    made = normalised_before(inputs, split, "baseline").features["gsr_level"]
    level = inputs.features["gsr_level"]
    centred = level - subject.map(level[reference].groupby(subject[reference]).mean())
    learned = centred[train & ~reference]
    wanted = (centred - learned.mean()) / learned.std(ddof=0)
    np.testing.assert_allclose(made, wanted, atol=1e-4)  # float32


@pytest.mark.parametrize("protocol", ["trial5", "blocks5", "shuffled5"])
def test_protocols_within_subjects_can_be_evaluated(store, tmp_path, protocol):
    from biollm.experiment import EvaluateConfig, evaluate

    config = EvaluateConfig(
        store=str(store), out=str(tmp_path / "out"), protocol=protocol, groups=["classical"]
    )
    report = pd.read_json(evaluate(config, progress=False) / "report.json", typ="series")
    found = {row["method"]: row["balanced_accuracy"] for row in report["results"]}
    assert found["SVM-RBF"] > 0.9
    assert report["split"]["subject_disjoint"] is False
