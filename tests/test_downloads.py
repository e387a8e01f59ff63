"""Downloads from a local HTTP server: sums, resuming, and what is said when something fails."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from data_builders.downloads import (
    CHUNK,
    KAGGLE,
    LAYOUTS,
    SOURCES,
    DownloadConfig,
    access,
    data_download,
    fetch_files,
    pinned_files,
)
from data_builders.readers import READERS

REAL = Path(__file__).parents[2] / "shared" / "data"
CONTENT = {
    "small.txt": b"16 bytes of text",
    "folder/large.bin": np.random.default_rng(0).bytes(300_000),
    "empty.csv": b"",
}
FILES = {name: (hashlib.sha256(data).hexdigest(), len(data)) for name, data in CONTENT.items()}
CUT_AT = 200_000


class Server(ThreadingHTTPServer):
    """Serves CONTENT; `faults` says what goes wrong with a file: "cut" (the first time), "404" or "wrong"."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: dict[str, str] = {}
        self.knows_ranges = True
        self.asked: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/set"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name, wanted = self.path.removeprefix("/set/"), self.headers.get("Range", "")
        self.server.asked.append((name, wanted))
        fault = self.server.faults.get(name)
        if fault == "404":
            self.send_error(404)
            return
        data = b"something else" if fault == "wrong" else CONTENT[name]
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and self.server.knows_ranges else 0
        if start > len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if fault == "cut":
            del self.server.faults[name]
            self.wfile.write(data[start:CUT_AT])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(data[start:])

    def log_message(self, *arguments: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def listing(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def held(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_files_arrive_whole_and_are_not_fetched_twice(server: Server, tmp_path: Path) -> None:
    assert fetch_files(server.url, FILES, tmp_path / "set", progress=False) == tmp_path / "set"
    assert held(tmp_path / "set") == CONTENT
    assert [name for name, _ in server.asked] == list(FILES)
    fetch_files(server.url + "/", FILES, tmp_path / "set", progress=False)
    assert len(server.asked) == len(FILES)


def test_a_changed_file_is_fetched_again_and_the_others_are_not(server: Server, tmp_path: Path) -> None:
    fetch_files(server.url, FILES, tmp_path, progress=False)
    (tmp_path / "small.txt").write_bytes(b"changed")
    server.asked.clear()
    fetch_files(server.url, FILES, tmp_path, progress=False)
    assert held(tmp_path) == CONTENT
    assert server.asked == [("small.txt", "")]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_cut_connection_is_gone_on_with(knows_ranges: bool, server: Server, tmp_path: Path) -> None:
    server.faults["folder/large.bin"] = "cut"
    server.knows_ranges = knows_ranges
    fetch_files(server.url, FILES, tmp_path, progress=False)
    assert held(tmp_path) == CONTENT
    ranges = [wanted for name, wanted in server.asked if name == "folder/large.bin"]
    # the chunk in which the connection is lost is lost with it
    assert ranges == ["", f"bytes={CUT_AT // CHUNK * CHUNK}-"]


def test_a_download_that_was_killed_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    partial = tmp_path / "folder" / "large.bin.partial"
    partial.parent.mkdir()
    partial.write_bytes(CONTENT["folder/large.bin"][:1234])
    fetch_files(server.url, FILES, tmp_path, progress=False)
    assert held(tmp_path) == CONTENT
    assert ("folder/large.bin", "bytes=1234-") in server.asked


@pytest.mark.parametrize("stale", [b"x" * 20, b"x" * 16])
def test_a_partial_file_of_another_version_does_no_harm(stale: bytes, server: Server, tmp_path: Path) -> None:
    (tmp_path / "small.txt.partial").write_bytes(stale)
    if len(stale) == FILES["small.txt"][1]:  # as long as the right one: only the sum can tell
        with pytest.raises(ValueError, match=r"small\.txt: wrong SHA-256"):
            fetch_files(server.url, FILES, tmp_path, progress=False)
    fetch_files(server.url, FILES, tmp_path, progress=False)
    assert held(tmp_path) == CONTENT


def test_a_range_that_the_server_cannot_serve_starts_the_file_again(server: Server, tmp_path: Path) -> None:
    files = {"small.txt": (FILES["small.txt"][0], 1000)}
    (tmp_path / "small.txt.partial").write_bytes(b"x" * 500)
    fetch_files(server.url, files, tmp_path, progress=False)
    assert held(tmp_path) == {"small.txt": CONTENT["small.txt"]}
    assert [wanted for _, wanted in server.asked] == ["bytes=500-", ""]


def test_a_wrong_sum_is_named_and_what_was_right_stays(server: Server, tmp_path: Path) -> None:
    server.faults["small.txt"] = "wrong"
    got = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(ValueError, match=rf"small\.txt: wrong SHA.*{FILES['small.txt'][0]}, got {got}"):
        fetch_files(server.url, FILES, tmp_path, progress=False)
    assert held(tmp_path) == {name: CONTENT[name] for name in ("folder/large.bin", "empty.csv")}


def test_a_wrong_answer_does_not_replace_the_file_that_is_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "small.txt").write_bytes(b"of one's own")
    server.faults["small.txt"] = "wrong"
    with pytest.raises(ValueError, match=r"small\.txt: wrong SHA-256"):
        fetch_files(server.url, FILES, tmp_path, progress=False)
    assert (tmp_path / "small.txt").read_bytes() == b"of one's own"


def test_all_missing_files_are_named_and_the_rest_comes(server: Server, tmp_path: Path) -> None:
    server.faults |= {"small.txt": "404", "folder/large.bin": "404"}
    with pytest.raises(ValueError, match="2 files could not be had") as error:
        fetch_files(server.url, FILES, tmp_path, progress=False)
    for said in (
        "small.txt: the server says 404",
        "large.bin: the server says 404",
        "2 of 3 files are missing",
        str(tmp_path),
        server.url,
    ):
        assert said in str(error.value)
    assert held(tmp_path) == {"empty.csv": b""}


def test_without_a_network_the_error_says_what_to_place_where(tmp_path: Path) -> None:
    with socket.socket() as free:  # bound but not listening: every connection is refused
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/set/"
        with pytest.raises(ConnectionError) as error:
            data_download(DownloadConfig("noneeg", str(tmp_path / "noneeg")), base_url=url, progress=False)
    for said in ("103 of 103 files are missing", url, str(tmp_path / "noneeg"), "ANNOTATORS"):
        assert said in str(error.value)
    assert not held(tmp_path)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_pinned_sums_are_whole(name: str) -> None:
    files = pinned_files(name)
    assert len(files) == {"noneeg": 103, "fmov": 37, "stress_predict": 211}[name]
    for file, (sha256, size) in files.items():
        assert re.fullmatch(r"[0-9a-f]{64}", sha256)
        assert size > 0
        assert not Path(file).is_absolute()
        assert ".." not in Path(file).parts


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_pinned_sums_are_those_of_the_real_files(name: str) -> None:
    if not (REAL / name).is_dir():
        pytest.skip(f"the real data of {name} are not here")
    for file, (sha256, size) in pinned_files(name).items():
        data = (REAL / name / file).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (sha256, size), file


@pytest.mark.skipif(not (REAL / "noneeg").is_dir(), reason="the real Non-EEG data are not here")
def test_pinned_sums_of_noneeg_are_the_publishers() -> None:
    lines = (REAL / "noneeg" / "SHA256SUMS.txt").read_text().split()
    theirs = dict(zip(lines[1::2], lines[::2], strict=True))
    assert {file: sha256 for file, (sha256, _) in pinned_files("noneeg").items()} == theirs


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_sets_on_terms_of_their_own_say_where_and_how(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="terms of their own") as error:
        data_download(DownloadConfig(name, str(tmp_path / name)), progress=False)
    assert LAYOUTS[name] in str(error.value)
    assert READERS[name].url
    assert READERS[name].url in str(error.value)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_layouts_are_those_that_the_readers_read(name: str, tmp_path: Path) -> None:
    def without_numbers(path: str) -> str:
        return re.sub(r"\d+", "N", path)

    import_module(f"written.{name}").write(tmp_path)
    first = LAYOUTS[name].removeprefix("DIR/").split(" ...")[0].split(", or")[0].split(" (")[0]
    assert READERS[name](tmp_path).paths()  # type: ignore[call-arg]
    assert any(without_numbers(file).endswith(without_numbers(first)) for file in listing(tmp_path)), first


@pytest.mark.parametrize(
    ("name", "said"), [("simulated", "made on the fly"), ("amigoss", "biollm data list")]
)
def test_what_cannot_be_fetched_lists_what_can(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said) as error:
        data_download(DownloadConfig(name, str(tmp_path / name)), progress=False)
    assert all(known in str(error.value) for known in (*SOURCES, *KAGGLE))


def test_every_reader_has_a_way_to_its_data() -> None:
    known = {*SOURCES, *KAGGLE, *LAYOUTS}
    assert {name for name in READERS if access(name) in ("made on the fly", "your own files")} == (
        set(READERS) - known
    )
    assert set(READERS) - known <= {"simulated", "simulated_features", "npz", "manifest", "empatica"}


def test_out_must_not_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="--out is a folder"):
        data_download(DownloadConfig("fmov", str(tmp_path / "file")), progress=False)


def write_client(folder: Path, script: str) -> None:
    folder.mkdir()
    client = folder / "kaggle"
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o755)


def test_kaggle_goes_through_its_own_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_client(tmp_path / "bin", f'echo "$@" > {tmp_path}/said; echo a,label > "$6/emotions.csv"')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    out = data_download(DownloadConfig("kaggle", str(tmp_path / "out")), progress=False)
    assert held(out) == {"emotions.csv": b"a,label\n"}
    said = (tmp_path / "said").read_text()
    assert said.startswith(f"datasets download --dataset {KAGGLE['kaggle'][0]} --path ")
    (tmp_path / "said").unlink()
    data_download(DownloadConfig("kaggle", str(tmp_path / "out")), progress=False)
    assert not (tmp_path / "said").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo 401 Unauthorized >&2; exit 1", "401 Unauthorized"), ("exit 0", "without emotions")],
)
def test_a_failing_kaggle_client_is_quoted(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_client(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with pytest.raises(OSError, match=said):
        data_download(DownloadConfig("kaggle", str(tmp_path / "out")), progress=False)
    assert not held(tmp_path / "out")


def test_without_kaggles_client_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"pip install kaggle.*emotions\.csv"):
        data_download(DownloadConfig("kaggle", str(tmp_path / "out")), progress=False)
    assert not (tmp_path / "out").exists()
