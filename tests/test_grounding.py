"""Asking a model for measured values: models of known behaviour, and the whole command."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import two_state_recording

from biollm.artefact import ArtefactError
from biollm.building import BuildConfig, build
from biollm.cli import run
from biollm.finetuning import FinetuneConfig, FinetuneTraining, finetune
from biollm.grounded_questions import CONDITIONS, RANDOM, SIGNAL
from biollm.grounding import GroundConfig, ground, make_asker, measure_claims, source_with_levels
from biollm.grounding_report import grounding_report, render_grounding
from data_builders.preparing import PrepareConfig, prepare
from data_builders.recording import Signal, save_recording
from data_builders.splits import Split
from data_builders.stage import read_stamp
from data_builders.store import SegmentStore
from encoders.signal_tokenizer import SignalTokenizer
from encoders.trainer import TrainEncoderConfig, train_encoder
from prompts import Facts, Quantity, language_folder, load_task

SOURCE = "bins+levels"
N_SEGMENTS = 12


def smooth_recording(subject: str, seed: int):
    """Skin conductance that drifts as skin does, and a heart rate: quantities that can be measured."""
    recording = two_state_recording(subject, seed)
    rng = np.random.default_rng(seed)
    n = recording.signals["gsr"].data.shape[1]
    drift = np.cumsum(rng.normal(0, 0.02, n))
    level = rng.uniform(2, 12) + np.convolve(drift, np.ones(40) / 40, "same")
    return replace(recording, signals=recording.signals | {"gsr": Signal(level[None], 8.0, ("gsr",), "µS")})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store of such recordings and a signal tokenizer without codes."""
    folder = tmp_path_factory.mktemp("grounded")
    (folder / "recordings").mkdir()
    for k in range(8):
        save_recording(smooth_recording(f"P{k}", k), folder / "recordings" / f"P{k}.npz")
    store = prepare(
        PrepareConfig("npz", str(folder / "recordings"), str(folder / "store"), window=10.0, step=5.0),
        progress=False,
    )
    tokenizer = folder / "tokenizer"
    train_encoder(TrainEncoderConfig(str(store), str(tokenizer), tokenizer={"encoder": None}), progress=False)
    return SimpleNamespace(store=store, tokenizer=tokenizer, split=tokenizer / "split.json", folder=folder)


@pytest.fixture(scope="module")
def asking(made):
    """What asks about their test subjects."""
    config = GroundConfig(store=str(made.store), n_segments=N_SEGMENTS, phrasings=2)
    split = Split.load(made.split)
    tokenizer = SignalTokenizer.from_pretrained(made.tokenizer / "signal_tokenizer")
    asker = make_asker(config, SegmentStore(made.store), split, tokenizer, SOURCE)
    return SimpleNamespace(config=config, split=split, asker=asker, quantities=asker.means())


def reported(asking, answer):
    """The report on a model that answers each question by a function of what was asked."""
    remembered = {}
    asker = asking.asker

    class Remembering:
        def __getattr__(self, name):
            return getattr(asker, name)

        def questions(self, rows):
            for one in asker.questions(rows):
                remembered[one.text] = one
                yield one

    def answering(system, texts):
        assert system == asker.describe.system([Facts()])
        return [answer(remembered[text]) for text in texts]

    asked, answers, claims = measure_claims(Remembering(), asking.split, asking.config, answering)
    about = {"artefact": "a", "base_model": "b", "source": SOURCE, "signal_mode": "tokens", "dataset": "d"}
    about |= {"n_segments": N_SEGMENTS, "subjects": ["P"], "protocol": "p", "fold": 0, "phrasings": 2}
    return SimpleNamespace(
        asked=asked, claims=claims, report=grounding_report(about, claims, answers, asking.quantities)
    )


def saying(asking, numbers):
    """A description with these numbers; a refusal where there are none."""
    quantities = [replace(q, value=numbers[q.key]) for q in asking.quantities if q.key in numbers]
    if quantities:
        return asking.asker.describe.reply_of(quantities, random.Random(0))
    return load_task("refuse").reply([Facts(unusable="the signal is noise")], random.Random(0))


def of_llm(found):
    """Each quantity's metrics of each kind of question, where it was asked for."""
    values = [one for kind in found.report["values"].values() for one in kind.values()]
    return [one for one in values if one["rows"]["LLM"]["n"]]


@pytest.fixture(scope="module")
def truthful(asking):
    return reported(asking, lambda one: saying(asking, {key: one.measured[key] for key in one.expected}))


def test_all_kinds_of_signal_are_asked_about(truthful):
    conditions = {one.condition for one in truthful.asked}
    assert conditions == set(CONDITIONS)
    real = [one for one in truthful.asked if one.condition == SIGNAL]
    assert len({one.segment for one in real}) == N_SEGMENTS
    assert sum(one.question == "described" for one in real) == 2 * N_SEGMENTS
    assert all(one.expected for one in real)
    assert not any(one.expected for one in truthful.asked if one.condition != SIGNAL)


