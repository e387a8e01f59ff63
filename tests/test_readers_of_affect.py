"""AMIGOS, DEAP, DREAMER and WESAD: what is read, what is left out, and what is refused."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from written import amigos, deap, dreamer, wesad
from written.python2 import dumps

from data_builders.catalogue import describe_store
from data_builders.preparing import PrepareConfig, prepare
from data_builders.readers import AMIGOS, DEAP, DREAMER, WESAD
from data_builders.readers._amigos_files import clips
from data_builders.recording import Recording
from data_builders.store import SegmentStore

pytestmark = pytest.mark.filterwarnings("ignore:.*left out the videos")


def by_name(reader: Any) -> dict[str, Recording]:
    return {recording.name or recording.subject: recording for recording in reader}


def position(content: dict[str, np.ndarray], video: str) -> int:
    return [str(name) for name in content["VideoIDs"][0]].index(video)


def test_amigos_signals_follow_the_video_ids_and_not_the_order(tmp_path: Path) -> None:
    written = amigos.write(tmp_path)["P01"]
    read = by_name(AMIGOS(tmp_path, videos="all"))
    assert [name for name in read if name.startswith("P01")] == [f"P01-{v}" for v in written["VideoIDs"][0]]
    for video in ("4", "138", "N1"):
        samples = written["joined_data"][0, position(written, video)]
        recording = read[f"P01-{video}"]
        for name, columns in (("eeg", slice(0, 14)), ("ecg", slice(14, 16)), ("gsr", slice(16, 17))):
            # float32 holds 24 bits of the double
            np.testing.assert_allclose(recording.signals[name].data, samples[:, columns].T, rtol=1e-6)
        rating = written["labels_selfassessment"][0, position(written, video)][0]
        (block,) = recording.blocks
        assert (block.start, block.stimulus, recording.baseline) == (5.0, video, (0.0, 5.0))
        assert block.start + block.duration == recording.duration
        assert (block.labels["arousal"], block.labels["valence"]) == tuple(rating[:2])
    assert read["P01-N1"].signals["eeg"].channel_names[:2] == ("AF3", "F7")


def test_amigos_words_are_the_quadrants_of_valence_and_arousal(tmp_path: Path) -> None:
    content = amigos.variables(0)
    affect = {
        "4": (7, 7, "happy"),
        "5": (2, 7, "angry"),
        "9": (2, 2, "sad"),
        "10": (7, 2, "calm"),
        "13": (5, 5, "happy"),
    }
    for video, (valence, arousal, _) in affect.items():
        content["labels_selfassessment"][0, position(content, video)][0, :2] = arousal, valence
    amigos.save(tmp_path, "P01", content)
    read = by_name(AMIGOS(tmp_path))
    assert {v: read[f"P01-{v}"].blocks[0].labels["emotion"] for v in affect} == {
        v: a[2] for v, a in affect.items()
    }


def test_amigos_videos_are_chosen_and_what_is_missing_is_listed(tmp_path: Path) -> None:
    written = amigos.write(tmp_path)["P08"]
    counts = {}
    for videos in ("short", "long", "all"):
        reader = AMIGOS(tmp_path, videos=videos)
        subjects = [recording.subject for recording in reader]
        counts[videos] = (subjects.count("P01"), subjects.count("P08"))
    assert counts == {"short": (16, 15), "long": (4, 0), "all": (20, 15)}
    assert [path.stem[-3:] for path in AMIGOS(tmp_path, videos="long").paths()] == ["P01"]
    bare = str(written["VideoIDs"][0, 3])
    reader = AMIGOS(tmp_path, videos="all")
    expected = {bare: "NaN in gsr"} | dict.fromkeys(amigos.LONG, "no signals")
    assert reader.missing(reader.paths()[1]) == expected
    assert reader.missing(reader.paths()[0]) == {}
    with pytest.warns(UserWarning, match=rf"P08\.mat: left out the videos .*{bare} \(NaN in gsr\)"):
        list(reader)
    # Without skin response there is nothing missing in that video.
    assert bare not in AMIGOS(tmp_path, modalities=["eeg", "ecg"]).missing(reader.paths()[1])


def test_amigos_clips_are_those_of_the_annotators() -> None:
    # -5..15 s of the film, every 20 s from its start, its last 20 s
    assert clips(95.0) == [0, 5, 25, 45, 65, 75]
    assert clips(85.0) == [0, 5, 25, 45, 65]
    assert clips(85.1) == pytest.approx([0, 5, 25, 45, 65, 65.1])


def test_amigos_external_annotation_gives_clips_and_transitions(tmp_path: Path) -> None:
    content = amigos.variables(0)
    affect = np.array([[0.5, 0.5], [0.4, 0.5], [-0.1, 0.5], [-0.2, 0.4], [np.nan, 0.4], [-0.2, -0.4]])
    rows = np.column_stack([np.arange(1, 7), affect])
    content["labels_ext_annotation"][0, position(content, "N1")] = rows[[2, 0, 1, 5, 4, 3]]
    amigos.save(tmp_path, "P01", content)
    recording = by_name(AMIGOS(tmp_path, videos="long", annotation="external"))["P01-N1"]
    starts = [block.start for block in recording.blocks]
    assert starts == [0, 5, 25, 45, 75]  # the clip from 65 s on is not annotated
    assert [block.labels.get("transition") for block in recording.blocks] == [None, 0, 1, 0, None]
    assert [block.labels["emotion"] for block in recording.blocks] == [
        "happy",
        "happy",
        "angry",
        "angry",
        "sad",
    ]
    assert [block.labels["valence"] for block in recording.blocks] == [0.5, 0.4, -0.1, -0.2, -0.2]
    assert {(block.trial, block.duration) for block in recording.blocks} == {("P01-N1", 20.0)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"transition_rule": "distance", "transition_threshold": 0.3}, [None, 0, 1, 0]),
        ({"transition_rule": "distance", "transition_threshold": 0.05}, [None, 1, 1, 1]),
        ({"transition_rule": lambda affect, *_: np.diff(affect[:, 0]) > -0.2}, [None, 1, 0, 1]),
        ({"edge_clips": False}, [0, 1, 0]),
    ],
)
def test_amigos_transitions_are_configurable(options: dict, expected: list, tmp_path: Path) -> None:
    content = amigos.variables(0)
    affect = np.array([[0.5, 0.5], [0.4, 0.5], [-0.1, 0.5], [-0.2, 0.4], [np.nan, 0.4], [-0.2, -0.4]])
    rows = np.column_stack([np.arange(1, 7), affect])
    content["labels_ext_annotation"][0, position(content, "N1")] = rows
    amigos.save(tmp_path, "P01", content)
    reader = AMIGOS(tmp_path, videos="long", annotation="external", **options)
    blocks = by_name(reader)["P01-N1"].blocks
    assert [block.labels.get("transition") for block in blocks if block.start < 65] == expected


def test_amigos_leaves_out_a_video_with_other_annotations_than_clips(tmp_path: Path) -> None:
    content = amigos.variables(0)
    place = position(content, "N1")
    content["labels_ext_annotation"][0, place] = content["labels_ext_annotation"][0, place][:4]
    path = amigos.save(tmp_path, "P01", content)
    assert AMIGOS(tmp_path, "all", annotation="external").missing(path) == {"N1": "4 annotations of 6 clips"}


def test_amigos_reports_all_options_at_once(tmp_path: Path) -> None:
    amigos.save(tmp_path, "P01", amigos.variables(0))
    with pytest.raises(
        ValueError, match=r"videos is 'tiny'.*annotation is 'mine'.*rule is 'jump'.*\['emg'\]"
    ):
        AMIGOS(tmp_path, videos="tiny", annotation="mine", transition_rule="jump", modalities=["emg"])


def test_deap_reads_the_same_from_both_forms(tmp_path: Path) -> None:
    (tmp_path / "dat").mkdir()
    (tmp_path / "mat").mkdir()
    written = deap.write(tmp_path / "dat")
    deap.write_mat(tmp_path / "mat")
    first, second = by_name(DEAP(tmp_path / "dat")), by_name(DEAP(tmp_path / "mat"))
    assert list(first) == list(second) == [f"s02-{k:02d}" for k in range(1, 41)]
    recording = first["s02-07"]
    assert recording.blocks == second["s02-07"].blocks
    assert (recording.duration, recording.baseline) == (63.0, (0.0, 3.0))
    block = recording.blocks[0]
    assert (block.start, block.duration, block.stimulus) == (3.0, 60.0, "video-07")
    assert [block.labels["valence"], block.labels["arousal"]] == list(written["labels"][6, :2])
    joined = np.concatenate([signal.data for signal in recording.signals.values()])
    # all 40 channels once and in the order of the file; float32 holds 24 bits of the double
    np.testing.assert_allclose(joined, written["data"][6], rtol=1e-6)
    np.testing.assert_array_equal(second["s02-07"].signals["gsr"].data, recording.signals["gsr"].data)


def test_deap_modalities_are_chosen(tmp_path: Path) -> None:
    deap.write(tmp_path)
    recording = next(iter(DEAP(tmp_path, modalities=["gsr", "eeg"])))
    assert {name: len(signal.data) for name, signal in recording.signals.items()} == {"gsr": 1, "eeg": 32}
    for chosen in ([], ["egg"]):
        with pytest.raises(ValueError, match=r"modalities are .*; allowed are some of \['eeg'"):
            DEAP(tmp_path, modalities=chosen)


def test_deap_prefers_dat_where_both_are(tmp_path: Path) -> None:
    for name in ("s01.dat", "s01.mat", "s02.mat", "s10.dat", "notes.dat"):
        (tmp_path / name).touch()
    assert [path.name for path in DEAP(tmp_path).paths()] == ["s01.dat", "s02.mat", "s10.dat"]


def test_dreamer_puts_the_baseline_before_the_clip(tmp_path: Path) -> None:
    person = dreamer.write(tmp_path)["Data"][0, 1]
    read = by_name(DREAMER(tmp_path))
    assert list(read) == [f"S{s:02d}-{c:02d}" for s in (1, 2) for c in (1, 2, 3)]
    recording = read["S02-03"]
    assert recording.baseline == (0.0, 61.0)
    (block,) = recording.blocks
    assert (block.start, block.duration, block.stimulus) == (61.0, 15.0, "clip-03")
    assert block.labels["valence"] == person["ScoreValence"][2, 0]
    assert block.labels["arousal"] == person["ScoreArousal"][2, 0]
    for name, field, rate in (("eeg", "EEG", 128), ("ecg", "ECG", 256)):
        signal = recording.signals[name]
        # float32 holds 24 bits of the double
        rest, film = person[field]["baseline"][2, 0], person[field]["stimuli"][2, 0]
        np.testing.assert_allclose(signal.data[:, : 61 * rate], rest.T, rtol=1e-6)
        np.testing.assert_allclose(signal.data[:, 61 * rate :], film.T, rtol=1e-6)


@pytest.mark.parametrize("device", ["chest", "wrist"])
def test_wesad_blocks_are_the_runs_of_the_four_conditions(device: str, tmp_path: Path) -> None:
    made = wesad.write(tmp_path)
    reader = WESAD(tmp_path, device=device)
    assert [path.name for path in reader.paths()] == ["S2.pkl", "S10.pkl"]
    recording = by_name(reader)["S2"]
    runs = [(round(b.start, 6), round(b.duration, 6), b.labels["emotion"]) for b in recording.blocks]
    assert runs == [
        (20, 30, "baseline"),
        (55, 20, "stress"),
        (78, 10, "meditation"),
        (88, 12.5, "amusement"),
        (102.5, 10, "meditation"),
    ]
    assert len({block.trial for block in recording.blocks}) == 5
    arrays = made["signal"][device]
    for name, key in (("acceleration", "ACC"), ("gsr", "EDA")):
        # float32 holds 24 bits of the double
        np.testing.assert_allclose(recording.signals[name].data, arrays[key].T, rtol=1e-6)
    rates = {name: signal.sampling_rate for name, signal in recording.signals.items()}
    if device == "wrist":
        assert rates == {"acceleration": 32, "bvp": 64, "gsr": 4, "temperature": 4}
    else:
        assert set(rates.values()) == {700.0}
        assert set(rates) == {"acceleration", "ecg", "emg", "gsr", "temperature", "respiration"}


def amigos_with(**changes: Callable[[np.ndarray], Any]) -> Callable[[Path], Any]:
    """Write a participant's file with some variables changed."""

    def write(root: Path) -> AMIGOS:
        content = amigos.variables(0)
        for key, change in changes.items():
            content[key] = change(content[key])
        amigos.save(root, "P01", {key: value for key, value in content.items() if value is not None})
        return AMIGOS(root)

    return write


