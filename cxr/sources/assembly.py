"""What every adapter does alike: find images, leave rows out with a reason, hand over a cohort.

While an adapter works, its table has a column `reason` (why a row is left out; empty where it
stays) and a column `position` (the view in the source's own words).
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr.dicom.header import standard_view
from cxr.errors import InputError
from cxr.sources.tables import exclusion_table
from cxr.studies import Cohort, validate_studies

FRONTAL = "FRONTAL"
"""The `position` of an image that is known to be frontal, PA or AP."""

PICTURES = (".png", ".jpg", ".jpeg")


def check_folder(root: Path, key: str) -> Path:
    """Return `root` as a path.

    Raises:
        InputError: there is no such folder; names the setting to check.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder; check {key}.")
    return root


def find_table(names: Sequence[str], folders: Sequence[Path]) -> Path | None:
    """Return the first file of these names (.csv, else .csv.gz) in the folders or one below."""
    below = [child for folder in folders for child in sorted(folder.iterdir()) if child.is_dir()]
    for folder in dict.fromkeys([*folders, *below]):
        for name in names:
            for path in (folder / name, folder / f"{name}.gz"):
                if path.is_file():
                    return path
    return None


def needed_table(names: Sequence[str], folders: Sequence[Path], *, origin: str) -> Path:
    """Return what `find_table` does.

    Raises:
        InputError: none is there; says what was looked for and where to get it.
    """
    path = find_table(names, folders)
    if path is None:
        raise InputError(
            f"{folders[0]}: there is no {' or '.join(names)} (.gz too); get it from {origin}, put "
            "it there, or name its folder in data.tables."
        )
    return path


def find_images(root: Path, suffixes: Sequence[str], *, parts: int = 1) -> dict[str, str]:
    """Return the image files at or under a folder.

    Args:
        root: the folder; links to other folders are followed.
        suffixes: those that count, in small letters.
        parts: how much of a path makes its key: 1 the name without its suffix, 3 with two
            folders before it.

    Raises:
        InputError: two files have one key, so that a table can't tell them apart.
    """
    found: dict[str, str] = {}
    for folder, names in _walk(root):
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() not in suffixes:
                continue
            above = folder.split(os.sep)[1 - parts :] if parts > 1 else []
            key = "/".join([*above, stem])
            path = os.path.join(folder, name)
            if found.setdefault(key, path) != path:
                raise InputError(
                    f"{path}: the same image is at {found[key]}; name the folder of one of the "
                    "copies in data.path."
                )
    return found


def list_files(root: Path) -> Iterator[str]:
    """Yield every file at or under a folder, sorted by folder; hidden ones not."""
    for folder, names in _walk(root):
        yield from (os.path.join(folder, name) for name in names if not name.startswith("."))


def _walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder with its files, sorted; a folder that is linked twice only once."""
    seen = set()
    for folder, below, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        below.sort()
        yield folder, sorted(names)


def on_disk(table: pd.DataFrame, images: dict[str, str], *, where: Path, origin: str) -> Any:
    """Join a table's rows with the images that are there.

    Args:
        table: with `key`, as `find_images` makes keys.
        images: key -> path.
        where: the table's file, for messages.
        origin: where to get the images.

    Returns:
        The rows whose image is there, with `image_path` in the place of `key`; and a note that
        counts the others.

    Raises:
        InputError: none is there.
    """
    paths = table["key"].map(images)
    absent = int(paths.isna().sum())
    if absent == len(table):
        raise InputError(
            f"{where}: none of its {len(table)} images was found under data.path; get them from "
            f"{origin}, or check data.path."
        )
    kept = table.assign(image_path=paths).drop(columns="key")[paths.notna()]
    notes = {f"images listed in {where.name} but not on disk": str(absent)} if absent else {}
    return kept.reset_index(drop=True), notes


def leave_out(table: pd.DataFrame, rows: pd.Series, reason: Any) -> pd.DataFrame:
    """Return the table with `reason` set on `rows` that are not left out already."""
    fresh = rows & (table["reason"] == "")
    return table.assign(reason=np.where(fresh, reason, table["reason"]))


def filter_views(table: pd.DataFrame, views: tuple[str, ...]) -> pd.DataFrame:
    """Add `view`, and leave out every other view than `views`.

    An image that is frontal in a way the source does not tell stays where both PA and AP do.
    """
    position = table["position"].str.strip()
    standard = position.map({p: standard_view(p) for p in position.unique()})
    named = standard.where(standard != "", position).str.upper()
    frontal = (named == FRONTAL) & ({"PA", "AP"} <= set(views))
    wrong = np.where(
        named == "",
        "the view is not known",
        "view " + named + " is not among " + ", ".join(views),
    )
    return leave_out(table.assign(view=standard), ~standard.isin(views) & ~frontal, wrong)


def assemble(
    table: pd.DataFrame,
    *,
    name: str,
    where: Path,
    restricted: bool,
    label_source: str = "",
    notes: dict[str, str] | None = None,
) -> Cohort:
    """Return the cohort of a table's rows that stay, and list the others.

    Raises:
        InputError: no row stays (the commonest reason is told), or a row is not valid.
    """
    kept = table["reason"] == ""
    left_out = table.loc[~kept, ["image_id", "study_id", "patient_id", "reason"]]
    if len(table) and not kept.any():
        why = left_out["reason"].value_counts()
        raise InputError(
            f"{where}: none of the {len(table)} images can be used; most often: {why.index[0]} "
            f"({why.iloc[0]} images)."
        )
    studies = table[kept].drop(columns=["reason", "position"])
    return Cohort(
        name=name,
        table=validate_studies(studies, where=str(where)),
        exclusions=exclusion_table(left_out.itertuples(index=False)),
        restricted=restricted,
        label_source=label_source,
        notes=notes or {},
    )
