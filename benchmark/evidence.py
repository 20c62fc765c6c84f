"""What a run folder knows, read by *source*: a short text that says where a value stands.

A source is a file of the run folder and a path in it, so that anyone can look the value up:

    densenet121/seed-0/metrics.json#observations.Edema.auroc.estimate
    run.json#data.exclusions.*                      the sum over the children
    cases.parquet#images?split=test&sex=F           rows where the columns have these values
    cases.parquet#patients?split=test               different patients in those rows
    exclusions.csv#images?reason=lateral view

Sources joined by " + " are added; by " / ", the sum before is divided by the sum after. A dot
inside a key is written %2E, as `key` does; in a query, values are quoted as in a URL. Card and
figures take every number through a source, so that none can be shown that does not stand in the
run.
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.runs import Run
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

TABLES = ("cases.parquet", "exclusions.csv")


def key(name: str) -> str:
    """Return `name` as one step of a source."""
    return quote(name, safe=" ,;:()-_'").replace(".", "%2E")


def where(table: str, counted: str, **conditions: object) -> str:
    """Return the source that counts `counted` (images, patients) under the conditions."""
    parts = [f"{quote(name)}={quote(str(value))}" for name, value in conditions.items()]
    return f"{table}#{counted}" + (f"?{'&'.join(parts)}" if parts else "")


class Evidence:
    """The files of one run folder, each read once; what is not there is None."""

    def __init__(self, folder: Path) -> None:
        """Open the run folder.

        Raises:
            InputError: no folder, or no run.json that can be read in it.
        """
        self.run = Run(folder)
        if not (folder / "run.json").is_file():
            raise InputError(f"{folder} holds no run.json; name the folder of one run.")
        self._documents: dict[str, Any] = {}
        self._tables: dict[str, pd.DataFrame | None] = {}
        self._masks: dict[tuple[str, str, str], NDArray[np.bool_]] = {}
        self._numbered: dict[tuple[str, str], NDArray[np.intp]] = {}

    @property
    def trained_here(self) -> bool:
        """Whether the run trained its networks; else scores were given to it."""
        return bool(self.value("run.json#config.data.source") != "scores")

    def path(self, file: str) -> Path | None:
        """Return the file's path where it is there; a file outside the run folder is not."""
        path = (self.run.path / file).resolve()
        inside = path.is_relative_to(self.run.path.resolve())
        return path if inside and path.is_file() else None

    def document(self, file: str) -> Any:
        """Return a JSON file's content; None where it is not there.

        Raises:
            InputError: the file is no JSON.
        """
        if file not in self._documents:
            path = self.path(file)
            self._documents[file] = None if path is None else _read_json(path)
        return self._documents[file]

    def table(self, file: str) -> pd.DataFrame | None:
        """Return a Parquet or CSV file as a frame; None where it is not there.

        Raises:
            InputError: the file can't be read as a table.
        """
        if file not in self._tables:
            path = self.path(file)
            self._tables[file] = None if path is None else _read_table(path)
        return self._tables[file]

    def value(self, source: str) -> Any:
        """Return what stands at `source`; None where nothing does."""
        part, _, whole = source.partition(" / ")
        if whole:
            above, below = self.value(part), self.value(whole)
            return above / below if above is not None and below else None
        parts = [self._one(part) for part in source.split(" + ")]
        if len(parts) == 1:
            return parts[0]
        return None if any(part is None for part in parts) else sum(parts)

    def _one(self, source: str) -> Any:
        file, _, path = source.partition("#")
        if file in TABLES:
            return self._count(file, path)
        found: Any = self.document(file)
        for step in path.split(".") if path else ():
            if step == "*" and isinstance(found, dict):
                return sum(found.values())
            found = _step(found, unquote(step))
            if found is None:
                return None
        return found

    def _count(self, file: str, path: str) -> int | None:
        table = self.table(file)
        if table is None:
            return None
        counted, _, query = path.partition("?")
        rows = np.ones(len(table), bool)
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name not in table:
                return None
            rows &= self._rows(table[name], (file, name, value))
        if counted == "images":
            return int(rows.sum())
        column = {"patients": "patient_id", "studies": "study_id"}[counted]
        if column not in table:
            return None
        return len(np.unique(self._codes(table[column], (file, column))[rows]))

    def _rows(self, column: pd.Series, place: tuple[str, str, str]) -> NDArray[np.bool_]:
        """Which rows have the value; kept, because the card asks for the same ones often."""
        if place not in self._masks:
            self._masks[place] = _equals(column, place[2])
        return self._masks[place]

    def _codes(self, column: pd.Series, place: tuple[str, str]) -> NDArray[np.intp]:
        if place not in self._numbered:
            self._numbered[place] = pd.factorize(column)[0]
        return self._numbered[place]

    def scored_cases(self, folder: str) -> tuple[pd.DataFrame, NDArray[np.float64]] | None:
        """Return the test cases and a checkpoint's probabilities for them, (n, 14).

        NaN columns where the network does not tell an observation; None where cases or scores
        are not there or do not belong together.
        """
        cases, scores = self.table("cases.parquet"), self.table(f"{folder}/scores.parquet")
        if cases is None or scores is None or not set(OBSERVATIONS) <= set(scores):
            return None
        test = cases[cases["split"] == "test"]
        chosen = scores.set_index("image_id").reindex(test["image_id"])
        logits = chosen[list(OBSERVATIONS)].to_numpy(float)
        unknown = np.isnan(logits)
        if not len(test) or unknown.all() or (unknown != unknown.all(axis=0)).any():
            return None
        return test.reset_index(drop=True), 1 / (1 + np.exp(-logits))


def column_values(table: pd.DataFrame | None, column: str) -> list[str]:
    """Return the different values of a column as text, sorted; none where it is not there."""
    if table is None or column not in table:
        return []
    return sorted(str(value) for value in table[column].dropna().unique())


def _equals(column: pd.Series, value: str) -> NDArray[np.bool_]:
    if column.dtype == bool:
        return column.to_numpy() == (value == "True")
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(float)
        return numbers == float(value) if value else np.isnan(numbers)
    return np.asarray(column.fillna("").astype(str) == value, dtype=bool)


def _step(found: Any, step: str) -> Any:
    if isinstance(found, dict):
        return found.get(step)
    if isinstance(found, list) and step.isdigit() and int(step) < len(found):
        return found[int(step)]
    return None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"{path} is no JSON ({error}); restore it or run again.") from error


def _read_table(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise InputError(f"{path} is no table ({error}); restore it or run again.") from error
