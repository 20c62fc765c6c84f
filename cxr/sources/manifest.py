"""Any folder of radiographs, listed in a CSV: the source for one's own data.

Columns: `image_path` or `path` (DICOM, PNG or JPEG), `patient_id`; optional `image_id`,
`study_id`, `view`, `sex`, `age`, `split`, `report` or `text`, and any of the 14 observations.

A relative path starts at the CSV's folder and may not lead out of it with `..`; an absolute path
is taken as it is, because whoever wrote it plainly meant it. Symbolic links are followed.
"""

import os
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from cxr.dicom import Header, read_header
from cxr.dicom.files import DiskError
from cxr.dicom.header import age_years, standard_view
from cxr.errors import InputError, RadiographError
from cxr.observations import OBSERVATIONS
from cxr.sources.tables import column_words, exclusion_table, read_labels, read_table
from cxr.studies import Cohort, validate_studies

_DICOM_SUFFIXES = ("", ".dcm", ".dicom")
_SEXES = {"F": "F", "FEMALE": "F", "M": "M", "MALE": "M"}
_SPLITS = {"val": "validate", "valid": "validate", "validation": "validate"}


def read_manifest(
    csv: Path,
    *,
    labels: Literal["report", "columns", "none"] = "report",
    views: tuple[str, ...] = ("PA", "AP"),
    restricted: bool | None = None,
) -> Cohort:
    """Read a manifest.

    Args:
        csv: the manifest, .csv or .csv.gz, UTF-8.
        labels: "report": the report column is to be labeled; rows without a report are excluded.
            "columns": the observations' own columns; an observation without one is blank.
            "none": labels are not asked for.
        views: views to keep. A row without a view takes it from its DICOM header; where that is
            silent too the row stays, because the manifest lists it on purpose.
        restricted: whether images, texts and ids must stay out of outputs; None means no.

    Raises:
        InputError: a missing column; no rows; a path that leads out of the folder; an image
            listed twice; an unknown view or split; a label other than 1, 0, -1 or blank.
    """
    csv = Path(csv)
    raw = read_table(csv, required=("patient_id",))
    if raw.empty:
        raise InputError(f"{csv}: it lists no images; add a row for each.")
    table = _study_table(raw, csv)
    if labels == "columns":
        if not any(name in raw for name in OBSERVATIONS):
            raise InputError(
                f"{csv}: it has no column of the 14 observations (such as 'Cardiomegaly'); it has "
                f"{column_words(raw)}. Add label columns, or use labels from reports."
            )
        table = pd.concat([table, read_labels(raw, where=str(csv))], axis=1)
    elif labels == "report" and "report" not in raw and "text" not in raw:
        raise InputError(
            f"{csv}: labels from reports need a column 'report' or 'text'; it has "
            f"{column_words(raw)}. Add it, or use data.labels 'columns'."
        )
    table = validate_studies(_fill_from_headers(table), where=str(csv))
    reasons = _reasons(table, views, needs_report=labels == "report")
    kept = table[reasons == ""]
    left_out = table[reasons != ""]
    return Cohort(
        name=csv.name.split(".")[0],
        table=validate_studies(kept, where=str(csv)),
        exclusions=exclusion_table(
            zip(
                left_out["image_id"],
                left_out["study_id"],
                left_out["patient_id"],
                reasons[reasons != ""],
                strict=True,
            )
        ),
        restricted=bool(restricted),
        label_source="columns" if labels == "columns" else "",
    )


def _study_table(raw: pd.DataFrame, csv: Path) -> pd.DataFrame:
    """Return the study table's columns from the manifest's, in its own words made standard."""
    names = [name for name in ("image_path", "path") if name in raw]
    if not names:
        raise InputError(
            f"{csv}: the column image_path (or path) is missing; it has {column_words(raw)}."
        )
    written = raw[names[0]].str.strip()
    paths = [_resolve(path, csv, row) for row, path in enumerate(written, start=1)]
    _refuse_repeats(paths, csv)
    image_ids = _column(raw, "image_id")
    image_ids = image_ids.where(image_ids != "", written.str.replace("\\", "/"))
    study_ids = _column(raw, "study_id")
    views = _column(raw, "view").str.upper()
    splits = _column(raw, "split").str.lower()
    return pd.DataFrame(
        {
            "image_id": image_ids,
            "study_id": study_ids.where(study_ids != "", image_ids),
            "patient_id": _column(raw, "patient_id"),
            "view": [standard_view(view) or view for view in views],
            "sex": [_SEXES.get(sex, "") for sex in _column(raw, "sex").str.upper()],
            "age": [_age(age) for age in _column(raw, "age")],
            "image_path": paths,
            "report": raw["report" if "report" in raw else "text"]
            if "report" in raw or "text" in raw
            else "",
            "split": [_SPLITS.get(split, split) for split in splits],
        }
    )


def _column(raw: pd.DataFrame, name: str) -> pd.Series:
    return raw[name].str.strip() if name in raw else pd.Series("", index=raw.index, dtype=str)


def _age(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return age_years(value)


def _resolve(written: str, csv: Path, row: int) -> str:
    """Return the path of an image; refuses one that climbs out of the manifest's folder."""
    if not written:
        raise InputError(f"{csv}, row {row}: the image path is empty; fill it in or drop the row.")
    if os.path.isabs(written):
        return written
    relative = os.path.normpath(written.replace("\\", "/"))
    if relative == ".." or relative.startswith("../"):
        raise InputError(
            f"{csv}, row {row}: '{written}' leads out of the manifest's folder; move the "
            "manifest above its images, or write the absolute path."
        )
    return str(csv.parent / relative)


def _refuse_repeats(paths: list[str], csv: Path) -> None:
    places: dict[str, int] = {}
    for row, path in enumerate(paths, start=1):
        first = places.setdefault(os.path.normpath(path), row)
        if first != row:
            raise InputError(
                f"{csv}, row {row}: the same image as in row {first} ('{path}'); keep one of them."
            )


def _fill_from_headers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with view, sex and age from DICOM headers where the view is blank."""
    rows = table[["image_path", "view", "sex", "age"]].to_dict("records")
    for row in rows:
        header = None if row["view"] else _try_header(row["image_path"])
        if header:
            row["view"] = header.view
            row["sex"] = row["sex"] or header.sex
            row["age"] = header.age if np.isnan(row["age"]) else row["age"]
    return table.assign(**{name: [row[name] for row in rows] for name in ("view", "sex", "age")})


def _try_header(path: str) -> Header | None:
    if Path(path).suffix.lower() not in _DICOM_SUFFIXES:
        return None
    try:
        return read_header(path)
    except DiskError:
        raise
    except RadiographError:  # the decoder will say what is wrong with the file
        return None


def _reasons(table: pd.DataFrame, views: tuple[str, ...], *, needs_report: bool) -> np.ndarray:
    """Return for each row why it is left out; empty where it is kept."""
    reasons = np.full(len(table), "", dtype=object)
    if needs_report:
        reasons[(table["report"].str.strip() == "").to_numpy()] = "the report is empty"
    for row, view in enumerate(table["view"]):
        if view and view not in views:
            reasons[row] = f"view {view} is not among {', '.join(views)}"
    return reasons