def test_single_quantities_are_asked_for_as_it_is_taught(truthful, asking):
    describe, rng = asking.asker.describe, random.Random(0)
    taught = {describe.question_of([q.name], rng) for q in asking.quantities for _ in range(200)}
    single = [one for one in truthful.asked if one.question == "asked"]
    assert single
    assert all(any(question in one.text for question in taught) for one in single)


def test_open_answers_are_held_against_the_quantities_that_are_taught(asking):
    """The first three and three more, those out of their range first; the last of eight is."""
    many = tuple(
        Quantity(f"k{k}", f"quantity {k}", 20.0 if k == 7 else 5.0, "percent", 1.0, 9.0, 0) for k in range(8)
    )
    facts, describe = Facts(signal="signal", quantities=many), asking.asker.describe
    asked = asking.asker._about(SIGNAL, "s", "P", facts, {})
    (expected,) = {one.expected for one in asked if one.question == "described"}
    said = describe.parse(describe.reply([facts], random.Random(0)), [facts])
    assert {key for key in said if not key.endswith(".level")} == set(expected)
    assert "k7" in expected


def test_one_who_says_the_truth_is_right_in_all(truthful):
    assert len(of_llm(truthful)) >= 6  # heart rate, level and trend, in both kinds of question
    for one in of_llm(truthful):
        row = one["rows"]["LLM"]
        assert (row["named"], row["mae"], row["within"]) == (1.0, 0.0, 1.0), one["name"]
        # Levels and trends of one value throughout have no correlation.
        assert row["correlation"] is None or row["correlation"] == pytest.approx(1.0)
        assert one["contradictions"] in (0.0, None)
        assert one["level_right"] in (1.0, None)
        assert one["invented"] == 0
    assert truthful.report["conditions"][SIGNAL]["beside_the_question"] == 0.0
    for name, condition in truthful.report["conditions"].items():
        for share in condition["questions"].values():
            assert (share["refused"], share["numbers"]) == ((0.0, 1.0) if name == SIGNAL else (1.0, 0.0))


def test_one_who_says_constants_has_the_error_of_the_training_mean(asking):
    means = {q.key: q.value for q in asking.quantities}
    found = reported(asking, lambda one: saying(asking, {key: means[key] for key in one.expected or means}))
    for one in of_llm(found):
        row, mean = one["rows"]["LLM"], one["rows"]["training mean"]
        assert row == mean
        assert row["correlation"] is None
        measured = found.claims[
            (found.claims["quantity"].map({q.key: q.name for q in asking.quantities}) == one["name"])
            & found.claims["expected"]
        ]["measured"].unique()
        assert row["mae"] <= np.abs(measured - mean_of(asking, one["name"])).max() + 1e-9
    for name, condition in found.report["conditions"].items():
        for share in condition["questions"].values():
            assert (share["refused"], share["numbers"]) == (0.0, 1.0), name


def test_one_who_says_all_he_knows_answers_beside_the_question(asking):
    found = reported(asking, lambda one: saying(asking, one.measured))
    assert found.report["conditions"][SIGNAL]["beside_the_question"] == 1.0
    assert all(one["rows"]["LLM"]["within"] == 1.0 for one in of_llm(found))


def mean_of(asking, name):
    (quantity,) = [q for q in asking.quantities if q.name == name]
    return round(quantity.value, quantity.digits)


def test_one_who_refuses_measures_nothing(asking):
    found = reported(asking, lambda one: saying(asking, {}))
    for one in of_llm(found):
        row = one["rows"]["LLM"]
        assert (row["named"], row["mae"], row["within"]) == (0.0, None, 0.0)
    for condition in found.report["conditions"].values():
        for share in condition["questions"].values():
            assert (share["refused"], share["numbers"], share["unreadable"]) == (1.0, 0.0, 0.0)
        assert condition["correlation"] is None


def test_one_who_reads_its_tokens_says_what_they_allow(asking):
    found = reported(
        asking,
        lambda one: saying(
            asking,
            {key: span[1] for key, span in one.tokens.items() if key in (one.expected or one.tokens)},
        ),
    )
    for one in of_llm(found):
        row, token = one["rows"]["LLM"], one["rows"]["its token"]
        assert row == token
        assert one["outside_token"] == 0.0
    rate = found.report["values"]["asked"]["heart_rate_mean"]["rows"]
    assert rate["its token"]["mae"] < 0.5 * rate["training mean"]["mae"]
    by_chance = found.report["conditions"][RANDOM]
    assert by_chance["outside_token"] == 0.0
    assert abs(by_chance["correlation"]) < found.report["conditions"][SIGNAL]["correlation"] - 0.3


