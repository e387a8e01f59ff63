"""SEED, SEED-IV, GAMEEMO and Kaggle's feature table: what is read, and what is refused in which words."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from written import gameemo, kaggle, seed, seed_iv

from data_builders.readers import GAMEEMO, READERS, SEED, SEEDIV, KaggleEEG
from data_builders.readers.seed_iv import SESSION_LABELS

FIRST = "1_20131027.mat"
FIRST_IV = "1/1_20160518.mat"


def resave(path: Path, change: Callable[[dict], object]) -> None:
    """Write a MATLAB file again after a change of its variables."""
    found = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    change(found)
    savemat(path, found)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def test_seed_is_a_recording_a_clip_with_the_film_as_stimulus(tmp_path: Path) -> None:
    written = seed.write(tmp_path)
    reader = SEED(tmp_path)
    # by number, so that subject 10 comes after subject 1
    assert [path.name[:5] for path in reader.paths()] == ["1_201", "1_201", "10_20"]
    recordings = list(reader)
    assert [(r.subject, r.session) for r in recordings[::15]] == [
        ("1", "20131027"),
        ("1", "20131030"),
        ("10", "20131130"),
    ]
    words = {-1: "negative", 0: "neutral", 1: "positive"}
    for number, recording in enumerate(recordings[:15], start=1):
        eeg, (block,) = recording.signals["eeg"], recording.blocks
        np.testing.assert_allclose(eeg.data, written[f"djc_eeg{number}"], rtol=1e-6)
        assert (block.start, block.duration) == (0, eeg.duration) == (0, (1000 + number) / 200)
        assert block.labels == {"emotion": words[seed.LABELS[number - 1]]}
        assert block.stimulus == f"film-{number:02d}"
    films = {block.stimulus for recording in recordings for block in recording.blocks}
    assert len(films) == 15, "all sessions of all subjects show the same films"


def test_seed_has_62_channels_of_the_cap() -> None:
    channels = SEED.modalities["eeg"].channel_names
    assert len(set(channels)) == len(channels) == 62
    assert (channels[0], channels[23], channels[-1]) == ("FP1", "T7", "CB2")


def test_seed_iv_labels_are_those_of_the_session(tmp_path: Path) -> None:
    written = seed_iv.write(tmp_path)
    recordings = list(SEEDIV(tmp_path))
    assert Counter((r.subject, r.session) for r in recordings) == {
        ("1", "1"): 24,
        ("2", "1"): 24,
        ("1", "2"): 24,
        ("1", "3"): 24,
    }
    np.testing.assert_allclose(recordings[6].signals["eeg"].data, written["cz_eeg7"], rtol=1e-6)
    # the seventh clip is 0, 0 and 3 in the three lists
    seventh = [r.blocks[0] for r in recordings if r.name == "07" and r.subject == "1"]
    assert [block.labels["emotion"] for block in seventh] == ["neutral", "neutral", "happy"]
    assert [block.stimulus for block in seventh] == ["s1-07", "s2-07", "s3-07"]


def test_seed_iv_has_six_films_of_each_emotion_a_session() -> None:
    for labels in SESSION_LABELS.values():
        assert Counter(labels) == {0: 6, 1: 6, 2: 6, 3: 6}


@pytest.mark.parametrize(
    ("name", "file", "spoil", "said"),
    [
        ("seed", FIRST, cut, r"1_20131027\.mat: is cut off"),
        ("seed", FIRST, lambda p: p.write_bytes(b""), r"1_20131027\.mat: is no MATLAB file"),
        (
            "seed",
            FIRST,
            lambda p: resave(p, lambda d: d.pop("djc_eeg7")),
            r"1_20131027\.mat: holds the clips \[1, 2, 3, 4, 5, 6, 8.*_eeg15, each once",
        ),
        (
            "seed",
            FIRST,
            lambda p: resave(p, lambda d: d.update(djc_eeg2=d["djc_eeg2"].T, djc_eeg9=d["djc_eeg9"][:61])),
            r"djc_eeg2 has shape \(1002, 62\).*djc_eeg9 has shape \(61, 1009\).*\(62, n_samples\)",
        ),
        (
            "seed",
            "label.mat",
            lambda p: savemat(p, {"label": [[1, 0, 2]]}),
            r"label\.mat: 'label' is \[1, 0, 2\]; allowed are 15 values of \[-1, 0, 1\]",
        ),
        ("seed", "label.mat", lambda p: savemat(p, {"x": 1}), r"label\.mat: has no variables \['label'\]"),
        (
            "seed",
            FIRST,
            lambda p: p.rename(p.with_name("1_2013.mat")),
            r"the name is '1_2013\.mat'; allowed is SUBJECT_YYYYMMDD\.mat",
        ),
        (
            "seed_iv",
            FIRST_IV,
            lambda p: resave(p, lambda d: d.update(cz_eeg25=d["cz_eeg1"])),
            r"1_20160518\.mat: holds the clips .*25\]; allowed are ..._eeg1 to ..._eeg24",
        ),
        ("seed_iv", FIRST_IV, cut, r"1_20160518\.mat: is cut off"),
    ],
)
def test_a_malformed_film_session_is_refused(
    name: str, file: str, spoil: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    {"seed": seed, "seed_iv": seed_iv}[name].write(tmp_path)
    spoil(tmp_path / file)
    with pytest.raises(ValueError, match=said):
        list(READERS[name](tmp_path))  # type: ignore[call-arg]


def test_seed_without_its_labels_and_seed_iv_without_a_session_are_refused(tmp_path: Path) -> None:
    seed.write(tmp_path)
    (tmp_path / "label.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"reader 'seed': .* holds no label\.mat"):
        SEED(tmp_path)
    seed_iv.write(tmp_path)
    (tmp_path / "2" / "1_20161125.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"session folders \['2'\]"):
        SEEDIV(tmp_path)


def test_seed_iv_reads_the_sessions_that_one_has(tmp_path: Path) -> None:
    seed_iv.write(tmp_path)
    (tmp_path / "2" / "1_20161125.mat").unlink()
    assert {r.session for r in SEEDIV(tmp_path, ["3", "1"])} == {"1", "3"}
    for wrong in ([], "1", ["4"]):
        with pytest.raises(ValueError, match=r"sessions is .*allowed is a list of \['1', '2', '3'\]"):
            SEEDIV(tmp_path, wrong)


def test_seed_iv_finds_a_file_that_was_copied_into_another_session(tmp_path: Path) -> None:
    """It would get that session's labels."""
    seed_iv.write(tmp_path)
    shutil.copy(tmp_path / FIRST_IV, tmp_path / "2")
    with pytest.raises(ValueError, match=r"holds \['1_20160518\.mat'\] in two session folders"):
        SEEDIV(tmp_path)


