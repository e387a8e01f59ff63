"""The files that ShareGPT rows are kept in: JSONL, plain or zstd, and Parquet; one, or a folder of shards."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from data_builders._sharegpt_rules import ShareGPTError, short

__all__ = ["FORMATS", "checked_suffix", "jsonl_to_parquet", "opened_jsonl", "raw_rows", "row_unit", "shards"]

FORMATS = ("jsonl", "jsonl.zst", "parquet")
READABLE = (*FORMATS, "json")
"""Beside these a list of rows in one file of JSON, as most are passed on."""
BATCH = 1024


def suffix_of(path: Path) -> str:
    """The format that a file's name says, or its last suffix."""
    return next((name for name in READABLE if path.name.endswith(f".{name}")), path.suffix.lstrip("."))


def checked_suffix(path: str | Path, formats: Sequence[str] = FORMATS) -> Path:
    """The path, if its name ends in one of the formats."""
    path = Path(path)
    if suffix_of(path) not in formats:
        allowed = ", ".join(f".{name}" for name in formats)
        raise ShareGPTError(f"{path}: got the suffix {path.suffix!r}; allowed are {allowed}.")
    return path


def shards(path: str | Path) -> list[Path]:
    """The files of a folder in the order of their names, or the file itself.

    Raises
    ------
    ShareGPTError
        If there are folders, files of several formats, or none.
    FileNotFoundError
        If there is no such path.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file or folder.")
    if not path.is_dir():
        return [checked_suffix(path, READABLE)]
    found = [file for file in sorted(path.iterdir()) if not file.name.startswith(".")]
    folders = [file.name for file in found if file.is_dir()]
    files = [checked_suffix(file, READABLE) for file in found if file.name not in folders]
    formats = sorted({suffix_of(file) for file in files})
    if folders or len(formats) != 1:
        raise ShareGPTError(
            f"{path}: got files of the formats {formats}{f' and the folders {folders}' if folders else ''}; "
            f"allowed are files of one of {list(READABLE)}. Is it the right folder, and was it written to "
            "the end?"
        )
    return files


def row_unit(path: Path) -> str:
    """What the numbers of a file's rows count."""
    return "line" if suffix_of(path).startswith("jsonl") else "row"


def raw_rows(path: Path) -> Iterator[tuple[int, Any, str | None]]:
    """Number, content and problem of each row of a file; a row with a problem has no content."""
    if path.suffix == ".json":
        return _json_rows(path)
    return _parquet_rows(path) if path.suffix == ".parquet" else _jsonl_rows(path)


def _json_rows(path: Path) -> Iterator[tuple[int, Any, str | None]]:
    """The rows of a file that is one list; it must fit into memory."""
    rows, problem = _parsed(path.read_bytes())
    if problem is None and not isinstance(rows, list):
        problem = f"got {short(rows)}; allowed is a list of rows, or one row a line in a .jsonl file."
    if problem is not None:
        yield 1, None, problem
        return
    yield from ((number, row, None) for number, row in enumerate(rows, start=1))


def _jsonl_rows(path: Path) -> Iterator[tuple[int, Any, str | None]]:
    number = 0
    try:
        with _opened_bytes(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, *_parsed(line)
    except OSError as error:
        if path.suffix != ".zst" or error.errno is not None:
            raise
        problem = f"the zstd stream is broken behind line {number} ({error}). Write the file again."
        yield number + 1, None, problem


@contextmanager
def _opened_bytes(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix != ".zst":
        with path.open("rb") as file:
            yield file
        return
    import pyarrow

    with pyarrow.OSFile(str(path)) as raw, pyarrow.CompressedInputStream(raw, "zstd") as stream:
        yield io.BufferedReader(stream, 2**16)


def _parsed(line: bytes) -> tuple[Any, str | None]:
    try:
        # The mark that some editors put before the first line is no part of it.
        return json.loads(line.decode("utf-8-sig"), parse_constant=_refuse), None
    except (ValueError, RecursionError) as error:
        return None, f"got {short(line[:60])}, which is not valid JSON in UTF-8 ({error}). Repair it."


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any, str | None]]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise ShareGPTError(
            f"{path}: is not a Parquet file ({error}). Write it with write_sharegpt."
        ) from error
    number = 0
    with file:
        try:
            for batch in file.iter_batches(batch_size=BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row, None
        except (OSError, pyarrow.ArrowInvalid) as error:
            yield number + 1, None, f"the file is broken behind row {number} ({error}). Write it again."


@contextmanager
def opened_jsonl(path: Path, compressed: bool) -> Iterator[IO[str]]:
    """A new file to write lines to."""
    if not compressed:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        return
    import pyarrow

    # Lines are gathered in a buffer: Arrow compresses each write by itself.
    with (
        pyarrow.OSFile(str(path), "wb") as raw,
        pyarrow.CompressedOutputStream(raw, "zstd") as stream,
        io.BufferedWriter(stream, 2**20) as buffer,
        io.TextIOWrapper(buffer, "utf-8", newline="\n") as text,
    ):
        yield text


def jsonl_to_parquet(source: Path, target: Path, kinds: Mapping[str, str]) -> None:
    """Write the rows of a JSONL file as Parquet; `kinds` says what each key but ``conversations`` holds."""
    import pyarrow
    import pyarrow.parquet

    types = {
        "text": pyarrow.string(),
        "boolean": pyarrow.bool_(),
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
    }
    turn = pyarrow.struct([("from", pyarrow.string()), ("value", pyarrow.string())])
    columns = [(key, types[kind]) for key, kind in kinds.items()]
    schema = pyarrow.schema([("conversations", pyarrow.list_(turn)), *columns])
    with pyarrow.parquet.ParquetWriter(target, schema) as writer, source.open(encoding="utf-8") as lines:
        batch: list[dict[str, Any]] = []
        for line in lines:
            batch.append(json.loads(line))
            if len(batch) == BATCH:
                writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
                batch = []
        if batch:
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