def set_cell(value: Any) -> Callable[[np.ndarray], np.ndarray]:
    def change(cells: np.ndarray) -> np.ndarray:
        cells[0, 0] = value
        return cells

    return change


def damaged(
    reader: Any, name: str, damage: Callable[[bytes], bytes], small: bool = False
) -> Callable[[Path], Any]:
    """Write the reader's first file, or a small one of its kind, with its bytes changed."""

    def write(root: Path) -> Any:
        path = root / name
        path.parent.mkdir(exist_ok=True, parents=True)
        if path.suffix == ".mat":
            savemat(path, {"data": np.arange(1000.0)})
        else:
            path.write_bytes(dumps({"data": np.arange(1000.0), "labels": np.zeros(4)}))
        path.write_bytes(damage(path.read_bytes()))
        return reader(root)

    return write


def deap_with(**content: Any) -> Callable[[Path], Any]:
    def write(root: Path) -> DEAP:
        (root / "s01.dat").write_bytes(dumps(content))
        return DEAP(root)

    return write


def dreamer_with(change: Callable[[dict], Any]) -> Callable[[Path], Any]:
    def write(root: Path) -> DREAMER:
        struct = dreamer.content(1)
        change(struct)
        dreamer.save(root, struct)
        return DREAMER(root)

    return write


