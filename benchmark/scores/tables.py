"""Tables of scores as people have them: read, named, and said what they hold.

Column names are read generously (`cxr.column_names`), meanings strictly: a score that is no
number, an image that stands twice, and a scale that can't be told are refused with the place.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.evaluation.documents import scored_columns
from cxr.column_names import (
    IDS,
    SCORE_WORDS,
    TRAITS,
    find_column,
    observation_columns,
)
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.sources.tables import read_table

Floats = NDArray[np.float64]
Scale = Literal["auto", "probability", "logit"]
Given = Sequence[tuple[str, str]]
"""(column, observation) pairs that the user named."""

_SEED = re.compile(r"(?P<network>.+?)[-_. ]*seed[-_ ]?(?P<seed>\d+)$", re.IGNORECASE)
_CHEXPERT = re.compile(r"(?P<study>(?P<patient>patient\d+)/study\d+)/")


@dataclass(frozen=True)
class Predictions:
    """One network's scores.

    Attributes:
        network: its name.
        seed: its training seed.
        file: the file's name, without its folder.
        ids: image_id, study_id and patient_id of each row as text; empty where not told.
        logits: (rows, 14) float; NaN columns where the network does not tell an observation.
        scale: "probability" or "logit", what the file holds.
        columns: the table's columns.
        unused: those that are neither ids nor observations.
        notices: what the reader should know, in sentences.
    """

    network: str
    seed: int
    file: str
    ids: pd.DataFrame
    logits: Floats
    scale: str
    columns: tuple[str, ...]
    unused: tuple[str, ...]
    notices: tuple[str, ...]


def read_predictions(
    path: Path, *, name: str = "", scale: Scale = "auto", given: Given = (), id_column: str = ""
) -> Predictions:
    """Read one network's table of scores.

    Args:
        path: .csv, .csv.gz or .parquet; a row per image, a column per observation.
        name: what to call the network; else the file's name. A name that ends in "seed" and a
            number, as "resnet50-seed1", tells network and seed.
        scale: what the scores are; "auto" looks at them.
        given: which columns tell which observations, where their names don't.
        id_column: the column of the image ids, where its name doesn't tell.

    Raises:
        InputError: no id column, no observation, an image twice, a score that is missing or not
            finite, scores on a scale that can't be told.
    """
    table = read_any(path)
    where, header = str(path), column_list(table)
    named = _name_of(path, name)
    ids, id_columns = read_ids(table, where, id_column)
    refuse_repeats(ids, where)
    columns = observation_columns(header, aside=SCORE_WORDS, given=given, where=where)
    if not columns:
        raise InputError(
            f"{where}: no column is named like one of the 14 observations (such as "
            f"'Cardiomegaly'); it has {', '.join(header)}. Say which is which with --column."
        )
    used = {*id_columns, *columns.values(), find_column(header, TRAITS["split"])}
    values = {
        observation: _scores(table[column], column, where)
        for observation, column in columns.items()
    }
    told = {name: column for name, column in values.items() if column is not None}
    empty = [name for name in values if name not in told]
    if not told:
        raise InputError(f"{where}: every score is empty; was the right table written?")
    numbers = np.full((len(table), len(OBSERVATIONS)), np.nan)
    for observation, column in told.items():
        numbers[:, OBSERVATIONS.index(observation)] = column
    seen, logits, notices = _as_logits(numbers, scale, where)
    if empty:
        notices.append(f"{where}: the columns of {', '.join(empty)} are empty and not used.")
    return Predictions(
        network=named[0],
        seed=named[1],
        file=path.name,
        ids=ids,
        logits=logits,
        scale=seen,
        columns=tuple(header),
        unused=tuple(column for column in header if column not in used),
        notices=tuple(notices),
    )


def read_any(path: Path) -> pd.DataFrame:
    """Return a CSV or Parquet file as a table of text.

    Raises:
        InputError: it is missing or no table.
    """
    if path.suffix != ".parquet":
        return read_table(path)
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: it can't be read as a Parquet table ({error}).") from error
    text = table.astype(object).where(table.notna(), "")
    return text.map(str).rename(columns=str)


def column_list(table: pd.DataFrame) -> list[str]:
    """Return the names of a table's columns."""
    return [str(name) for name in table.columns]


def _name_of(path: Path, name: str) -> tuple[str, int]:
    """Return network and seed from the name given, else from the file's."""
    stem = name or path.name.split(".")[0]
    found = _SEED.fullmatch(stem)
    network, seed = (found["network"], int(found["seed"])) if found else (stem, 0)
    if not re.fullmatch(r"[\w][\w .+-]*", network):
        raise InputError(
            f"'{network}' can't name a network; use letters, digits, '-', '_' and '.', as in "
            "NAME=FILE."
        )
    return network, seed


