"""Tables of numbers in text files, with errors that name every cell that is none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["numbers", "read_table"]

SHOWN = 5


def read_table(path: str | Path, **options: Any) -> pd.DataFrame:
    """`pandas.read_csv`, with the file in the error.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no table: empty, of rows of different lengths, or no text.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; allowed is a table as text.")
    try:
        return pd.read_csv(path, low_memory=False, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is no table: {error}. Copy the file again.") from error


def numbers(path: str | Path, frame: pd.DataFrame, first_row: int) -> np.ndarray:
    """The values of a table, after the check that all are finite numbers.

    Parameters
    ----------
    path : str or Path
        For the message.
    frame : DataFrame
    first_row : int
        Line of the file that the table's first row stands in, from 1.

    Returns
    -------
    ndarray, shape (n_rows, n_columns), float64

    Raises
    ------
    ValueError
        If a cell is none; names the first ones by row and column, and counts them all.
    """
    import pandas as pd

    if all(kind.kind in "fiu" for kind in frame.dtypes):
        values = frame.to_numpy(np.float64)
    else:
        values = frame.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    rows, columns = np.nonzero(~np.isfinite(values))
    if len(rows):
        names = [str(name) for name in frame.columns]
        cells = [
            f"row {first_row + row}, column {column + 1} ({names[column]}): {str(frame.iat[row, column])!r}"
            for row, column in zip(rows[:SHOWN], columns[:SHOWN], strict=True)
        ]
        more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
        raise ValueError(
            f"{path}: these hold no finite number: {'; '.join(cells)}{more}. Mend the cells, or leave the "
            "file out."
        )
    return values
