"""Fetching of public data sets: pinned sums, resuming, and what to do where nothing may be fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from data_builders.readers import READERS

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["DownloadConfig", "access", "data_download", "fetch_files", "pinned_files"]

SOURCES = {
    "noneeg": "https://physionet.org/files/noneeg/1.0.0/",
    "fmov": "https://raw.githubusercontent.com/GNilsonne/Data-and-analysis-code-Oxazepam-and-emotion-2/"
    "master/FMOV/",
    "stress_predict": "https://raw.githubusercontent.com/italha-d/Stress-Predict-Dataset/main/",
}
"""Folders on the web that hold the files of ``sums/NAME.txt`` under the same names."""
KAGGLE = {"kaggle": ("birdy654/eeg-brainwave-dataset-feeling-emotions", "emotions.csv")}
"""Data set of Kaggle's own client, and the file that the reader needs."""
LAYOUTS = {
    "amigos": "DIR/Data_Preprocessed_P01.mat ... DIR/Data_Preprocessed_P40.mat (the preprocessed data)",
    "deap": "DIR/s01.dat ... DIR/s32.dat, or s01.mat ... s32.mat (the preprocessed data)",
    "dreamer": "DIR/DREAMER.mat",
    "seed": "DIR/1_20131027.mat ... and DIR/label.mat (the folder Preprocessed_EEG)",
    "seed_iv": "DIR/1/1_20160518.mat ..., DIR/2/..., DIR/3/... (the folder eeg_raw_data)",
    "gameemo": "DIR/(S01)/Preprocessed EEG Data/.csv format/S01G1AllChannels.csv ... to DIR/(S28)/...",
    "wesad": "DIR/S2/S2.pkl ... DIR/S17/S17.pkl",
}
"""What the folder of a data set must hold that its owners hand out themselves."""
SUMS = Path(__file__).parent / "sums"
CHUNK = 1 << 14
"""Bytes that are written at a time; fewer are lost with a connection."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""
SHOWN = 5


@dataclass
class DownloadConfig:
    """A public data set -> its files on disk, each checked by its SHA-256 sum."""

    name: str = field(
        metadata={"help": "reader whose data are fetched: noneeg, fmov, stress_predict or kaggle"}
    )
    out: str | None = field(
        default=None, metadata={"help": "folder to write the files to; default: data/NAME"}
    )


def access(name: str) -> str:
    """How one comes by a reader's data, in a few words."""
    if name in SOURCES:
        return f"biollm data download {name}"
    if name in KAGGLE:
        return f"biollm data download {name} (Kaggle account)"
    if name in LAYOUTS:
        return "by hand, on its owners' terms"
    return "made on the fly" if name.startswith("simulated") else "your own files"


def data_download(config: DownloadConfig, base_url: str | None = None, progress: bool = True) -> Path:
    """Fetch a data set, or say where it comes from and where its files belong.

    Stress-Predict's acceleration and spreadsheets are not fetched, since no reader uses them.

    Parameters
    ----------
    config : DownloadConfig
    base_url : str, optional
        A mirror that holds the same files; by default the publisher's own address.
    progress : bool

    Returns
    -------
    Path
        The folder that the reader takes as its root.

    Raises
    ------
    ValueError
        If the data may not be fetched by a program, or the server lacks files or sends others.
    OSError
        If there is no network, or no client of Kaggle's; the message says which files to place where.
    """
    name, out = config.name, Path(config.out or f"data/{config.name}")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file; allowed as --out is a folder, or a name that is free.")
    if name in SOURCES:
        return fetch_files(base_url or SOURCES[name], pinned_files(name), out, progress)
    if name in KAGGLE:
        return _fetch_from_kaggle(*KAGGLE[name], out)
    if name in LAYOUTS:
        raise ValueError(_ask_for(name))
    fetched = f"data sets that may be fetched are {sorted([*SOURCES, *KAGGLE])}"
    if name in READERS:
        raise ValueError(f"{name!r} needs no download, it is {access(name)}; {fetched}.")
    raise ValueError(f"data set is {name!r}; {fetched}, and 'biollm data list' shows all.")


def _ask_for(name: str) -> str:
    reader = READERS[name]
    return (
        f"{name!r} is not fetched by biollm: its owners give it on terms of their own ({reader.licence}). "
        f"Get it at {reader.url}, place the files as {LAYOUTS[name]}, and run "
        f"'biollm prepare --dataset {name} --root DIR'."
    )


def pinned_files(name: str) -> dict[str, tuple[str, int]]:
    """Files of a data set: name -> (SHA-256 in hex, bytes), from ``sums/NAME.txt``.

    The sums of Non-EEG are its publisher's own; those of the others were computed from the files.
    """
    rows = (line.split(maxsplit=2) for line in (SUMS / f"{name}.txt").read_text().splitlines())
    return {file: (sha256, int(size)) for sha256, size, file in rows}


