"""The study table: one row per image, the frame that every stage takes and returns.

Stages add columns and never mutate the frame that they were given. `validate_studies` is the
door: a source calls it before it hands the table on.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

VIEWS: tuple[str, ...] = ("PA", "AP", "LATERAL", "")
SPLITS: tuple[str, ...] = ("train", "validate", "test")
SEXES: tuple[str, ...] = ("F", "M", "")

TEXT_COLUMNS: tuple[str, ...] = (
    "image_id",
    "study_id",
    "patient_id",
    "view",
    "sex",
    "image_path",
    "report",
    "split",
)
"""Text columns, never missing: an unknown value is the empty string. `age` is float years, NaN
where unknown. `report` is the study's report text, repeated on each of its images. `split` is
the source's own (official) split, or empty."""


@dataclass(frozen=True)
class Cohort:
    """What a source read: the study table, what it left out, and what may be shared.

    Attributes:
        name: a short name for titles, such as "MIMIC-CXR".
        table: the study table; with the 14 label columns where the source brought labels.
        exclusions: one row per image left out; columns image_id, study_id, patient_id, reason.
        restricted: whether images, texts, paths and original ids must stay out of outputs.
        synthetic: whether the images are phantoms; every output then says so.
        label_source: what made the label columns ("chexpert", "columns"); empty where the
            reports still have to be labeled.
        truth: (images x 14) bool, indexed by image_id, where the truth is known.
        meant: what the narrator meant to say, (studies x 14) with label values, indexed by
            study_id, where that is known.
        masks: a CheXlocalize segmentation file, where lesion outlines are known.
        notes: facts to print beside every result, such as the phantom's conspicuity.
    """

    name: str
    table: pd.DataFrame
    exclusions: pd.DataFrame
    restricted: bool = False
    synthetic: bool = False
    label_source: str = ""
    truth: pd.DataFrame | None = None
    meant: pd.DataFrame | None = None
    masks: Path | None = None
    notes: dict[str, str] = field(default_factory=dict)


def empty_exclusions() -> pd.DataFrame:
    """Return an exclusion table without rows."""
    return pd.DataFrame(columns=["image_id", "study_id", "patient_id", "reason"], dtype=str)


def validate_studies(table: pd.DataFrame, *, where: str) -> pd.DataFrame:
    """Return `table` in the declared schema: column order, text without gaps, float ages.

    Args:
        table: rows of images; label columns (any of the 14) may be there, other columns stay.
        where: the file or folder to name in a message.

    Raises:
        InputError: no rows; a missing column; a repeated or empty image_id; an empty
            patient_id; an unknown view, sex or split; a label that is not 1, 0, -1 or blank;
            one study that belongs to two patients.
    """
    if table.empty:
        raise InputError(f"{where}: no images were found; check the folder and the view filter.")
    missing = [name for name in (*TEXT_COLUMNS, "age") if name not in table]
    if missing:
        raise InputError(f"{where}: the study table lacks the column(s) {', '.join(missing)}.")
    text = table[list(TEXT_COLUMNS)].fillna("").astype(str)
    age = pd.to_numeric(table["age"], errors="coerce").astype(float)
    rest = table.drop(columns=[*TEXT_COLUMNS, "age"])
    checked = pd.concat([text, age, rest], axis=1).reset_index(drop=True)
    _check_ids(checked, where)
    _check_choice(checked, "view", VIEWS, where)
    _check_choice(checked, "sex", SEXES, where)
    _check_choice(checked, "split", (*SPLITS, ""), where)
    check_labels(checked, where=where)
    return checked


def label_columns(table: pd.DataFrame) -> list[str]:
    """Return the observations, in order, that `table` has a column for."""
    return [name for name in OBSERVATIONS if name in table]


def check_labels(table: pd.DataFrame, *, where: str) -> None:
    """Raise InputError where a label is not 1, 0, -1 or blank; names the row and the value."""
    for name in label_columns(table):
        values = table[name].to_numpy()
        numeric = pd.to_numeric(table[name], errors="coerce").to_numpy(float)
        blank = table[name].isna().to_numpy()
        wrong = np.flatnonzero(~blank & ~np.isin(numeric, (1.0, 0.0, -1.0)))
        if wrong.size:
            row = int(wrong[0])
            raise InputError(
                f"{where}, row {row + 1}: '{name}' is {values[row]!r}; a label is 1, 0, -1 or "
                "blank. Correct the cell or empty it."
            )


def _check_ids(table: pd.DataFrame, where: str) -> None:
    for name in ("image_id", "patient_id"):
        blank = np.flatnonzero((table[name] == "").to_numpy())
        if blank.size:
            raise InputError(f"{where}, row {int(blank[0]) + 1}: {name} is empty; fill it in.")
    twice = table["image_id"].duplicated()
    if twice.any():
        raise InputError(
            f"{where}: image_id '{table.loc[twice, 'image_id'].iloc[0]}' occurs more than once; "
            "each image needs an id of its own."
        )
    studied = table.loc[table["study_id"] != "", ["study_id", "patient_id"]].drop_duplicates()
    shared = studied["study_id"].duplicated()
    if shared.any():
        raise InputError(
            f"{where}: study '{studied.loc[shared, 'study_id'].iloc[0]}' belongs to two patients."
        )


def _check_choice(table: pd.DataFrame, column: str, allowed: tuple[str, ...], where: str) -> None:
    wrong = np.flatnonzero(~table[column].isin(allowed).to_numpy())
    if wrong.size:
        row = int(wrong[0])
        choices = ", ".join(value for value in allowed if value)
        raise InputError(
            f"{where}, row {row + 1}: {column} is {table[column].iloc[row]!r}; expected "
            f"{choices} or blank."
        )
