"""Reading CSV tables at the door: text cells, UTF-8, plain or gzipped, columns that must be there.

Every cell stays text until a source knows what it means, so that ids keep their zeros.
"""

import gzip
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.studies import check_labels


def read_table(path: Path, *, required: Sequence[str] = ()) -> pd.DataFrame:
    """Read a .csv or .csv.gz as text; an empty cell is the empty string.

    Args:
        path: the file; a byte order mark is skipped.
        required: columns that must be there.

    Raises:
        InputError: the file is missing, not a table, not UTF-8, or lacks a column; names the
            columns that it has.
    """
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            table = pd.read_csv(file, dtype=str, keep_default_na=False, na_filter=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; check the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: it is not UTF-8 text; save it as UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: it can't be read ({error}).") from error
    except ValueError as error:  # pandas' parser and empty-data errors are among these
        words = " ".join(str(error).split()).rstrip(".")
        raise InputError(f"{path}: it is not a CSV table ({words}).") from error
    table.columns = table.columns.str.strip()
    missing = [name for name in required if name not in table]
    if missing:
        raise InputError(
            f"{path}: the column(s) {', '.join(missing)} are missing; it has {column_words(table)}."
        )
    return table


def column_words(table: pd.DataFrame) -> str:
    """Return the names of a table's columns for a message: on one line, and not without end."""
    names = ", ".join(" ".join(str(name).split()) for name in table.columns)
    return names if len(names) <= 400 else f"{names[:400]}..."


def read_labels(table: pd.DataFrame, *, where: str) -> pd.DataFrame:
    """Return the 14 observations of a text table as floats: 1, 0, -1, or NaN for blank.

    An observation without a column was not annotated: all blank.

    Raises:
        InputError: another value; names row, column and value.
    """
    found = [name for name in OBSERVATIONS if name in table]
    stripped = table[found].apply(lambda column: column.str.strip())
    blank = stripped.mask(stripped == "", np.nan)
    check_labels(blank, where=where)
    numbers = blank.apply(pd.to_numeric).astype(float)
    return numbers.reindex(columns=list(OBSERVATIONS))


def exclusion_table(rows: Iterable[tuple[str, str, str, str]]) -> pd.DataFrame:
    """Return (image_id, study_id, patient_id, reason) rows as an exclusion table."""
    columns = ["image_id", "study_id", "patient_id", "reason"]
    return pd.DataFrame(list(rows), columns=columns, dtype=str)