def fetch_files(
    base_url: str, files: Mapping[str, tuple[str, int]], out: str | Path, progress: bool = True
) -> Path:
    """Fetch files into a folder; those that are there with the right sum are left as they are.

    A file comes as ``NAME.partial`` and is moved into place when its sum is right. A partial one is
    gone on with where the server knows HTTP ranges, and is fetched anew where it does not.

    Parameters
    ----------
    base_url : str
        Address of the folder, with or without a slash at its end.
    files : mapping of str to (str, int)
        Name below `base_url` and below `out` -> SHA-256 and bytes.
    out : path
    progress : bool

    Raises
    ------
    ValueError
        If the server lacks files or sends others: the sums expected and got of the first of them.
    ConnectionError
        If the server cannot be reached; the message says which files to place where.
    """
    import pooch
    import requests
    from tqdm import tqdm

    pooch.get_logger().setLevel("WARNING")
    out, base_url = Path(out), base_url.rstrip("/") + "/"
    registry = {name: f"sha256:{sha256}" for name, (sha256, _) in files.items()}
    store = pooch.create(path=out, base_url=base_url, registry=registry)
    problems: dict[str, str] = {}
    total = sum(size for _, size in files.values())
    with tqdm(total=total, desc="download", unit="B", unit_scale=True, disable=not progress) as bar:
        for name, (_, size) in files.items():
            done = bar.n
            try:
                store.fetch(name, downloader=_Resuming(out / f"{name}.partial", size, bar))
            except requests.HTTPError as error:
                problems[name] = f"the server says {str(error).partition(' for url')[0]}"
            except requests.RequestException as error:
                raise ConnectionError(_place_by_hand(base_url, files, out, f"{name}: {error}")) from error
            except ValueError as error:
                problems[name] = _sums_of(error)
            bar.update(done + size - bar.n)
    if problems:
        raise ValueError(_place_by_hand(base_url, files, out, _listed(base_url, problems)))
    return out


class _Resuming:
    """A downloader for pooch that goes on with what an earlier, cut download left beside the target.

    Pooch's own writes to a new temporary file each time, so that nothing is left to go on with.
    """

    def __init__(self, partial: Path, size: int, bar: tqdm) -> None:
        self.partial, self.size, self.bar = partial, size, bar

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        import requests

        held = self._held()
        if held > self.size:  # of another version of the file
            self.partial.unlink()
        self.bar.update(min(held, self.size))
        while (held := self._held()) < self.size or held == 0:
            try:
                self._request(url, held)
                break
            except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError):
                if self._held() <= held:  # a lost connection is worth another only if this one brought bytes
                    raise
        os.replace(self.partial, output_file)

    def _held(self) -> int:
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def _request(self, url: str, held: int) -> None:
        import requests

        # a compressed answer would have ranges and lengths of its own
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                self.partial.unlink()
                return self._request(url, 0)
            response.raise_for_status()
            goes_on = response.status_code == requests.codes.partial_content
            self.bar.update(0 if goes_on else -held)
            with self.partial.open("ab" if goes_on else "wb") as file:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    self.bar.update(len(chunk))


def _sums_of(error: ValueError) -> str:
    """Expected and found sum, of pooch's message."""
    words = str(error).split()
    expected, got = (words[words.index(word) + 1] for word in ("expected", "got"))
    return f"wrong SHA-256, not kept: expected {expected.removeprefix('sha256:')}, got {got.rstrip('.')}"


def _listed(base_url: str, problems: Mapping[str, str]) -> str:
    """The first problems, and how many more there are."""
    lines = [f"{base_url}{name}: {said}" for name, said in problems.items()]
    if len(lines) > SHOWN:
        lines[SHOWN:] = [f"and {len(lines) - SHOWN} more"]
    return f"{len(problems)} files could not be had:\n- " + "\n- ".join(lines)


def _place_by_hand(base_url: str, files: Mapping[str, tuple[str, int]], out: Path, what_failed: str) -> str:
    missing = [name for name in files if not (out / name).is_file()]
    names = ", ".join(missing[:SHOWN]) + (f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else "")
    return (
        f"{what_failed}\n{len(missing)} of {len(files)} files are missing; what has come stays in {out}, and "
        "the same command goes on from there. Without a network, fetch them elsewhere from "
        f"{base_url} and place them in {out} under the same names: {names}."
    )


def _fetch_from_kaggle(dataset: str, file: str, out: Path) -> Path:
    """Have Kaggle's own client fetch a data set; it knows the user's account and the licence accepted.

    Kaggle publishes no sums; the reader checks the table's columns and rows instead.
    """
    page = f"https://www.kaggle.com/datasets/{dataset}"
    if (out / file).is_file():
        return out
    client = shutil.which("kaggle")
    if client is None:
        raise FileNotFoundError(
            f"Kaggle's client is not installed. Install it ('pip install kaggle', then its API token), or "
            f"fetch {page} in a browser, unpack it, and place {file} as {out / file}."
        )
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".kaggle-") as folder:
        command = [client, "datasets", "download", "--dataset", dataset, "--path", folder, "--unzip"]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        if done.returncode or not (Path(folder) / file).is_file():
            raise OSError(
                f"'{' '.join(command)}' ended with status {done.returncode} and without {file}: "
                f"{done.stderr.strip()[-500:]} Check the API token, or fetch {page} in a browser and place "
                f"{file} as {out / file}."
            )
        os.replace(Path(folder) / file, out / file)
    return out
