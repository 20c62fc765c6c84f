"""Open-i's Indiana University collection: reports as XML or CSV, images as PNG or DICOM.

XML: ecgen-radiology/*.xml, one report each. CSV: indiana_reports.csv, as at Kaggle. Images lie
anywhere below the root, named 1_IM-0001-3001.dcm, CXR1_IM-0001-3001.png or
1_IM-0001-3001.dcm.png; the number before the first underscore is the report's. The view comes
from indiana_projections.csv, else from the DICOM header; PNG and XML alone do not tell it.
The collection holds one study of each patient. Demner-Fushman et al. 2016, JAMIA 23:304-310.

Its licence (CC BY-NC-ND) forbids passing on what was made from its images, as a heatmap drawn on
one is; so it is restricted.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from cxr.dicom import Header, read_header
from cxr.dicom.files import DiskError
from cxr.errors import InputError, RadiographError
from cxr.parallel import run_parallel
from cxr.sources import SOURCES
from cxr.sources.assembly import (
    FRONTAL,
    PICTURES,
    assemble,
    check_folder,
    filter_views,
    find_images,
    find_table,
    leave_out,
)
from cxr.sources.schemes import read_scheme
from cxr.sources.tables import read_table
from cxr.studies import Cohort

REPORTS, PROJECTIONS = ("indiana_reports.csv",), ("indiana_projections.csv",)
_UNINDEXED = "No Indexing"
_SECTIONS = ("indication", "comparison", "findings", "impression")


def read_openi(
    root: Path,
    *,
    tables: Path | None = None,
    reports: Path | None = None,
    views: tuple[str, ...] = ("PA", "AP"),
    labels: Literal["report", "own"] = "report",
    restricted: bool | None = None,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Cohort:
    """Read Open-i, whole or in part.

    Args:
        root: the folder of the images.
        tables: the folder of the CSV files, where they are not under `root`.
        reports: the folder of the XML files, where they are not under `root`.
        views: views to keep.
        labels: "report": to be read from findings and impression; "own": the indexers' MeSH
            headings.
        restricted: None: yes.
        jobs: processes that read DICOM headers.
        progress: called with the number of headers just read.

    Raises:
        InputError: no image or no report is there, or one is damaged.
    """
    root = check_folder(root, "data.path")
    folder = check_folder(tables, "data.tables") if tables else root
    studies = _studies(folder, check_folder(reports, "data.reports") if reports else root)
    table = _images(root)
    table = _with_views(table, studies, folder, jobs=jobs, progress=progress)
    untold = ~table["study_id"].isin(studies.index)
    table = leave_out(table, untold, "the report is missing")
    table = filter_views(table, views)
    told = studies.reindex(table["study_id"]).reset_index(drop=True)
    table = table.assign(report=told["report"].fillna(""), split="")
    if labels == "report":
        table = leave_out(table, table["report"].str.strip() == "", "the report is empty")
    else:
        table = _with_labels(table, told["headings"], folder)
    return assemble(
        table,
        name="Open-i",
        where=root,
        restricted=restricted is not False,
        label_source="" if labels == "report" else "openi",
    )


def _studies(folder: Path, reports: Path) -> pd.DataFrame:
    """Return report, headings and views told, by the report's number."""
    path = find_table(REPORTS, [folder])
    rows = list(_from_csv(path)) if path else list(_from_xml(reports))
    if not rows:
        raise InputError(
            f"{folder}: there is neither {REPORTS[0]} nor a report such as ecgen-radiology/1.xml; "
            f"get them from {SOURCES['openi'].origin}, or name their folder in data.reports."
        )
    columns = ["study_id", "report", "headings", "told"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates("study_id").set_index("study_id")


def _from_csv(path: Path) -> Iterator[tuple[str, str, str, str]]:
    raw = read_table(path, required=("uid", "findings", "impression"))
    blank = pd.Series("", index=raw.index)
    parts = {name: raw.get(name, blank) for name in _SECTIONS}
    headings, told = raw.get("MeSH", blank), raw.get("image", blank)
    for row, uid in enumerate(raw["uid"].str.strip()):
        text = {name: cells.iloc[row].strip() for name, cells in parts.items()}
        yield uid, _report(text), headings.iloc[row], told.iloc[row]


def _from_xml(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    for path in sorted(folder.rglob("*.xml")):
        content = path.read_bytes()
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise InputError(f"{path}: it declares a document type, which Open-i's reports do not.")
        try:
            page = ElementTree.fromstring(content)
        except ElementTree.ParseError as error:
            raise InputError(f"{path}: it is not well-formed XML ({error}).") from error
        uid = page.find("uId")
        if uid is None:
            continue
        text = {
            element.get("Label", "").lower(): "".join(element.itertext()).strip()
            for element in page.iter("AbstractText")
        }
        headings = ";".join(element.text or "" for element in page.iterfind("MeSH/major"))
        told = " ".join(element.text or "" for element in page.iter("caption"))
        yield uid.get("id", "").removeprefix("CXR"), _report(text), headings, told


def _report(text: dict[str, str]) -> str:
    """Return the sections under their headings; nothing where neither of the two that count is."""
    if not text.get("findings") and not text.get("impression"):
        return ""
    return "\n\n".join(f"{name.upper()}: {text[name]}" for name in _SECTIONS if text.get(name))


def _images(root: Path) -> pd.DataFrame:
    """Return the images on disk; a DICOM rather than the picture made from it."""
    pictures = {_image_id(key): path for key, path in find_images(root, PICTURES).items()}
    dicoms = {_image_id(key): path for key, path in find_images(root, (".dcm",)).items()}
    found = {key: path for key, path in {**pictures, **dicoms}.items() if "_IM-" in key}
    if not found:
        raise InputError(
            f"{root}: no images were found; expected names such as 1_IM-0001-3001.dcm. Get them "
            f"from {SOURCES['openi'].origin}."
        )
    ids = sorted(found)
    numbers = [name.partition("_")[0] for name in ids]
    return pd.DataFrame(
        {
            "image_id": ids,
            "study_id": numbers,
            "patient_id": numbers,
            "image_path": [found[name] for name in ids],
            "reason": "",
        }
    )


def _image_id(key: str) -> str:
    return key.removeprefix("CXR").removesuffix(".dcm")


def _with_views(
    table: pd.DataFrame,
    studies: pd.DataFrame,
    folder: Path,
    *,
    jobs: int,
    progress: Callable[[int], None] | None,
) -> pd.DataFrame:
    """Add position, from projections and what the report says was taken; sex and age."""
    headers = run_parallel(_try_header, table["image_path"], jobs=jobs, progress=progress)
    position = pd.Series([header.view_position if header else "" for header in headers])
    if path := find_table(PROJECTIONS, [folder]):
        rows = read_table(path, required=("filename", "projection"))
        keys = [_image_id(name.rsplit(".", 1)[0]) for name in rows["filename"].str.strip()]
        listed = dict(zip(keys, rows["projection"].str.strip().str.upper(), strict=True))
        side = table["image_id"].map(listed).fillna("")
        position = position.where(position != "", side)
    told = studies["told"].reindex(table["study_id"]).fillna("")
    frontal = pd.Series([_frontal(words) for words in told])
    return table.assign(
        position=position.where(position != FRONTAL, frontal),
        sex=[header.sex if header else "" for header in headers],
        age=[header.age if header else np.nan for header in headers],
    )


def _frontal(words: str) -> str:
    """Return PA or AP where a study's title names one of them, else FRONTAL."""
    named = {view for view in ("PA", "AP") if re.search(rf"\b{view}\b", words)}
    return named.pop() if len(named) == 1 else FRONTAL


def _try_header(path: str) -> Header | None:
    if not path.endswith(".dcm"):
        return None
    try:
        return read_header(path)
    except DiskError:
        raise
    except RadiographError:  # the decoder will say what is wrong with the file
        return None


def _with_labels(table: pd.DataFrame, headings: pd.Series, where: Path) -> pd.DataFrame:
    """Add the 14 labels that the MeSH headings make; leave out what was not indexed."""
    named = [_headings(cell) for cell in headings.fillna("")]
    unindexed = pd.Series([not names or _UNINDEXED in names for names in named], index=table.index)
    scheme = read_scheme("openi")
    labels = scheme.labels(scheme.listed(named, where=str(where)))
    return leave_out(pd.concat([table, labels], axis=1), unindexed, "the study was not indexed")


def _headings(cell: str) -> set[str]:
    """Return a study's headings, each bare and with its first qualifier."""
    parts = [[part.strip() for part in term.split("/")] for term in cell.split(";")]
    return {"/".join(term[:depth]) for term in parts for depth in (1, 2)} - {""}
