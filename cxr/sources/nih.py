"""NIH ChestX-ray14: one table, one tree of PNG, two lists. Wang et al. 2017, CVPR 3462-3471.

Data_Entry_2017.csv (or _v2020, or the sample's sample_labels.csv) names each image, its classes,
follow-up, patient, age, sex and view; images lie in images_001/images, images_002/images, ..., or
in one folder; train_val_list.txt and test_list.txt are the official split. Its validation part is
not official: it is drawn from train_val by patient where a run needs one. Public domain; NIH asks
for attribution.
"""

from pathlib import Path

import pandas as pd

from cxr.dicom.header import age_years
from cxr.errors import InputError
from cxr.sources import SOURCES
from cxr.sources.assembly import (
    PICTURES,
    assemble,
    check_folder,
    filter_views,
    find_images,
    find_table,
    leave_out,
    needed_table,
    on_disk,
)
from cxr.sources.schemes import read_scheme
from cxr.sources.tables import column_words, read_table
from cxr.studies import Cohort

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv", "sample_labels.csv")
LISTS = {"train": "train_val_list.txt", "test": "test_list.txt"}
_COLUMNS = ("Image Index", "Finding Labels", "Patient ID")


def read_nih(
    root: Path,
    *,
    tables: Path | None = None,
    views: tuple[str, ...] = ("PA", "AP"),
    split: str = "seeded",
    restricted: bool | None = None,
) -> Cohort:
    """Read NIH ChestX-ray14, whole or in part.

    Args:
        root: the folder of the download; PNG, or JPEG copies of the same names, lie anywhere
            below it.
        tables: the folder of table and lists, where they are not under `root`.
        views: views to keep; all images are frontal.
        split: "official" reads the two lists, and leaves out what neither names.
        restricted: None: no.

    Raises:
        InputError: a file that is needed is missing or damaged; an unknown class; no image.
    """
    root = check_folder(root, "data.path")
    folders = [check_folder(tables, "data.tables")] if tables else [root]
    origin = SOURCES["nih"].origin
    path = needed_table(TABLES, folders, origin=origin)
    table, notes = on_disk(_images(path), find_images(root, PICTURES), where=path, origin=origin)
    table = filter_views(table, views)
    table = _with_split(table, folders) if split == "official" else table.assign(split="")
    scheme = read_scheme("nih")
    present = [
        [name.strip() for name in cell.split("|") if name.strip()] for cell in table["classes"]
    ]
    table = pd.concat(
        [table.drop(columns="classes"), scheme.labels(scheme.listed(present, where=str(path)))],
        axis=1,
    )
    notes["observations that it does not annotate"] = ", ".join(scheme.unannotated)
    return assemble(
        table,
        name="NIH ChestX-ray14",
        where=root,
        restricted=bool(restricted),
        label_source="nih",
        notes=notes,
    )


def _images(path: Path) -> pd.DataFrame:
    """Return the table's images in the study table's columns, with `key` and `classes`."""
    raw = read_table(path)
    raw.columns = raw.columns.str.replace("_", " ")  # the sample's headers are underscored
    missing = [name for name in _COLUMNS if name not in raw]
    if missing:
        raise InputError(
            f"{path}: the column(s) {', '.join(missing)} are missing; it has {column_words(raw)}."
        )
    stems = raw["Image Index"].str.strip().str.rsplit(".", n=1).str[0]
    blank = pd.Series("", index=raw.index)
    sex = raw.get("Patient Gender", blank).str.strip().str.upper()
    return pd.DataFrame(
        {
            "key": stems,
            "image_id": stems,
            "study_id": stems,  # each follow-up is one image
            "patient_id": raw["Patient ID"].str.strip(),
            "position": raw.get("View Position", blank),
            "sex": sex.where(sex.isin(("F", "M")), ""),
            "age": [_age(age.strip()) for age in raw.get("Patient Age", blank)],
            "report": "",
            "classes": raw["Finding Labels"],
            "reason": "",
        }
    )


def _age(written: str) -> float:
    """Return years, from "58" or the older "058Y"; beyond 120, which some are, unknown."""
    years = float(written) if written.isdigit() else age_years(written)
    return years if years <= 120 else float("nan")


def _with_split(table: pd.DataFrame, folders: list[Path]) -> pd.DataFrame:
    places: dict[str, str] = {}
    for split, name in LISTS.items():
        path = find_table((name,), folders)
        if path is None:
            raise InputError(
                f"{folders[0]}: there is no {name}, which split.method 'official' needs; get it "
                f"from {SOURCES['nih'].origin}, or use split.method 'seeded'."
            )
        for line in path.read_text(encoding="utf-8", errors="replace").split():
            stem = line.rsplit(".", 1)[0]
            if places.setdefault(stem, split) != split:
                raise InputError(
                    f"{path}: image '{stem}' stands in both lists; take it out of one."
                )
    split_of = table["image_id"].map(places).fillna("")
    reason = "the image is in neither train_val_list.txt nor test_list.txt"
    return leave_out(table.assign(split=split_of), split_of == "", reason)
