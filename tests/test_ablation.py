"""Ablation: variants change what they name, share what they can, and stand in one table."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from conftest import TINY_TOKENIZER

from biollm.ablating import AblateConfig, _jobs, ablate, variants_to_run
from biollm.ablation_table import ablation_figure, ablation_rows, information_shares, render_ablation
from biollm.ablation_variants import DEFAULT, VARIANTS, Variant, changed, chosen_variants
from biollm.context import Context
from biollm.evaluation.report import json_values
from biollm.experiment import EvaluateConfig
from data_builders import group_kfold
from data_builders.splits import Split, inner_split
from data_builders.store import SegmentStore
from prompts import language_folder

TRAINING = {"max_steps": 2, "per_device_train_batch_size": 2}
BUILD = {"n_conversations": 16, "copies": 1}


@pytest.fixture(scope="module")
def settings(store, make_base, tmp_path_factory):
    """What a small ablation needs."""
    return {
        "store": str(store), "out": str(tmp_path_factory.mktemp("ablation") / "out"),
        "model_name_or_path": make_base(), "tokenizer": TINY_TOKENIZER, "build": BUILD, "training": TRAINING,
        "protocol": "gkf4", "folds": [1], "seeds": [0],
    }  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_changes_what_it_names_and_nothing_else(settings, name):
    config = AblateConfig(**settings, variants=[name])
    before = asdict(changed(config, Variant("")))
    after = asdict(changed(config, VARIANTS[name]))
    assert {key for key in before if before[key] != after[key]} == set(VARIANTS[name].changes)
    for key in ("build", "training"):
        assert {**before[key], **after[key]} == after[key]
    kept = {k: v for k, v in TINY_TOKENIZER["encoder"].items() if k != "quantizer"}
    assert kept.items() <= after["tokenizer"]["encoder"].items()


def test_names_and_groups_choose_variants_and_the_default_is_always_there():
    assert list(chosen_variants(["words"], {})) == [DEFAULT, "words"]
    assert list(chosen_variants(["LoRA"], {})) == [
        DEFAULT,
        *(name for name, variant in VARIANTS.items() if variant.group == "LoRA"),
    ]
    assert list(chosen_variants([], {"mine": {"signal_mode": "words"}})) == [DEFAULT, "mine"]
    with pytest.raises(ValueError, match=r"unknown variants \['letters'\], taken names \['words'\]"):
        chosen_variants(["letters"], {"words": {}})
    assert list(chosen_variants(["mine"], {"mine": {"signal_mode": "words"}})) == [DEFAULT, "mine"]
    for own in ({"rate: 5e-3": {}}, {"mine": 3}):
        with pytest.raises(ValueError, match=r"names without ': ', each with settings"):
            chosen_variants([], own)


def test_settings_are_changed_by_keys_with_values(settings):
    with pytest.raises(ValueError, match=r"'mine': changes \['tokenizer'\] to what is no mapping"):
        AblateConfig(**settings, own={"mine": {"tokenizer": None}})


def test_variants_that_change_nothing_are_left_out_of_all_and_refused_by_name(settings):
    settings = {**settings, "signal_mode": "words"}
    chosen = variants_to_run(AblateConfig(**settings, variants=["all"]))
    assert "words" not in chosen
    assert {DEFAULT, "digits"} <= set(chosen)
    with pytest.raises(ValueError, match=r"variants \['words'\] are the default here"):
        AblateConfig(**settings, variants=["words"])
    with pytest.raises(ValueError, match=r"variants \['mine'\] are the default here"):
        AblateConfig(**settings, variants=["all"], own={"mine": {"signal_mode": "words"}})


def test_what_fits_another_encoder_has_a_head_of_its_own():
    own = {"slow": {"tokenizer": {"frame_seconds": 4}}, "causal": {"normalisation": "baseline"},
           "coarse": {"tokenizer": {"n_bins": 4}}}  # fmt: skip
    heads = {name: variant.own_head for name, variant in chosen_variants([], own).items()}
    assert heads == {DEFAULT: True, "slow": True, "causal": True, "coarse": False}


@pytest.mark.parametrize("folds", [[1, 9], []])
def test_folds_that_a_protocol_has_not_are_refused(settings, folds):
    with pytest.raises(ValueError, match=r"folds is .*; allowed are those of the protocol, \[0, 1, 2, 3\]"):
        ablate(AblateConfig(**{**settings, "folds": folds}), progress=False)


def test_changes_of_what_is_no_setting_are_refused(settings):
    with pytest.raises(ValueError, match=r"'mine': changes \['seeds', 'signals'\], which no variant can"):
        AblateConfig(**settings, own={"mine": {"signals": "words", "seeds": [1]}})
    with pytest.raises(ValueError, match=r"variant 'mine'.*signal_mode \['letters'\] unknown"):
        AblateConfig(**settings, own={"mine": {"signal_mode": "letters"}})


def test_the_inner_split_leaves_the_test_subjects_out(store):
    table = SegmentStore(store).table
    for outer in group_kfold(table, 4):
        inner = inner_split(table, outer)
        parts = {part: set(table[table["segment"].map(inner.parts) == part]["subject"])
                 for part in ("train", "validation", "test")}  # fmt: skip
        of_outer = {part: set(table[table["segment"].map(outer.parts) == part]["subject"])
                    for part in ("train", "validation", "test")}  # fmt: skip
        assert parts["test"] == of_outer["validation"]
        assert parts["train"] | parts["validation"] == of_outer["train"]
        assert not parts["train"] & parts["validation"]
        assert not set().union(*parts.values()) & of_outer["test"]
    fewer = Split(dict(list(outer.parts.items())[::2]), "gkf4", outer.fold)
    assert set(inner_split(table, fewer).parts) < set(fewer.parts)
    without = Split({k: v for k, v in outer.parts.items() if v != "validation"}, "gkf4")
    with pytest.raises(ValueError, match="0 validation subjects"):
        inner_split(table, without)


def test_known_subjects_are_refused(settings):
    """Their normalisation would have to be fitted on the training windows alone."""
    for part in ("validation", "test"):
        config = AblateConfig(**{**settings, "protocol": "blocks3"}, part=part)
        with pytest.raises(ValueError, match=r"'.*' the test subjects are known.* protocol by subject"):
            ablate(config, progress=False)


def test_ratings_are_refused_and_no_variant_asks_for_them(settings):
    with pytest.raises(
        ValueError, match=r"targets is \['valence'\], allowed is \['emotion'\].*biollm evaluate"
    ):
        AblateConfig(**settings, targets=["valence"])
    with pytest.raises(ValueError, match=r"'mine': changes \['targets'\], which no variant can"):
        AblateConfig(**settings, own={"mine": {"targets": ["valence"]}})


def test_a_signal_tokenizer_of_other_code_is_not_shared(store, tmp_path, monkeypatch):
    from biollm import llm_methods

    class Fitted:
        def save_pretrained(self, folder):
            folder.mkdir()

    split = group_kfold(SegmentStore(store).table, 4)[0]
    config = EvaluateConfig(str(store), tokenizer=TINY_TOKENIZER)
    context = Context(None, split, SegmentStore(store), config, 0, tmp_path / "work", False,
                      tokenizers=tmp_path / "shared")  # fmt: skip
    monkeypatch.setattr(llm_methods, "_fitted", lambda *_: Fitted())
    monkeypatch.setattr(llm_methods.SignalTokenizer, "from_pretrained", lambda folder: folder)
    monkeypatch.setattr(llm_methods, "code_hash", lambda *_: "one")
    first = llm_methods.fit_tokenizer(context, None)
    assert llm_methods.fit_tokenizer(context, None) == first
    monkeypatch.setattr(llm_methods, "code_hash", lambda *_: "other")
    assert llm_methods.fit_tokenizer(context, None) != first


def test_an_alignment_stage_is_trained_as_the_one_behind_it_but_for_its_steps(store, tmp_path, monkeypatch):
    from biollm import artefact, llm_methods

    ran = []

    def tuned(context, inputs, tokenizer, sources, place, build, training, adapter):
        ran.append((place.name, build, training, adapter))
        return place / "artefact"

    monkeypatch.setattr(llm_methods, "_tuned", tuned)
    monkeypatch.setattr(llm_methods, "read_out", lambda *_: iter(()))
    monkeypatch.setattr(artefact, "load_artefact", lambda folder: folder)
    config = EvaluateConfig(str(store), training={"max_steps": 9, "max_length": 2048}, build=BUILD,
                            alignment={"tasks": {"describe": 1}, "max_steps": 3})  # fmt: skip
    work = tmp_path / "work"
    context = Context(None, None, SegmentStore(store), config, 0, work, False)
    list(llm_methods.tune_and_read(context, None, None, ["bins+levels"], 0.0))
    assert ran == [
        ("alignment", {"tasks": {"describe": 1}}, {"max_steps": 3, "max_length": 2048}, None),
        (
            "work",
            {"answer_forms": 1, **BUILD},
            {"max_steps": 9, "max_length": 2048},
            work / "alignment" / "artefact",
        ),
    ]


def test_the_figure_shows_every_variant_once():
    rights = (
        f"{DEFAULT}: encoder",
        f"{DEFAULT}: codes",
        f"{DEFAULT}: average",
        "mine: encoder",
        "mine: bins",
        "SVM",
    )
    frames = [made(method, 0.8, 0) for method in rights]
    variants = {DEFAULT: VARIANTS[DEFAULT], "mine": Variant("own")}
    rows = ablation_rows(pd.concat(frames), variants, ("calm", "tense"))
    (axes,) = ablation_figure(rows, "made").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [DEFAULT, "mine", "SVM"]


def made(method: str, share_right: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng([seed, int(100 * share_right)])
    truth = np.tile(["calm", "tense"], 100)
    wrong = np.where(truth == "calm", "tense", "calm")
    return pd.DataFrame(
        {
            "segment": [f"s{k}" for k in range(200)], "subject": [f"P{k % 10}" for k in range(200)],
            "fold": 0, "seed": seed, "method": method, "family": "llm", "note": "12 tokens a segment",
            "seconds": 1.0, "truth": truth,
            "prediction": np.where(rng.random(200) < share_right, truth, wrong),
        }
    )  # fmt: skip


def test_an_interval_that_is_not_known_is_left_out():
    """As of a single scored subject."""
    frames = [made(name, right, 0).assign(subject="P0") for name, right in
              ((f"{DEFAULT}: codes", 0.9), ("words: codes", 0.7))]  # fmt: skip
    rows = ablation_rows(pd.concat(frames), {n: VARIANTS[n] for n in (DEFAULT, "words")}, ("calm", "tense"))
    text = json.dumps(json_values(rows), allow_nan=False)
    assert "nan" not in render_ablation(json.loads(text))


def test_rows_stand_against_the_same_readout_of_the_default():
    rights = {f"{DEFAULT}: codes": 0.9, "words: codes": 0.7, "words: bins": 0.6, "SVM": 0.8}
    frames = [made(method, right, seed) for method, right in rights.items() for seed in (0, 1)]
    variants = {name: VARIANTS[name] for name in (DEFAULT, "words")}
    rows = ablation_rows(pd.concat(frames), variants, ("calm", "tense"))
    found = {row["method"]: row for row in rows}
    words, default = found["words: codes"], found[f"{DEFAULT}: codes"]
    assert words["difference"] == pytest.approx(words["balanced_accuracy"] - default["balanced_accuracy"])
    assert words["difference_ci95"][0] < words["difference"] < words["difference_ci95"][1]
    assert words["balanced_accuracy"] == pytest.approx(np.mean(words["by_seed"]))
    assert 0 < words["bits"] < default["bits"] < 1
    assert found["words: bins"]["difference"] is None
    assert (found["SVM"]["group"], found["SVM"]["variant"]) == ("without an LLM", None)
    table = render_ablation(rows)
    assert len(table.splitlines()) == 2 + 4
    assert set(information_shares(rows).values()) == {None}
    assert "| words | codes |" in table
    assert "| 12 |" in table


def test_a_readout_has_its_share_of_what_the_head_on_its_codes_carries():
    rights = {f"{DEFAULT}: encoder": 0.9, f"{DEFAULT}: codes": 0.8, "FSQ: encoder": 0.8, "FSQ: codes": 0.8,
              "words: codes": 0.7, "ceiling": 0.95}  # fmt: skip
    frames = [made(method, right, 0) for method, right in rights.items()]
    variants = {name: VARIANTS[name] for name in (DEFAULT, "FSQ", "words")}
    rows = ablation_rows(pd.concat(frames), variants, ("calm", "tense"))
    bits, shares = {row["method"]: row["bits"] for row in rows}, information_shares(rows)
    for method, head in ((f"{DEFAULT}: codes", DEFAULT), ("FSQ: codes", "FSQ"), ("words: codes", DEFAULT)):
        assert shares[method] == pytest.approx(bits[method] / bits[f"{head}: encoder"])
    assert shares[f"{DEFAULT}: encoder"] is shares["ceiling"] is None


@pytest.mark.parametrize(
    ("readout", "of_default", "against"),
    [
        ("codes+bins", ["codes", "average"], "average"),
        ("codes+bins", ["codes+bins", "average"], "codes+bins"),
        ("codes+bins, generated", ["codes, generated", "average"], None),
        ("average", ["encoder", "codes+bins", "codes+bins, generated"], "codes+bins"),
        ("bins", ["codes+bins"], "codes+bins"),
    ],
)
def test_a_main_readout_stands_against_the_same_one_or_else_the_main_one(readout, of_default, against):
    rights = {f"{DEFAULT}: {name}": 0.7 + 0.1 * k for k, name in enumerate(of_default)}
    frames = [made(method, right, 0) for method, right in {f"words: {readout}": 0.6, **rights}.items()]
    variants = {name: VARIANTS[name] for name in (DEFAULT, "words")}
    row, *others = ablation_rows(pd.concat(frames), variants, ("calm", "tense"))
    gaps = {one["readout"]: row["balanced_accuracy"] - one["balanced_accuracy"] for one in others}
    assert row["difference"] == (None if against is None else pytest.approx(gaps[against]))


def test_variants_run_share_their_signal_tokenizer_and_are_not_run_again(settings, monkeypatch, capsys):
    config = AblateConfig(**settings, variants=["digits", "codebook rows, frozen"], groups=[],
                          sources=["codes", "bins"],
                          own={"only bins": {"sources": ["bins"]}})  # fmt: skip
    out = ablate(config, progress=False)
    methods = {row["method"] for row in json.loads((out / "ablation.json").read_text())}
    for name in (DEFAULT, "digits", "codebook rows, frozen"):
        assert {f"{name}: codes", f"{name}: bins", f"{name}: average"} <= methods
    assert "only bins: bins" in methods
    assert f"{DEFAULT}: encoder" in methods
    assert "digits: encoder" not in methods
    kept = out.with_name("out.jobs")
    assert len([p for p in (kept / "tokenizers").iterdir() if p.is_dir()]) == 1
    assert len(list(kept.glob("*.parquet"))) == 4
    # The validation subjects of the outer fold are scored.
    table = SegmentStore(settings["store"]).table
    scored = pd.concat(map(pd.read_parquet, kept.glob("*.parquet")))["subject"].unique()
    outer = group_kfold(table, 4)[1]
    assert set(scored) == set(table[table["segment"].map(outer.parts) == "validation"]["subject"])
    monkeypatch.setattr("biollm.ablating.run_one", lambda *_: pytest.fail("a finished job is run again"))
    fewer = AblateConfig(**settings, variants=["digits"], sources=["codes", "bins"], groups=[])
    ablate(fewer)
    printed = capsys.readouterr().out
    assert "| digits: codes " in printed
    assert "only bins" not in printed


def jobs_of(config, store, split, folder):
    return list(_jobs(config, variants_to_run(config), store, [split], folder, False))


def test_a_job_is_another_one_where_its_wordings_have_changed(settings, tmp_path):
    language = shutil.copytree(language_folder("en"), tmp_path / "mine")
    config = AblateConfig(**settings | {"build": {**BUILD, "language": str(language)}}, variants=["words"])
    store = SegmentStore(config.store)
    split = inner_split(store.table, group_kfold(store.table, 4)[1])

    def targets():
        return {job.target for job in jobs_of(config, store, split, tmp_path)}

    before = targets()
    assert targets() == before
    wording = language / "emotion.yaml"
    wording.write_text(wording.read_text() + "# another\n")
    assert not targets() & before


def test_a_job_is_another_one_with_other_libraries(settings, tmp_path, monkeypatch):
    config = AblateConfig(**settings, variants=["words"])
    store = SegmentStore(config.store)
    split = inner_split(store.table, group_kfold(store.table, 4)[1])
    before = {job.target for job in jobs_of(config, store, split, tmp_path)}
    monkeypatch.setattr("biollm.ablating.library_versions", lambda names: ["0"])
    assert not {job.target for job in jobs_of(config, store, split, tmp_path)} & before


def test_groups_that_are_run_once_are_run_with_the_first_seed(settings, tmp_path):
    config = AblateConfig(**settings | {"seeds": [3, 4]}, variants=["words"], groups=["classical", "floats"])
    store = SegmentStore(config.store)
    split = inner_split(store.table, group_kfold(store.table, 4)[1])
    names = [job.name for job in jobs_of(config, store, split, tmp_path)]
    assert [name for name in names if "floats" in name] == ["floats, fold 1, seed 3"]
    for name in ("classical", DEFAULT, "words"):
        assert [one for one in names if one.startswith(name)] == [f"{name}, fold 1, seed {k}" for k in (3, 4)]