def wesad_with(change: Callable[[dict], Any]) -> Callable[[Path], Any]:
    def write(root: Path) -> WESAD:
        made = wesad.content("S2", 2)
        change(made)
        wesad.save(root, "S2", made)
        return WESAD(root)

    return write


def claim(content: bytes) -> bytes:
    """The element behind the header claims 2 GB."""
    return content[:132] + (2**31 - 8).to_bytes(4, "little") + content[136:]


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


MAT = "Data_Preprocessed_P01.mat"
HDF5 = b"MATLAB 7.3 MAT-file".ljust(126) + b"IM" + b"\x89HDF" * 200
small = np.zeros((40, 40, 100), np.float32)
REFUSED = {
    "amigos: cut off": (damaged(AMIGOS, MAT, half), "is cut off: the element at byte 128 claims"),
    "amigos: 2 GB claim": (damaged(AMIGOS, MAT, claim), "claims 2147483640 bytes, and the file ends after"),
    "amigos: empty": (damaged(AMIGOS, MAT, lambda _: b""), "is no MATLAB file"),
    "amigos: text": (damaged(AMIGOS, MAT, lambda _: b"text " * 100), "is no MATLAB file"),
    "amigos: HDF5": (damaged(AMIGOS, MAT, lambda _: HDF5), "version 7.3 .*'-v7'"),
    "amigos: other variables": (
        damaged(AMIGOS, MAT, bytes),
        r"has no variables \['joined_data'.*it holds \['data'\]",
    ),
    "amigos: bytes inside": (damaged(AMIGOS, MAT, lambda c: c[:136] + b"\xff" * 40 + c[176:]), "is damaged"),
    "amigos: 16 columns": (
        amigos_with(joined_data=set_cell(np.zeros((700, 16)))),
        r"joined_data of video \w+ has shape \(700, 16\).*\(n_samples, 17\)",
    ),
    "amigos: transposed": (amigos_with(joined_data=set_cell(np.zeros((17, 700)))), r"has shape \(17, 700\)"),
    "amigos: annotation": (
        amigos_with(labels_ext_annotation=set_cell(np.zeros((3, 2)))),
        r"labels_ext_annotation of video \w+ has shape \(3, 2\)",
    ),
    "amigos: unknown video": (
        amigos_with(VideoIDs=set_cell("77")),
        r"VideoIDs holds \['77'\]; allowed are \['4'",
    ),
    "amigos: no id": (amigos_with(VideoIDs=set_cell(np.zeros((0, 0)))), "without an id in VideoIDs"),
    "amigos: a video twice": (
        amigos_with(VideoIDs=lambda cells: set_cell(cells[0, 1])(cells)),
        r"VideoIDs holds \['\w+'\] more than once",
    ),
    "amigos: a variable lacks": (
        amigos_with(labels_selfassessment=lambda _: None),
        r"\['labels_selfassessment'\]",
    ),
    "amigos: 19 cells": (amigos_with(joined_data=lambda cells: cells[:, :19]), "joined_data has 19 cells"),
    "deap: cut off": (damaged(DEAP, "s01.dat", half), "is damaged"),
    "deap: empty": (damaged(DEAP, "s01.dat", lambda _: b""), "is empty"),
    "deap: 2 GB claim": (damaged(DEAP, "s01.dat", lambda _: b"\x80\x02T\xff\xff\xff\x7fshort"), "is damaged"),
    "deap: mat cut off": (damaged(DEAP, "s01.mat", half), "is cut off"),
    "deap: shapes": (
        deap_with(data=small, labels=np.zeros((40, 3))),
        r"data is an array of shape \(40, 40, 100\).*labels is an array of shape \(40, 3\).*\(40, 4\)",
    ),
    "deap: no labels": (
        deap_with(data=small),
        r"holds a dict of \['data'\]; allowed is a dict of 'data' and 'labels'",
    ),
    "deap: text for data": (deap_with(data="none", labels=np.zeros((40, 4))), "data is a str; allowed"),
    "deap: NaN": (
        deap_with(data=np.full((40, 40, 8064), 1, np.int8), labels=np.full((40, 4), np.nan)),
        "labels hold values that are no finite numbers",
    ),
    "dreamer: cut off": (damaged(DREAMER, "DREAMER.mat", half), "is cut off"),
    "dreamer: other variables": (damaged(DREAMER, "DREAMER.mat", bytes), r"has no variables \['DREAMER'\]"),
    "dreamer: rates and electrodes": (
        dreamer_with(
            lambda s: s.update(
                ECG_SamplingRate=128, EEG_Electrodes=np.array(dreamer.ELECTRODES[::-1], dtype=object)[None]
            )
        ),
        r"are \(128.0, 128.0\) Hz; allowed are \(128.0, 256.0\); EEG_Electrodes are \['AF4'.*in this order",
    ),
    "dreamer: no struct": (
        lambda root: savemat(root / "DREAMER.mat", {"DREAMER": np.zeros(3)}) or DREAMER(root),
        r"lacks \['Data'",
    ),
    "dreamer: shape": (
        dreamer_with(lambda s: s["Data"][0, 0]["EEG"]["stimuli"].__setitem__((1, 0), np.zeros((14, 99)))),
        r"subject S01: stimuli of eeg, clip 2, has shape \(14, 99\), not \(n_samples, 14\)",
    ),
    "dreamer: baselines": (
        dreamer_with(lambda s: s["Data"][0, 0]["ECG"]["baseline"].__setitem__((0, 0), np.zeros((256, 2)))),
        r"S01-01 has a baseline of 61.0 s in EEG and of 1.0 s in ECG",
    ),
    "dreamer: missing score": (
        dreamer_with(lambda s: s["Data"][0, 0].update(ScoreValence=np.array([[1], [np.nan], [3]]))),
        "S01: valence holds values that are no finite numbers",
    ),
    "wesad: cut off": (damaged(WESAD, "S2/S2.pkl", half), "is damaged"),
    "wesad: other content": (damaged(WESAD, "S2/S2.pkl", bytes), "allowed is a dict of 'signal' and 'label'"),
    "wesad: no chest": (wesad_with(lambda m: m["signal"].pop("chest")), "'signal' lacks chest"),
    "wesad: no ECG": (wesad_with(lambda m: m["signal"]["chest"].pop("ECG")), r"lacks chest \['ECG'\]"),
    "wesad: shape": (
        wesad_with(lambda m: m["signal"]["chest"].update(ACC=np.zeros((700, 2)))),
        r"ACC has shape \(700, 2\) of float64; allowed is \(n_samples, 3\)",
    ),
    "wesad: lengths": (
        wesad_with(lambda m: m["signal"]["chest"].update(ECG=np.zeros((7000, 1)))),
        r"ECG lasts 10.0 s, its labels 116.5 s",
    ),
    "wesad: unknown label": (
        wesad_with(lambda m: m["label"].__setitem__(5, 9)),
        r"label holds \[9\]; allowed are",
    ),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_bad_files_give_one_error_that_names_the_file(name: str, tmp_path: Path) -> None:
    write, message = REFUSED[name]
    reader = write(tmp_path)
    with pytest.raises(ValueError, match=rf"\.(mat|dat|pkl): .*{message}"):
        list(reader)


@pytest.mark.parametrize(("reader", "name"), [(AMIGOS, MAT), (DEAP, "s01.dat"), (WESAD, "S2/S2.pkl")])
def test_a_folder_in_the_place_of_a_file_is_no_data(reader: Any, name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="holds no"):
        reader(tmp_path)


def test_wesad_names_the_devices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"device is 'ankle'; allowed are \['chest', 'wrist'\]"):
        WESAD(tmp_path, device="ankle")