def test_a_root_that_is_one_too_high_is_told_where_the_files_are(tmp_path: Path) -> None:
    for name, reader, module in (("a", SEEDIV, seed_iv), ("b", GAMEEMO, gameemo), ("c", SEED, seed)):
        folder = tmp_path / name / "the set"
        folder.mkdir(parents=True)
        module.write(folder)
        with pytest.raises(FileNotFoundError, match=rf"Is it {re.escape(str(folder))}\?"):
            reader(tmp_path / name)


def test_seed_iv_needs_the_session_in_the_path(tmp_path: Path) -> None:
    seed_iv.write(tmp_path)
    moved = (tmp_path / FIRST_IV).rename(tmp_path / "1_20160518.mat")
    with pytest.raises(ValueError, match=r"lies in the folder .*allowed are \['1', '2', '3'\]"):
        SEEDIV(tmp_path).read(f"{moved}#01")


def test_gameemo_games_are_emotions_and_pairs_are_groups(tmp_path: Path) -> None:
    gameemo.write(tmp_path)
    recordings = list(GAMEEMO(tmp_path))
    assert [(r.subject, r.group) for r in recordings[::4]] == [
        ("S01", "S01+S15"),
        ("S02", "S02+S16"),
        ("S15", "S01+S15"),
    ]
    found = [(r.blocks[0].stimulus, r.blocks[0].labels["emotion"]) for r in recordings[:4]]
    assert found == [("G1", "boring"), ("G2", "calm"), ("G3", "horror"), ("G4", "funny")]
    assert recordings[0].blocks[0].duration == recordings[0].duration == 5