def read_ids(table: pd.DataFrame, where: str, id_column: str) -> tuple[pd.DataFrame, set[str]]:
    """Return the three ids of each row, and the columns that they came from."""
    names = column_list(table)
    if id_column and id_column not in names:
        raise InputError(f"{where}: there is no column '{id_column}'; it has {', '.join(names)}.")
    columns = {kind: find_column(names, known) for kind, known in IDS.items()}
    columns["image_id"] = id_column or columns["image_id"]
    blank = pd.Series("", index=table.index, dtype=str)
    ids = pd.DataFrame(
        {
            kind: blank if column is None else table[column].str.strip()
            for kind, column in columns.items()
        }
    )
    if columns["image_id"] is None and columns["study_id"] is None:
        raise InputError(
            f"{where}: no column tells the image (such as image_id, dicom_id, Path or Image "
            f"Index) or the study; it has {', '.join(names)}. Name it with --id."
        )
    paths = ids["image_id"].str.extract(_CHEXPERT)
    for kind, part in (("patient_id", "patient"), ("study_id", "study")):
        ids[kind] = ids[kind].where(ids[kind] != "", paths[part].fillna(""))
    return ids, {column for column in columns.values() if column}


def refuse_repeats(ids: pd.DataFrame, where: str) -> None:
    """Raise InputError where an id is empty or stands in two rows."""
    kind = "image_id" if ids["image_id"].any() else "study_id"
    column = ids[kind]
    empty = np.flatnonzero((column == "").to_numpy())
    if empty.size:
        raise InputError(f"{where}, row {int(empty[0]) + 1}: the id is empty; fill it in.")
    twice = np.flatnonzero(column.duplicated().to_numpy())
    if twice.size:
        name = column.iloc[twice[0]]
        first = int(np.flatnonzero((column == name).to_numpy())[0])
        raise InputError(
            f"{where}, row {int(twice[0]) + 1}: '{name}' stands in row {first + 1} already "
            f"({twice.size} repeated in all); keep one row for each."
        )


def _scores(column: pd.Series, name: str, where: str) -> Floats | None:
    """Return a column of scores; None where every cell is empty."""
    text = column.str.strip()
    empty = (text == "").to_numpy()
    if empty.all():
        return None
    numbers = pd.to_numeric(text, errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        row = int(wrong[0])
        shown = repr(text.iloc[row]) if text.iloc[row] else "empty"
        raise InputError(
            f"{where}, row {row + 1}: the score '{name}' is {shown}; scores must be finite "
            f"numbers ({wrong.size} such cells in this column). Was the model stable?"
        )
    return numbers


def _as_logits(numbers: Floats, scale: Scale, where: str) -> tuple[str, Floats, list[str]]:
    """Return the scale, the scores as logits, and what is to be said about them."""
    known = numbers[:, scored_columns(numbers)]
    low, high = float(known.min()), float(known.max())
    inside = np.asarray(((known >= 0) & (known <= 1)).all(axis=0))
    if scale == "probability" and not inside.all():
        raise InputError(
            f"{where}: scores run from {low:g} to {high:g}, so they are no probabilities; use "
            "--scale logit, or bring them to 0 to 1."
        )
    if scale == "auto" and low >= 0 and high > 1:
        raise InputError(
            f"{where}: scores run from {low:g} to {high:g}, which is neither 0 to 1 nor like "
            "logits (are they percentages?); divide them, or say --scale logit."
        )
    if scale == "logit" or (scale == "auto" and not inside.all()):
        notices = []
        if inside.any() and scale == "auto":
            names = _named(numbers, inside)
            notices.append(
                f"{where}: {names} lie within 0 to 1 and the other columns don't; all were read "
                "as logits."
            )
        return "logit", _single(numbers), notices
    notices = []
    called = np.array([np.isin(column, (0.0, 1.0)).all() for column in known.T])
    if called.any():
        notices.append(
            f"{where}: {_named(numbers, called)} hold 0 and 1 alone; these are calls and no "
            "scores, so their AUROC has one operating point."
        )
    return "probability", _log_odds(numbers), notices


def _named(numbers: Floats, chosen: NDArray[np.bool_]) -> str:
    places = np.flatnonzero(scored_columns(numbers))[chosen]
    return ", ".join(OBSERVATIONS[place] for place in places)


def _log_odds(probability: Floats) -> Floats:
    """Return log-odds in the order of the probabilities; 0 and 1 lie beyond all others."""
    with np.errstate(divide="ignore"):
        odds = np.log(probability / (1 - probability))
    return np.nan_to_num(odds, nan=np.nan, neginf=-750.0, posinf=40.0)


def _single(logits: Floats) -> Floats:
    """Return what was written from single precision as those very numbers.

    A float32 is printed with the fewest digits that tell it from its neighbours, and read back as
    another float64; a network's logits are float32 as a rule.
    """
    single = logits.astype(np.float32)
    known = ~np.isnan(logits)
    printed = single[known].astype(str).astype(np.float64)
    return single.astype(np.float64) if np.array_equal(printed, logits[known]) else logits