@pytest.mark.parametrize(
    ("name", "write", "options", "expected"),
    [
        ("amigos", amigos.write, {"videos": "long"}, {"P01": 4 + 4 + 1 + 1}),
        ("amigos", amigos.write, {"videos": "long", "annotation": "external"}, {"P01": 6 + 6 + 3 + 3}),
        ("dreamer", dreamer.write, {}, {"S01": 3, "S02": 3}),
        ("wesad", wesad.write, {"device": "wrist"}, {"S2": 3 + 2 + 1 + 1 + 1, "S10": 3 + 2 + 1 + 1 + 1}),
    ],
)
def test_stores_are_prepared_from_them(
    name: str, write: Any, options: dict, expected: dict, tmp_path: Path
) -> None:
    """Windows side by side of 20 s (AMIGOS) or 10 s: as many as fit into the blocks."""
    (tmp_path / "data").mkdir()
    write(tmp_path / "data")
    config = PrepareConfig(
        dataset=name,
        root=str(tmp_path / "data"),
        out=str(tmp_path / "store"),
        window=20.0 if name == "amigos" else 10.0,
        step=0.0,
        reader_options=options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = SegmentStore(prepare(config, progress=False))
    table = store.table[~store.table["reference"]]
    assert table["subject"].value_counts().to_dict() == expected
    assert table["segment"].is_unique


def test_films_that_were_left_out_stand_in_the_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning of the first run alone would be lost."""
    (tmp_path / "data").mkdir()
    amigos.write(tmp_path / "data")
    config = PrepareConfig(dataset="amigos", root=str(tmp_path / "data"), out=str(tmp_path / "store"))
    about = json.loads((prepare(config, progress=False) / "store.json").read_text())
    (note,) = [note for note in about["notes"] if "left out the videos" in note]
    assert note.startswith("Data_Preprocessed_P08/Data_Preprocessed_P08.mat: left out the videos ")
    assert f"note: {note}" in capsys.readouterr().err
    assert describe_store(tmp_path / "store")["notes"] == about["notes"]