@pytest.mark.parametrize("data", ["preprocessed", "raw"])
@pytest.mark.parametrize("suffix", ["csv", "mat"])
def test_gameemo_reads_either_data_in_either_form(data: str, suffix: str, tmp_path: Path) -> None:
    gameemo.write(tmp_path)
    recordings = list(GAMEEMO(tmp_path, data=data, format=suffix))
    assert len(recordings) == 12
    for recording in recordings:
        wanted = gameemo.signals(recording.subject, int(recording.name[1:]), data)
        # text of six digits, and float32
        np.testing.assert_allclose(recording.signals["eeg"].data, wanted, rtol=1e-5)


def test_gameemo_refuses_the_other_signals_and_tells_of_cut_ones(tmp_path: Path) -> None:
    gameemo.write(tmp_path)
    for data, other in (("preprocessed", "raw"), ("raw", "preprocessed")):
        with pytest.raises(ValueError, match=f"is not of the {data} signals"):
            GAMEEMO(tmp_path, data=data).read(gameemo.file_of(tmp_path, "S01", 1, other))
    with pytest.warns(UserWarning, match=r"S01G1AllChannels\.csv: holds 640 of a game's 38252 samples"):
        GAMEEMO(tmp_path).read(gameemo.file_of(tmp_path, "S01", 1))


def test_gameemo_takes_the_order_of_the_channels_from_the_header(tmp_path: Path) -> None:
    wanted = gameemo.write(tmp_path)
    path = gameemo.file_of(tmp_path, "S01", 1)
    gameemo.write_csv(path, wanted[::-1], gameemo.CHANNELS[::-1])
    eeg = GAMEEMO(tmp_path).read(path).signals["eeg"]
    assert eeg.channel_names == gameemo.CHANNELS
    np.testing.assert_allclose(eeg.data, wanted, rtol=1e-5)


def test_gameemo_without_pairs_warns_with_the_figures(tmp_path: Path) -> None:
    gameemo.write(tmp_path)
    with pytest.warns(UserWarning, match=r"k\+14 are near-copies.*\.90.*\.35.*chance \.25"):
        reader = GAMEEMO(tmp_path, pairs=False)
    assert {recording.group for recording in reader} == {""}


def test_gameemo_options_are_checked_together(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"data is 'clean'.*'preprocessed', 'raw'.*format is 'edf'.*'csv', 'mat'"
    ):
        GAMEEMO(tmp_path, data="clean", format="edf")


