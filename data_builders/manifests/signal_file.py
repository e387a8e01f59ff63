"""What every format gives: the channels that a file tells of, and a way to read a stretch of them."""

from __future__ import annotations

import configparser
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Channel", "DamageNamed", "SignalFile", "check_claim", "package_missing"]

DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    AssertionError,
    MemoryError,
    configparser.Error,
    tokenize.TokenError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What the libraries of the formats raise, each in its own way, on a file that is damaged."""

DEFLATE = 1032
"""The most bytes that one byte of DEFLATE (zlib, gzip, zip) can stand for."""


@dataclass(frozen=True)
class Channel:
    """What a file tells of one channel.

    Parameters
    ----------
    name : str
        Empty where the format has no names.
    n_samples : int
    sampling_rate : float or None
        In Hz; None where the file does not tell.
    unit : str
        Of the values that `SignalFile.read` gives; empty where the file does not tell.
    kind : str
        Modality, where the format has one: ``eeg``, ``ecg``, ...
    """

    name: str
    n_samples: int
    sampling_rate: float | None = None
    unit: str = ""
    kind: str = ""


@dataclass(frozen=True)
class SignalFile:
    """An opened file; nothing but its header need have been read.

    Parameters
    ----------
    channels : tuple of Channel
    read : callable
        Takes positions of channels of one rate; returns their samples as an ndarray of shape
        (n_channels, n_samples), in the channels' units.
    needs_names : bool
        The format has channel names and this file lacks them.
    start : float or None
        Of the first sample, in s by the file's own column of times; None where it has none.
    """

    channels: tuple[Channel, ...]
    read: Callable[[Sequence[int]], np.ndarray]
    needs_names: bool = False
    start: float | None = None


class DamageNamed(AbstractContextManager):
    """Name the file in whatever a format's library says of it.

    Parameters
    ----------
    path : Path
    what : str
        What the file was to be.

    Raises
    ------
    ValueError
        For any of `DAMAGE`, and for what is no more than an `Exception`, as MNE raises it on damaged tags.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path, self.what = path, what

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DAMAGE) or type(error) is Exception:
            said = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(
                f"{self.path}: cannot be read as {self.what} ({said}); allowed is a whole file of its "
                "format. Copy or export it again."
            ) from error


def check_claim(path: Path, what: str, claimed: float, held: float, compressed: bool = False) -> None:
    """Refuse a header that tells more bytes than the file holds, before they are asked memory for.

    Raises
    ------
    ValueError
        With both numbers.
    """
    if claimed > held * (DEFLATE if compressed else 1):
        raise ValueError(
            f"{path}: {what} tells {claimed:,.0f} bytes, and the file holds {held:,.0f} of them; allowed is "
            "a whole file. It is cut off or damaged: copy or export it again."
        )


def package_missing(path: Path, package: str, extra: str) -> ValueError:
    """The error to raise where a format needs a package that is not installed."""
    return ValueError(
        f"{path}: files {path.suffix} need the package {package}, which is not installed. "
        f"Install it: pip install 'biollm[{extra}]'"
    )
