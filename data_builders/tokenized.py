"""Tokenized segments: the signal texts of segments and all that is known of them, in Arrow files.

A folder holds ``00000.arrow`` and so on, one a block of subjects, and ``segments.json``, the card.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prompts.facts import Clue, Facts, Fault, Quantity

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "IDS",
    "SegmentsCard",
    "TokenizedError",
    "TokenizedSegments",
    "block_file",
    "segment_schema",
    "write_block",
    "write_card",
]

CARD = "segments.json"
IDS = ("segment", "dataset", "recording", "subject", "session", "trial", "stimulus")
TEXT = "text_"
DETAILS = frozenset({"quantities", "faults", "clues"})
LEAST_CERTAIN = 0.05
"""Share of the segments whose readings count as too uncertain to name a state, where certainty is needed."""


class TokenizedError(ValueError):
    """Tokenized segments that cannot be read; the message says where, what was got and what to do."""


@dataclass(frozen=True)
class SegmentsCard:
    """What all segments of a folder have in common.

    Attributes
    ----------
    classes : list of str
        Emotions that the segments may have.
    sources : list of str
        Token sources that there are texts of.
    scale : (float, float) or None
        Lowest and highest rating; None where there are no ratings.
    quantities : list of dict
        ``key``, ``name``, ``unit``, ``low``, ``high``, ``digits`` of each entry of the column ``values``;
        a range without an end has None there.
    copies : int
        Augmented copies of each text beside the plain one.
    least_confidence : float
        Probability of the encoder's reading under which it names no state, besides the least certain ones.
    """

    classes: list[str]
    sources: list[str]
    scale: tuple[float, float] | None = None
    quantities: list[dict[str, Any]] = field(default_factory=list)
    copies: int = 0
    least_confidence: float = 0.0


def segment_schema(sources: Sequence[str]) -> pyarrow.Schema:
    """The columns of tokenized segments with texts of these sources, in order.

    All of ``IDS``; ``part`` (train or validation); ``start``, ``duration`` in s; the labels ``emotion``,
    ``valence``, ``arousal``, ``transition``, null where unknown; ``reading`` and ``confidence``, the
    encoder's most probable class and its probability; ``unusable``, why nothing should be read from the
    segment, empty if it is usable; ``values``, one a quantity of the card, NaN where undefined; ``faults``
    and ``clues`` as JSON, ``[[channel, what, share], ...]`` and ``[[name, weight, feature or not], ...]``;
    and for each source ``text_<source>``, the plain text and those of the augmented copies.
    """
    import pyarrow

    text, number = pyarrow.string(), pyarrow.float64()
    types = dict.fromkeys(IDS, text) | {"part": text, "start": number, "duration": number}
    types |= {"emotion": text, "valence": number, "arousal": number, "transition": pyarrow.bool_()}
    types |= {"reading": text, "confidence": number, "unusable": text}
    types |= {"values": pyarrow.list_(number), "faults": text, "clues": text}
    types |= {f"{TEXT}{source}": pyarrow.list_(text) for source in sources}
    return pyarrow.schema(list(types.items()))


def block_file(folder: str | Path, number: int) -> Path:
    """Where the block with this number is."""
    return Path(folder) / f"{number:05d}.arrow"


def write_block(table: pyarrow.Table, folder: str | Path, number: int) -> Path:
    """Write one block of subjects, whole or not at all."""
    import pyarrow

    path = block_file(folder, number)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with pyarrow.OSFile(str(partial), "wb") as file, pyarrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    os.replace(partial, path)
    return path


def write_card(card: SegmentsCard, folder: str | Path) -> None:
    """Write the card, after all blocks: a folder with a card is complete."""
    path = Path(folder) / CARD
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    text = json.dumps(asdict(card), indent=1, ensure_ascii=False, allow_nan=False)
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


class TokenizedSegments:
    """Random access to tokenized segments, in memory or mapped from a folder.

    Parameters
    ----------
    where : path or pyarrow.Table
        Folder with blocks and card, or a table of `segment_schema`.
    card : SegmentsCard, optional
        Of a table; a folder has its own.

    Raises
    ------
    TokenizedError
        If the folder is not complete, or columns are missing.
    """

    def __init__(self, where: str | Path | pyarrow.Table, card: SegmentsCard | None = None) -> None:
        if isinstance(where, str | Path):
            self.card, self.table = _read_folder(Path(where))
        elif card is None:
            raise TokenizedError("a table of tokenized segments needs a card; got None. Give a SegmentsCard.")
        else:
            self.card, self.table = card, where
        _check_columns(self.table, self.card, where)
        self._columns: dict[str, np.ndarray] = {}
        # To find a column by its name costs more than to read a cell of it.
        self._cells = dict(zip(self.table.column_names, self.table.columns, strict=True))
        self._scale = None if self.card.scale is None else (self.card.scale[0], self.card.scale[1])

    def __len__(self) -> int:
        return self.table.num_rows

    @property
    def sources(self) -> list[str]:
        return list(self.card.sources)

    @cached_property
    def described(self) -> tuple[str, ...]:
        """Names of the quantities of the card."""
        return tuple(about["name"] for about in self.card.quantities)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.card.classes)

    def column(self, name: str) -> np.ndarray:
        """One column as an array, shape (n_segments,): null is None in text, NaN in numbers."""
        if name not in self._columns:
            self._columns[name] = self.table[name].to_numpy()
        return self._columns[name]

    def value(self, row: int, name: str) -> Any:
        """One cell; None for null."""
        return self._cells[name][row].as_py()

    def n_copies(self, row: int, source: str) -> int:
        """How many texts a segment has in a source, the plain one among them."""
        return len(self._cells[TEXT + source][row])

    def text(self, row: int, source: str, copy: int = 0) -> str:
        """The text of a segment in one source: 0 is plain, above are augmented copies."""
        return self._cells[TEXT + source][row][copy].as_py()

    def facts(
        self, row: int, source: str | None = None, copy: int = 0, needs: Collection[str] = DETAILS
    ) -> Facts:
        """What is known of one segment.

        Parameters
        ----------
        row : int
        source : str, optional
            Whose text is the signal; None leaves the text empty.
        copy : int
        needs : collection of str
            Of quantities, faults, clues and certainty those that are read; labels always are.

        Returns
        -------
        Facts
        """
        # Each of these costs as much as all labels together, and most tasks look at none or one of them.
        details: dict[str, Any] = {}
        if "quantities" in needs:
            details["quantities"] = self._quantities(row)
        if "faults" in needs and (faults := self.value(row, "faults")) is not None:
            details["faults"] = tuple(Fault(*fault) for fault in json.loads(faults))
        if "clues" in needs:
            details["clues"] = tuple(Clue(*clue) for clue in json.loads(self.value(row, "clues") or "[]"))
        if "certainty" in needs:
            details["uncertain"] = bool(self.column("confidence")[row] < self._least_confidence)
        return Facts(
            signal="" if source is None else self.text(row, source, copy),
            classes=self.classes,
            described=self.described,
            scale=self._scale,
            **{name: self.value(row, name) for name in _PLAIN},
            **details,
        )

    @cached_property
    def _least_confidence(self) -> float:
        """That of the card, and relative to the others: how sure an encoder is depends on its training."""
        known = self.column("confidence").astype(float)
        known = known[~np.isnan(known)]
        return max(self.card.least_confidence, np.quantile(known, LEAST_CERTAIN) if known.size else 0.0)

    def _quantities(self, row: int) -> tuple[Quantity, ...]:
        values = self.value(row, "values") or []
        pairs = zip(self.card.quantities, values, strict=bool(values))
        return tuple(Quantity(**about, value=value) for about, value in pairs if not math.isnan(value))


_PLAIN = ("emotion", "valence", "arousal", "transition", "reading", "confidence", "unusable")


def _read_folder(folder: Path) -> tuple[SegmentsCard, pyarrow.Table]:
    import pyarrow

    if not (folder / CARD).is_file():
        raise TokenizedError(
            f"{folder}: got no {CARD}, so the tokenized segments are missing or not complete; "
            "'biollm build' writes them, and goes on where it was stopped."
        )
    card = SegmentsCard(**json.loads((folder / CARD).read_text(encoding="utf-8")))
    blocks = [pyarrow.ipc.open_file(pyarrow.memory_map(str(path))) for path in sorted(folder.glob("*.arrow"))]
    if not blocks:
        raise TokenizedError(f"{folder}: got no block, allowed are 00000.arrow and further; build it again.")
    return card, pyarrow.concat_tables([block.read_all() for block in blocks])


def _check_columns(table: pyarrow.Table, card: SegmentsCard, where: Any) -> None:
    place = where if isinstance(where, str | Path) else "the table"
    wanted = segment_schema(card.sources)
    missing = [name for name in wanted.names if name not in table.column_names]
    if missing:
        raise TokenizedError(
            f"{place}: the columns {missing} are missing; got {table.column_names}. Write the table with "
            "segment_schema and the sources of the card."
        )
