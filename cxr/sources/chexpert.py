"""CheXpert: train.csv and valid.csv with uncertain labels, one tree of JPEG. Irvin et al. 2019.

`Path` is CheXpert-v1.0[-small]/train/patient00001/study1/view1_frontal.jpg, wherever the folders
lie now (the full set comes in batches). Training labels are of the CheXpert labeler: 1, 0, -1,
blank. Those of valid.csv, and of the test set where it is there, are radiologists' and have no
blanks. Image ids are CheXlocalize's: patient00001_study1_view1_frontal.

Official split: train, valid, test. Without the test set, valid.csv's 200 patients are the test
set, as most publications use them, and a validation part is drawn from train by patient.
The Stanford agreement forbids passing the data on, so it is restricted.
"""

from pathlib import Path

import pandas as pd

from cxr.errors import InputError
from cxr.sources import SOURCES
from cxr.sources.assembly import (
    FRONTAL,
    PICTURES,
    assemble,
    check_folder,
    filter_views,
    find_images,
    find_table,
    needed_table,
    on_disk,
)
from cxr.sources.tables import read_labels, read_table
from cxr.studies import Cohort

TRAIN, VALID, TEST = ("train.csv",), ("valid.csv",), ("test.csv", "test_labels.csv")
_SEXES = {"FEMALE": "F", "MALE": "M"}
_KEY_PARTS = 3  # patient, study, file: patients are numbered across all parts of the set


def read_chexpert(
    root: Path,
    *,
    tables: Path | None = None,
    views: tuple[str, ...] = ("PA", "AP"),
    split: str = "seeded",
    restricted: bool | None = None,
) -> Cohort:
    """Read CheXpert, small or full, whole or in part.

    Args:
        root: the folder that the download made, or one above it.
        tables: the folder of the CSV files, where they are not under `root`.
        views: views to keep.
        split: "official" keeps the set's parts apart; "seeded" uses them all as one.
        restricted: None: yes.

    Raises:
        InputError: a table is missing or damaged; a path that is none of CheXpert's; no image.
    """
    root = check_folder(root, "data.path")
    folders = [check_folder(tables, "data.tables")] if tables else [root]
    origin = SOURCES["chexpert"].origin
    train = needed_table(TRAIN, folders, origin=origin)
    valid = needed_table(VALID, folders, origin=origin) if split == "official" else None
    valid = valid or find_table(VALID, folders)
    test = find_table(TEST, folders)
    parts = {"train": train, "validate" if test else "test": valid, "test": test or valid}
    table = pd.concat(
        [_images(path, part) for part, path in parts.items() if path is not None],
        ignore_index=True,
    )
    images = find_images(root, PICTURES, parts=_KEY_PARTS)
    table, notes = on_disk(table, images, where=train, origin=origin)
    if split != "official":
        table = table.assign(split="")
    return assemble(
        filter_views(table, views),
        name="CheXpert",
        where=root,
        restricted=restricted is not False,
        label_source="chexpert",
        notes=notes,
    )


def _images(path: Path, part: str) -> pd.DataFrame:
    """Return a CSV's images in the study table's columns, with `key` and the 14 labels."""
    raw = read_table(path, required=("Path",))
    pieces = raw["Path"].str.strip().str.replace("\\", "/").str.rsplit(".", n=1).str[0]
    split = pieces.str.split("/").str[-_KEY_PARTS:]
    odd = ~split.str.len().eq(_KEY_PARTS) | ~split.str[0].str.startswith("patient", na=False)
    if odd.any():
        row = int(odd.to_numpy().argmax())
        raise InputError(
            f"{path}, row {row + 1}: Path is {raw['Path'].iloc[row]!r}; expected "
            "<set>/<part>/patient00001/study1/view1_frontal.jpg. Is this CheXpert's own table?"
        )
    blank = pd.Series("", index=raw.index)
    sex = raw.get("Sex", blank).str.strip().str.upper()
    table = pd.DataFrame(
        {
            "key": split.str.join("/"),
            "image_id": split.str.join("_"),
            "study_id": split.str[:2].str.join("_"),
            "patient_id": split.str[0],
            "position": _positions(raw, split.str[-1]),
            "sex": sex.map(_SEXES).fillna(""),
            "age": pd.to_numeric(raw.get("Age", blank), errors="coerce"),
            "report": "",
            "split": part,
            "reason": "",
        }
    )
    return pd.concat([table, read_labels(raw, where=str(path))], axis=1)


def _positions(raw: pd.DataFrame, names: pd.Series) -> pd.Series:
    """Return PA, AP, LATERAL, or FRONTAL where a frontal is not told PA from AP."""
    blank = pd.Series("", index=raw.index)
    side = raw.get("Frontal/Lateral", blank).str.strip().str.upper()
    side = side.where(side != "", names.str.rsplit("_", n=1).str[-1].str.upper())
    position = raw.get("AP/PA", blank).str.strip().str.upper()
    known = position.where(position.isin(("AP", "PA")), FRONTAL)
    return known.where(side == FRONTAL, side)
