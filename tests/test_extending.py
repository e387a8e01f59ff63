"""docs/extending.md: its Python, run as it stands."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from biollm import compared_methods
from biollm.baselines import BASELINES
from data_builders.catalogue import describe_reader
from data_builders.preparing import PrepareConfig, prepare
from data_builders.readers import READERS
from data_builders.store import SegmentStore
from encoders.features import FEATURES
from encoders.features.catalogue import CATALOGUE
from encoders.input_cache import inputs_folder, store_inputs

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
REGISTERS = (BASELINES, compared_methods.METHODS, READERS, FEATURES, CATALOGUE)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """What its blocks define, one behind the other; the controls of its comparisons are k-NN's."""
    known = [dict(register) for register in REGISTERS]
    parts = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    folder = tmp_path_factory.mktemp("python")
    (folder / "page.py").write_text("\n".join(parts))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for how in compared_methods.CONTROLS:
            patch.setitem(
                compared_methods.METHODS, f"extra trees, {how}", compared_methods.control("k-NN", how)
            )
        patch.syspath_prepend(folder)
        yield vars(import_module("page"))
    for register, before in zip(REGISTERS, known, strict=True):
        register.clear()
        register.update(before)


def test_its_parts_say_what_the_text_says(page):
    assert page["segments"].signals["ecg"].ndim == 3
    assert set(page["segments"].table["subject"]) == {page["store"].table["subject"][0]}
    assert len(page["texts"]) == len(page["segments"])
    assert 0 < page["splits"][0].mask(page["store"].table, "test").sum() < len(page["store"])
    assert {"emotion"} == set(page["scores"]["targets"])
    assert {"LDA"} < {row["method"] for row in page["report"]["results"]}
    assert {"truth", "prediction", "p_fear"} <= set(page["answers"].columns)


def test_a_feature_of_one_s_own_is_in_the_table_and_in_its_place(page):
    store = page["store"]
    found = store_inputs(store).features["gsr_range"]
    assert found.iloc[0] == pytest.approx(np.ptp(store.segments(np.array([0])).signals["gsr"]), rel=1e-5)
    own = inputs_folder(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FEATURES, "gsr", page["gsr_features"])
        assert inputs_folder(store) != own


def test_a_baseline_of_one_s_own_is_a_row(page):
    rows = pd.read_json(Path(page["store"].location).parent / "python-naive" / "report.json", typ="series")
    (row,) = [row for row in rows["results"] if row["method"] == "naive Bayes"]
    assert 0 < row["balanced_accuracy"] <= 1
    assert "var_smoothing=" in row["note"]


def test_a_reader_of_one_s_own_is_prepared_and_described(page, tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("anna", "ben"):
        np.save(tmp_path / "data" / f"{name}.npy", 5 + np.random.default_rng(0).normal(size=960))
    prepare(PrepareConfig(dataset="lab", root=str(tmp_path / "data"), out=str(tmp_path / "store")), False)
    table = SegmentStore(tmp_path / "store").table
    labelled = table[~table["reference"]]
    assert labelled.groupby("subject")["emotion"].unique().map(list).tolist() == [["rest", "work"]] * 2
    assert "root" not in describe_reader("lab")["reader_options"]
