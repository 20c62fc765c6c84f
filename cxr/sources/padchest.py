"""PadChest: 16-bit PNG and one table of terms. Bustos et al. 2020, Med. Image Anal. 66:101797.

PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv names each image, its projection, patient and
a list of terms read from the Spanish report; images lie in numbered folders (ImageDir) or in one.
The reports themselves are not read: our labeler reads English. There is no official split. The
BIMCV agreement forbids passing the data on, so it is restricted.
"""

import re
from pathlib import Path

import pandas as pd

from cxr.sources import SOURCES
from cxr.sources.assembly import (
    PICTURES,
    assemble,
    check_folder,
    filter_views,
    find_images,
    leave_out,
    needed_table,
    on_disk,
)
from cxr.sources.schemes import read_scheme
from cxr.sources.tables import read_table
from cxr.studies import Cohort

TABLES = (
    "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv",
    "PADCHEST_chest_x_ray_images_labels_160K.csv",
)
_PROJECTIONS = {"L": "LATERAL", "AP_HORIZONTAL": "AP"}  # the others are named as ours, or left out
_SILENT = {"exclude": "its label is 'exclude'", "unchanged": "its only label is 'unchanged'"}
_TERM = re.compile(r"""'([^']*)'|"([^"]*)\"""")


def read_padchest(
    root: Path,
    *,
    tables: Path | None = None,
    views: tuple[str, ...] = ("PA", "AP"),
    restricted: bool | None = None,
) -> Cohort:
    """Read PadChest, whole or in part.

    Args:
        root: the folder of the images.
        tables: the folder of the table, where it is not under `root`.
        views: views to keep.
        restricted: None: yes.

    Raises:
        InputError: the table is missing or damaged; no image.
    """
    root = check_folder(root, "data.path")
    folders = [check_folder(tables, "data.tables")] if tables else [root]
    origin = SOURCES["padchest"].origin
    path = needed_table(TABLES, folders, origin=origin)
    table, notes = on_disk(_images(path), find_images(root, PICTURES), where=path, origin=origin)
    table = filter_views(table, views)
    terms = [_terms(cell) for cell in table["terms"]]
    for term, reason in _SILENT.items():
        alone = [term in found and (term == "exclude" or len(found) == 1) for found in terms]
        table = leave_out(table, pd.Series(alone, index=table.index), reason)
    untold = pd.Series([not found for found in terms], index=table.index)
    table = leave_out(table, untold, "it has no label")
    scheme = read_scheme("padchest")
    labels = scheme.labels(scheme.listed(terms, where=str(path)))
    return assemble(
        pd.concat([table.drop(columns="terms"), labels], axis=1),
        name="PadChest",
        where=root,
        restricted=restricted is not False,
        label_source="padchest",
        notes=notes,
    )


def _images(path: Path) -> pd.DataFrame:
    """Return the table's images in the study table's columns, with `key` and `terms`."""
    raw = read_table(path, required=("ImageID", "StudyID", "PatientID", "Projection", "Labels"))
    raw = raw[raw["ImageID"].str.strip() != ""].drop_duplicates("ImageID").reset_index(drop=True)
    stems = raw["ImageID"].str.strip().str.rsplit(".", n=1).str[0]
    projection = raw["Projection"].str.strip().str.upper()
    blank = pd.Series("", index=raw.index)
    sex = raw.get("PatientSex_DICOM", blank).str.strip().str.upper()
    year = pd.to_numeric(raw.get("StudyDate_DICOM", blank).str[:4], errors="coerce")
    birth = pd.to_numeric(raw.get("PatientBirth", blank), errors="coerce")
    return pd.DataFrame(
        {
            "key": stems,
            "image_id": stems,
            "study_id": raw["StudyID"].str.strip(),
            "patient_id": raw["PatientID"].str.strip(),
            "position": projection.map(_PROJECTIONS).fillna(projection),
            "sex": sex.where(sex.isin(("F", "M")), ""),
            "age": (year - birth).where(lambda years: years.between(0, 120)),
            "report": "",
            "split": "",
            "terms": raw["Labels"],
            "reason": "",
        }
    )


def _terms(cell: str) -> set[str]:
    """Return the terms of a cell such as "['pleural effusion', ' cardiomegaly']"."""
    found = (single or double for single, double in _TERM.findall(cell))
    return {" ".join(term.split()) for term in found} - {""}
