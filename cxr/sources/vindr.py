"""VinDr-CXR: DICOM with the labels of three readers each. Nguyen et al. 2022, Sci. Data 9:429.

PhysioNet's form: train/*.dicom and test/*.dicom, annotations/image_labels_train.csv (a row for
each image and reader) and image_labels_test.csv (a row for each image, agreed by five). Kaggle's
form (VinBigData): train/*.dicom and train.csv with a row for each box and reader, "No finding"
being one; its test set has no labels.

A class that most of an image's readers saw is 1, one that none saw 0, one that fewer saw -1: the
readers disagree. All images are PA. The set names no patients, so that each image counts as one.
Official split: train and test; a validation part is drawn from train. PhysioNet gives it to
credentialed users alone, so it is restricted.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.dicom import Header, read_header
from cxr.dicom.files import DiskError
from cxr.errors import InputError, RadiographError
from cxr.observations import NEGATIVE, POSITIVE, UNCERTAIN
from cxr.parallel import run_parallel
from cxr.sources import SOURCES
from cxr.sources.assembly import (
    PICTURES,
    assemble,
    check_folder,
    filter_views,
    find_images,
    find_table,
    needed_table,
    on_disk,
)
from cxr.sources.schemes import read_scheme
from cxr.sources.tables import read_table
from cxr.studies import Cohort

TRAIN, TEST, BOXES = ("image_labels_train.csv",), ("image_labels_test.csv",), ("train.csv",)
_SUFFIXES = (".dicom", ".dcm", *PICTURES)
_RENAMED = {"Other disease": "Other diseases"}  # the test table's own name for it


def read_vindr(
    root: Path,
    *,
    tables: Path | None = None,
    views: tuple[str, ...] = ("PA", "AP"),
    split: str = "seeded",
    restricted: bool | None = None,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Cohort:
    """Read VinDr-CXR, whole or in part.

    Args:
        root: the folder of the download.
        tables: the folder of the label tables, where they are not under `root`.
        views: views to keep.
        split: "official" keeps train and test apart.
        restricted: None: yes.
        jobs: processes that read headers, for sex and age.
        progress: called with the number of headers just read.

    Raises:
        InputError: a table is missing or damaged; an unknown class or value; no image.
    """
    root = check_folder(root, "data.path")
    folders = [check_folder(tables, "data.tables")] if tables else [root]
    origin = SOURCES["vindr"].origin
    boxes = None if find_table(TRAIN, folders) else find_table(BOXES, folders)
    scheme = read_scheme("vindr-boxes" if boxes else "vindr")
    if boxes:
        path, rated = boxes, {"train": _from_boxes(boxes)}
    else:
        path = needed_table(TRAIN, folders, origin=origin)
        rated = {"train": _from_table(path)}
        if test := find_table(TEST, folders):
            rated["test"] = _from_table(test)
        elif split == "official":
            needed_table(TEST, folders, origin=origin)
    images = find_images(root, _SUFFIXES)
    parts = [_images(opinion, part) for part, opinion in rated.items()]
    table, opinions = pd.concat(parts, ignore_index=True), pd.concat(rated.values())
    if unknown := sorted(set(opinions.columns) - set(scheme.classes)):
        raise InputError(
            f"{path}: the class '{unknown[0]}' is unknown; expected {', '.join(scheme.classes)}."
        )
    table, notes = on_disk(table, images, where=path, origin=origin)
    table = _with_headers(table, jobs=jobs, progress=progress)
    labels = scheme.labels(opinions.loc[table["image_id"]]).reset_index(drop=True)
    notes["patients"] = "the set names none; each image counts as a patient of its own"
    notes["observations that it does not annotate"] = ", ".join(scheme.unannotated)
    table = pd.concat([table, labels], axis=1)
    return assemble(
        filter_views(table if split == "official" else table.assign(split=""), views),
        name="VinDr-CXR",
        where=root,
        restricted=restricted is not False,
        label_source="vindr",
        notes=notes,
    )


def _from_table(path: Path) -> pd.DataFrame:
    """Return (images x classes) 1, 0 or -1 from a table of image-level labels."""
    raw = read_table(path, required=("image_id",)).rename(columns=_RENAMED)
    names = [name for name in raw if name not in ("image_id", "rad_id")]
    values = raw[names].apply(pd.to_numeric, errors="coerce")
    wrong = ~values.isin((0, 1))
    if wrong.to_numpy().any():
        row, column = np.argwhere(wrong.to_numpy())[0]
        raise InputError(
            f"{path}, row {row + 1}: '{names[column]}' is {raw[names].iloc[row, column]!r}; "
            "expected 0 or 1. Correct the cell."
        )
    grouped = values.groupby(raw["image_id"].str.strip(), sort=False)
    return _opinion(grouped.sum(), grouped.size())


def _from_boxes(path: Path) -> pd.DataFrame:
    """Return (images x classes) 1, 0 or -1 from a table of boxes, one reader's at a time."""
    raw = read_table(path, required=("image_id", "class_name", "rad_id"))
    raw = raw[["image_id", "rad_id", "class_name"]].apply(lambda column: column.str.strip())
    seen = raw.drop_duplicates()
    votes = pd.crosstab(seen["image_id"], seen["class_name"])
    readers = raw.drop_duplicates(["image_id", "rad_id"]).groupby("image_id").size()
    known = read_scheme("vindr-boxes").classes
    columns = [*known, *(name for name in votes if name not in known)]
    return _opinion(votes.reindex(columns=columns, fill_value=0), readers)


def _opinion(votes: pd.DataFrame, readers: pd.Series) -> pd.DataFrame:
    """Return 1 where more than half of the readers saw a class, 0 where none did, else -1."""
    most = votes.to_numpy() * 2 > readers.loc[votes.index].to_numpy()[:, None]
    values = np.select([most, votes.to_numpy() == 0], [POSITIVE, NEGATIVE], UNCERTAIN)
    return pd.DataFrame(values, index=votes.index, columns=votes.columns)


def _images(opinions: pd.DataFrame, part: str) -> pd.DataFrame:
    ids = opinions.index.to_series().reset_index(drop=True)
    return pd.DataFrame(
        {
            "key": ids,
            "image_id": ids,
            "study_id": ids,
            "patient_id": ids,
            "report": "",
            "split": part,
            "reason": "",
        }
    )


def _with_headers(
    table: pd.DataFrame, *, jobs: int, progress: Callable[[int], None] | None
) -> pd.DataFrame:
    """Add position, sex and age from the DICOM headers; where they are silent, PA and unknown."""
    headers = run_parallel(_try_header, table["image_path"], jobs=jobs, progress=progress)
    return table.assign(
        position=[(header.view_position if header else "") or "PA" for header in headers],
        sex=[header.sex if header else "" for header in headers],
        age=[header.age if header else np.nan for header in headers],
    )


def _try_header(path: str) -> Header | None:
    if Path(path).suffix.lower() in PICTURES:
        return None
    try:
        return read_header(path)
    except DiskError:
        raise
    except RadiographError:  # the decoder will say what is wrong with the file
        return None
