"""MIMIC-CXR as it is downloaded, and everything written in its layout.

Images lie in files/p10/p10000032/s50414267/<dicom_id>.dcm (or .jpg, as in MIMIC-CXR-JPG), reports
in files/p10/p10000032/s50414267.txt beside them, in a tree of their own, or in
mimic-cxr-reports.zip. Tables (metadata, split, chexpert, negbio; .csv or .csv.gz) and MIMIC-IV's
patients table are used where they are found; without them view, sex and age come from the DICOM
headers. Johnson et al. 2019, Scientific Data 6:317.

Every step takes the image table and returns it with columns added; a column `reason` says why a
row is left out and is empty where it stays.
"""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from cxr.dicom import Header, read_header
from cxr.dicom.files import DiskError
from cxr.dicom.header import standard_view
from cxr.errors import InputError, RadiographError
from cxr.observations import OBSERVATIONS
from cxr.parallel import run_parallel
from cxr.sources.assembly import assemble, filter_views, leave_out
from cxr.sources.mimic_files import Reports, find_file, find_images, find_reports, find_tree
from cxr.sources.tables import read_labels, read_table
from cxr.splits import check_split
from cxr.studies import Cohort


def read_mimic(
    root: Path,
    *,
    reports: Path | None = None,
    tables: Path | None = None,
    patients: Path | None = None,
    views: tuple[str, ...] = ("PA", "AP"),
    labels: Literal["report", "chexpert", "negbio"] = "report",
    split: Literal["seeded", "official"] = "seeded",
    restricted: bool | None = None,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Cohort:
    """Read a MIMIC-CXR tree, whole or in part.

    Args:
        root: the folder of the download; the tree may lie deeper inside.
        reports: a folder or zip of reports, where they are not under `root`.
        tables: the folder of the CSV tables, where they are not under `root`.
        patients: MIMIC-IV's patients.csv(.gz), where it is not under `root` or `tables`.
        views: views to keep; images of others are excluded and listed.
        labels: "report" leaves labels to be made from the reports, and excludes studies without
            one; "chexpert" and "negbio" take them from that table.
        split: "official" keeps MIMIC's own split.
        restricted: whether images, texts, paths and ids must stay out of outputs. None: yes,
            unless the tree is synthetic.
        jobs: processes that read headers, where the tables do not tell enough.
        progress: called with the number of headers just read.

    Raises:
        InputError: no such folder; no images; a table that is needed is missing or damaged; one
            patient in two official splits.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder; check data.path.")
    tree = find_tree(root)
    table = find_images(tree).assign(reason="")
    if table.empty:
        raise InputError(
            f"{root}: no images were found; expected files such as "
            "files/p10/p10000032/s50414267/<dicom_id>.dcm."
        )
    folder = Path(tables) if tables else root
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; check data.tables.")
    people = _patients(patients, folder, root)
    table, notes = _with_metadata(table, folder)
    # Headers are opened only for what the tables leave open on images that may be kept.
    asked = (table["position"] == "") | (
        table["position"].map(standard_view).isin(views) & (people is None)
    )
    table = _with_headers(table, asked, jobs=jobs, progress=progress)
    table = _with_people(filter_views(table, views), people)
    table = _with_reports(table, find_reports(root, tree, reports), needed=labels == "report")
    if labels != "report":
        table = _with_labels(table, labels, folder)
    table = _with_official_split(table, folder) if split == "official" else table.assign(split="")
    return _cohort(root, table, notes, "" if labels == "report" else labels, restricted)


def _table_file(name: str, folder: Path) -> Path | None:
    return find_file(re.compile(rf"mimic-cxr-[\d.]+-{name}\.csv(\.gz)?"), folder)


def _needed_table(name: str, folder: Path, key: str) -> Path:
    path = _table_file(name, folder)
    if path is None:
        raise InputError(
            f"{folder}: there is no mimic-cxr-2.0.0-{name}.csv(.gz), which {key} needs; it comes "
            "with MIMIC-CXR-JPG on PhysioNet. Put it there, or name its folder in data.tables."
        )
    return path


def _with_metadata(table: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Add `position` (the view's own words) and `year`; both empty where no table tells."""
    path = _table_file("metadata", folder)
    if path is None and not table["image_path"].str.endswith(".dcm").any():
        path = _needed_table("metadata", folder, "a tree of JPEG, which names no views,")
    if path is None:
        return table.assign(position="", year=""), {}
    metadata = read_table(path, required=("dicom_id", "ViewPosition", "StudyDate"))
    metadata = metadata.drop_duplicates("dicom_id").set_index("dicom_id")
    position = metadata["ViewPosition"].str.strip()
    if "ViewCodeSequence_CodeMeaning" in metadata:
        position = position.where(position != "", metadata["ViewCodeSequence_CodeMeaning"])
    absent = len(metadata.index.difference(pd.Index(table["image_id"])))
    notes = {"images listed in the metadata table but not on disk": str(absent)} if absent else {}
    ids = table["image_id"]
    return table.assign(
        position=ids.map(position).fillna(""),
        year=ids.map(metadata["StudyDate"].str.strip().str[:4]).fillna(""),
    ), notes


def _with_headers(
    table: pd.DataFrame,
    asked: pd.Series,
    *,
    jobs: int,
    progress: Callable[[int], None] | None,
) -> pd.DataFrame:
    """Add `sex` and `age`, and fill `position`, from the headers of the DICOMs in `asked`."""
    rows = np.flatnonzero(asked & table["image_path"].str.endswith(".dcm"))
    paths = table["image_path"].iloc[rows]
    found = run_parallel(_try_header, paths, jobs=jobs, progress=progress)
    headers: dict[int, Header | str] = dict(zip(rows.tolist(), found, strict=True))
    silent = pd.DataFrame({"position": table["position"], "sex": "", "age": np.nan, "reason": ""})
    told = silent.to_dict("records")
    for row, header in headers.items():
        if isinstance(header, str):
            told[row]["reason"] = "" if told[row]["position"] else header
            continue
        told[row].update(sex=header.sex, age=header.age)
        told[row]["position"] = told[row]["position"] or header.view_position
    return table.assign(**pd.DataFrame(told, index=table.index))


def _try_header(path: str) -> Header | str:
    """Return a file's header, or why there is none."""
    try:
        return read_header(path)
    except DiskError:
        raise
    except RadiographError as error:
        return str(error).removeprefix(f"{path}: ")


def _patients(given: Path | None, folder: Path, root: Path) -> pd.DataFrame | None:
    """Return MIMIC-IV's patients by subject_id; None where the table is not there."""
    if given and not Path(given).is_file():
        raise InputError(f"{given}: there is no such file; check data.patients.")
    name = re.compile(r"patients\.csv(\.gz)?")
    path = Path(given) if given else find_file(name, folder) or find_file(name, root)
    if path is None:
        return None
    needed = ("subject_id", "gender", "anchor_age", "anchor_year")
    return read_table(path, required=needed).drop_duplicates("subject_id").set_index("subject_id")


def _with_people(table: pd.DataFrame, people: pd.DataFrame | None) -> pd.DataFrame:
    """Set `sex` and `age` from MIMIC-IV: anchor_age plus the years since anchor_year."""
    if people is None:
        return table
    anchor = {
        name: pd.to_numeric(table["patient_id"].map(people[name]), errors="coerce")
        for name in ("anchor_age", "anchor_year")
    }
    years = pd.to_numeric(table["year"], errors="coerce") - anchor["anchor_year"]
    sex = table["patient_id"].map(people["gender"].str.strip().str.upper())
    return table.assign(
        sex=sex.where(sex.isin(("F", "M")), ""), age=anchor["anchor_age"] + years.fillna(0)
    )


def _with_reports(table: pd.DataFrame, reports: Reports, *, needed: bool) -> pd.DataFrame:
    """Add `report`; where labels come from it, leave out what has none."""
    kept = table.loc[table["reason"] == "", ["patient_id", "study_id"]].drop_duplicates()
    texts = {
        (patient, study): reports.text(patient, study)
        for patient, study in kept.itertuples(index=False)
    }
    found = [texts.get(ids) for ids in zip(table["patient_id"], table["study_id"], strict=True)]
    table = table.assign(report=[text or "" for text in found])
    if not needed:
        return table
    wrong = np.array(
        ["the report is missing" if text is None else "the report is empty" for text in found]
    )
    return leave_out(table, table["report"].str.strip() == "", wrong)


def _with_labels(table: pd.DataFrame, name: str, folder: Path) -> pd.DataFrame:
    """Add the 14 labels of MIMIC's own table; leave out studies that it does not list."""
    path = _needed_table(name, folder, f"data.labels '{name}'")
    rows = read_table(path, required=("study_id", *OBSERVATIONS))
    labels = read_labels(rows, where=str(path)).set_index(rows["study_id"])
    labels = labels[~labels.index.duplicated()]
    joined = labels.reindex(table["study_id"]).set_index(table.index)
    unlisted = ~table["study_id"].isin(labels.index)
    reason = f"the study has no row in the {name} table"
    return leave_out(pd.concat([table, joined], axis=1), unlisted, reason)


def _with_official_split(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Add MIMIC's own `split`; leave out images that it does not list.

    Raises:
        InputError: no split table, an unknown split, or one patient in two of them.
    """
    path = _needed_table("split", folder, "split.method 'official'")
    rows = read_table(path, required=("dicom_id", "subject_id", "split"))
    try:
        check_split(rows.rename(columns={"subject_id": "patient_id"}))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    places = rows.drop_duplicates("dicom_id").set_index("dicom_id")["split"]
    split = table["image_id"].map(places).fillna("")
    reason = "the image has no row in the official split table"
    return leave_out(table.assign(split=split), split == "", reason)


def _cohort(
    root: Path,
    table: pd.DataFrame,
    notes: dict[str, str],
    label_source: str,
    restricted: bool | None,
) -> Cohort:
    made = _synthetic(root)
    cohort = assemble(
        table.drop(columns="year"),
        name="Synthetic cohort" if made else "MIMIC-CXR",
        where=root,
        restricted=not made if restricted is None else restricted,
        label_source=label_source,
        notes={**made, **notes},
    )
    truth = root / "truth" / "truth.csv"
    meant = root / "truth" / "meant.csv"
    masks = root / "truth" / "masks.json"
    return dataclasses.replace(
        cohort,
        synthetic=bool(made),
        truth=_read_truth(truth, cohort.table) if truth.is_file() else None,
        meant=_read_meant(meant, cohort.table) if meant.is_file() else None,
        masks=masks if masks.is_file() else None,
    )


def _synthetic(root: Path) -> dict[str, str]:
    """Return the settings of a synthetic cohort; empty where the tree is none."""
    path = root / "SYNTHETIC.json"
    if not path.is_file():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in settings.items()}
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"{path}: it is not the JSON that `cxr-bench synth` writes; make the cohort again."
        ) from error


def _read_truth(path: Path, studies: pd.DataFrame) -> pd.DataFrame:
    """Return the truth of the images in `studies`, (images x 14) bool, indexed by image_id."""
    rows = read_table(path, required=("image_id", *OBSERVATIONS))
    truth = rows.drop_duplicates("image_id").set_index("image_id")[list(OBSERVATIONS)]
    return truth[truth.index.isin(studies["image_id"])] == "1"


def _read_meant(path: Path, studies: pd.DataFrame) -> pd.DataFrame:
    """Return what the narrator meant, (studies x 14) label values, indexed by study_id."""
    rows = read_table(path, required=("study_id", *OBSERVATIONS)).set_index("study_id")
    wanted = rows.index.isin(studies["study_id"])
    return read_labels(rows.loc[wanted, list(OBSERVATIONS)], where=str(path)).astype(float)