def test_gameemo_names_all_missing_games(tmp_path: Path) -> None:
    gameemo.write(tmp_path)
    gameemo.file_of(tmp_path, "S01", 2).unlink()
    gameemo.file_of(tmp_path, "S15", 4).unlink()
    with pytest.raises(FileNotFoundError, match=r"\(S01\).*lacks \['G2'\].*\(S15\).*lacks \['G4'\]"):
        GAMEEMO(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda p, x: gameemo.write_csv(p, x[:13], gameemo.CHANNELS[:13]),
            r"S01G1AllChannels\.csv: has 13 channels, of which \[\] are unknown; \['T8'\] are missing",
        ),
        (
            lambda p, x: gameemo.write_csv(p, x, (*gameemo.CHANNELS[:13], "Cz")),
            r"14 channels, of which \['Cz'\] are unknown; \['T8'\] are missing",
        ),
        (
            lambda p, x: p.write_text(p.read_text().replace(f"{x[3, 1]:g},", "bad,", 1)),
            r"S01G1AllChannels\.csv: these hold no finite number: row 3, column 4 \(F4\): 'bad'",
        ),
        (
            lambda p, x: gameemo.write_csv(p, x[:, :0]),
            r"S01G1AllChannels\.csv: holds a header and no samples",
        ),
        (lambda p, x: p.write_text(""), r"S01G1AllChannels\.csv: is no table: No columns"),
    ],
)
def test_gameemo_refuses_a_malformed_table(spoil: Callable, said: str, tmp_path: Path) -> None:
    values = gameemo.write(tmp_path)
    path = gameemo.file_of(tmp_path, "S01", 1)
    spoil(path, values)
    with pytest.raises(ValueError, match=said):
        GAMEEMO(tmp_path).read(path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut, r"S01G1AllChannels\.mat: is cut off"),
        (
            lambda p: resave(p, lambda d: d.update(AF3=d["AF3"][:-1])),
            r"S01G1AllChannels\.mat: the channels have the lengths \[639, 640\]",
        ),
        (
            lambda p: resave(p, lambda d: d.update(AF3=np.zeros((640, 2)))),
            r"S01G1AllChannels\.mat: AF3 has shape \(640, 2\)",
        ),
        (lambda p: resave(p, lambda d: d.pop("O2")), r"13 channels, .*\['O2'\] are missing"),
    ],
)
def test_gameemo_refuses_a_malformed_mat(spoil: Callable, said: str, tmp_path: Path) -> None:
    gameemo.write(tmp_path)
    path = gameemo.file_of(tmp_path, "S01", 1, suffix="mat")
    spoil(path)
    with pytest.raises(ValueError, match=said):
        GAMEEMO(tmp_path, format="mat").read(path)


def test_kaggle_is_a_recording_of_features_with_a_block_a_row(tmp_path: Path) -> None:
    values = kaggle.write(tmp_path)
    (recording,) = KaggleEEG(tmp_path)
    features = recording.signals["features"]
    assert (recording.subject, features.sampling_rate) == ("unknown", 1)
    assert features.channel_names[0] == "mean_0_a"
    assert len(features.channel_names) == 2548
    # written with four digits
    np.testing.assert_allclose(features.data, values.T, rtol=1e-3)
    blocks = [(block.start, block.duration, block.trial) for block in recording.blocks]
    assert blocks == [(float(row), 1.0, str(row + 1)) for row in range(6)]
    assert [b.labels["emotion"].upper() for b in recording.blocks] == kaggle.WORDS


@pytest.mark.parametrize(
    ("values", "words", "names", "said"),
    [
        (
            np.ones((2, 2547)),
            ["NEUTRAL"] * 2,
            kaggle.NAMES[1:],
            r"emotions\.csv: has 2 rows and 2548 columns; allowed are 2548 feature columns and 'label'",
        ),
        (np.ones((0, 2548)), [], kaggle.NAMES, r"emotions\.csv: has 0 rows and 2549 columns"),
        (
            np.ones((3, 2548)),
            ["NEUTRAL", "HAPPY", "SAD"],
            kaggle.NAMES,
            r"emotions\.csv: 2 labels are unknown: row 3: 'happy'; row 4: 'sad'; allowed .*POSITIVE",
        ),
        (
            np.where(np.arange(3 * 2548).reshape(3, 2548) == 2550, np.nan, 1.0),
            ["NEUTRAL"] * 3,
            kaggle.NAMES,
            r"emotions\.csv: these hold no finite number: row 3, column 3 \(mean_2_a\)",
        ),
    ],
)
def test_kaggle_refuses_a_malformed_table(
    values: np.ndarray, words: list[str], names: list[str], said: str, tmp_path: Path
) -> None:
    kaggle.write_table(tmp_path, values, words, names)
    with pytest.raises(ValueError, match=said):
        list(KaggleEEG(tmp_path))


def test_kaggle_says_that_no_subject_split_is_honest() -> None:
    assert "No honest subject split exists" in KaggleEEG.caution