def test_a_measured_value_lies_in_its_token(asking):
    """Up to test subjects' values beyond all training values, which the outer tokens stand for."""
    rows = np.flatnonzero(asking.asker.train)
    features = asking.asker.inputs.features
    for row, spans in zip(rows[:50], asking.asker.ranges.of(features.iloc[rows[:50]]), strict=True):
        for key, (low, centre, high) in spans.items():
            assert low <= features[key].iloc[row] <= high
            assert low <= centre <= high


def test_the_page_shows_every_quantity_with_its_baselines(truthful, asking):
    page = render_grounding(truthful.report)
    for quantity in asking.quantities:
        assert f"| {quantity.name}, {quantity.unit} | LLM |" in page
    assert page.count("| its token |") == page.count("| LLM |") == page.count("| training mean |")
    assert all(f"- {name}: " in page for name in CONDITIONS)
    json.dumps(truthful.report, allow_nan=False)


def test_the_source_with_the_measured_values_is_asked_on():
    assert source_with_levels(["codes", "bins+levels", "codes+levels"]) == "bins+levels"
    assert source_with_levels(["codes", "bins"]) == "codes"


@pytest.fixture(scope="module")
def artefact(made, make_base):
    """A base that was tuned for a few steps on descriptions and refusals."""
    folder = made.folder
    built = build(
        BuildConfig(
            str(made.store), str(made.tokenizer), str(folder / "built"), sources=["levels"], copies=0,
            tasks="describe=1,refuse=0.5", n_conversations=64, model_name_or_path=make_base(),
        ),
        progress=False,
    )  # fmt: skip
    config = FinetuneConfig(str(built), str(folder / "artefact"), make_base())
    return finetune(config, FinetuneTraining(max_steps=2, per_device_train_batch_size=2), progress=False)


def test_the_command_writes_report_page_figure_and_all_answers(artefact, made, tmp_path):
    config = GroundConfig(
        str(artefact), str(made.store), str(made.split), str(tmp_path / "out"),
        n_segments=2, phrasings=1, max_new_tokens=12,
    )  # fmt: skip
    out = ground(config, progress=False)
    report = json.loads((out / "grounding.json").read_text())
    answers = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    claims = pd.read_parquet(out / "claims.parquet")
    assert report["about"]["source"] == "levels"
    assert report["about"]["n_segments"] == len({a["segment"] for a in answers}) == 2
    counted = sum(s["n"] for c in report["conditions"].values() for s in c["questions"].values())
    assert counted == len(answers)
    asked = report["values"]["asked"]
    for key, one in asked.items():
        expected = claims[(claims["quantity"] == key) & claims["expected"] & (claims["question"] == "asked")]
        assert one["rows"]["LLM"]["n"] == len(expected)
        assert one["rows"]["training mean"]["named"] in (1.0, None)
    assert (out / "grounding.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "grounding.md").read_text() == render_grounding(report)
    before = (out / "stage.json").stat().st_mtime_ns
    ground(config, progress=False)
    assert (out / "stage.json").stat().st_mtime_ns == before


def test_questions_in_other_wordings_are_asked_anew(artefact, made, tmp_path):
    language = shutil.copytree(language_folder("en"), tmp_path / "mine")
    config = GroundConfig(
        str(artefact), str(made.store), str(made.split), str(tmp_path / "out"), language=str(language),
        n_segments=1, phrasings=1, max_new_tokens=4,
    )  # fmt: skip
    first = read_stamp(ground(config, progress=False), "ground")["key"]
    with (language / "describe.yaml").open("a") as file:
        file.write("# another\n")
    assert read_stamp(ground(config, progress=False), "ground")["key"] != first


def test_an_artefact_that_was_not_taught_to_describe_is_refused(artefact_folder, made, tmp_path):
    config = GroundConfig(str(artefact_folder), str(made.store), str(made.split), str(tmp_path / "out"))
    with pytest.raises(ArtefactError, match=r"taught \['emotion'\]; ground asks for 'describe'"):
        ground(config, progress=False)


def test_another_split_or_source_is_one_message_and_status_2(artefact, made, tmp_path, capsys):
    own = Split.load(made.split)
    swapped = {name: {"test": "train", "train": "test"}.get(part, part) for name, part in own.parts.items()}
    Split(swapped, "another").save(tmp_path / "split.json")
    common = ["--artefact", str(artefact), "--store", str(made.store), "--out", str(tmp_path / "out")]
    for options, said in (
        (["--split", str(tmp_path / "split.json")], own.hash),
        (["--split", str(made.split), "--source", "codes"], "['levels']"),
    ):
        with pytest.raises(SystemExit) as stop:
            run("ground", [*common, *options])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err
