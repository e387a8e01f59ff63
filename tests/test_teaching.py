"""Soft labels: of whom they are, and that no teacher has seen whom it answers for."""

from __future__ import annotations

import numpy as np
import pytest

from biollm import teaching
from biollm.teaching import soft_labels
from data_builders.store import SegmentStore
from encoders.inputs import signal_inputs
from encoders.signal_encoder import labelled_rows

CLASSES = ("calm", "tense")


@pytest.fixture(scope="module")
def inputs(store):
    return signal_inputs(SegmentStore(store).segments(), 2.0)


def test_each_labelled_segment_gets_probabilities(inputs):
    soft = soft_labels(inputs, CLASSES, "logistic regression", share=1.0)
    table = inputs.table.iloc[labelled_rows(inputs, CLASSES)]
    assert set(soft) == set(table["segment"])
    values = np.array([soft[segment] for segment in table["segment"]])
    np.testing.assert_allclose(values.sum(axis=1), 1.0)
    # The two states are easily told apart, also of people who were not learned from.
    right = np.array(CLASSES)[values.argmax(axis=1)] == table["emotion"]
    assert right.mean() > 0.9


def test_the_share_mixes_with_the_label(inputs):
    own = soft_labels(inputs, CLASSES, "logistic regression", share=0.0)
    half = soft_labels(inputs, CLASSES, "logistic regression", share=0.5)
    full = soft_labels(inputs, CLASSES, "logistic regression", share=1.0)
    labels = dict(zip(inputs.table["segment"], inputs.table["emotion"], strict=True))
    for segment, values in own.items():
        assert values == [float(labels[segment] == name) for name in CLASSES]
        np.testing.assert_allclose(half[segment], (np.array(values) + full[segment]) / 2)


def test_no_teacher_answers_for_those_whom_it_learned_from(inputs, monkeypatch):
    asked = []

    def watched(name, fitted, held, rows_fit, rows_held, **rest):
        known, new = (set(x.table["group"]) for x in (fitted, held))
        assert not known & new
        asked.extend(held.table["segment"].to_numpy()[rows_held])
        return original(name, fitted, held, rows_fit, rows_held, **rest)

    original = teaching.predict_baseline
    monkeypatch.setattr(teaching, "predict_baseline", watched)
    soft = soft_labels(inputs, CLASSES, "LDA")
    assert sorted(asked) == sorted(soft)


def test_teachers_that_give_no_probabilities_and_single_subjects_are_refused(inputs):
    with pytest.raises(ValueError, match=r"teacher is 'SVM-RBF'; allowed are \['logistic regression'"):
        soft_labels(inputs, CLASSES, "SVM-RBF")
    alone = inputs[(inputs.table["subject"] == "P1").to_numpy()]
    with pytest.raises(ValueError, match=r"two training subjects or more .* got 1"):
        soft_labels(alone, CLASSES, "LDA")
