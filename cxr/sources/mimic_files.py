"""Where things lie in a MIMIC-CXR download: the image tree, the reports, the tables."""

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cxr.errors import InputError

_GROUP = re.compile(r"p\d{2}")
_PATIENT = re.compile(r"p(\d+)")
_STUDY = re.compile(r"s(\d+)")
_SUFFIXES = (".dcm", ".jpg")
_DEPTH = 5  # physionet.org/files/mimic-cxr/2.1.0/files lies four folders down


def find_tree(root: Path) -> Path:
    """Return the folder at or under `root` that holds p10, p11, ..., `root` itself if none does."""
    candidates = [root, *_folders(root)]
    return next((folder for folder in candidates if _is_tree(folder)), root)


def find_images(tree: Path) -> pd.DataFrame:
    """Return image_id, study_id, patient_id and image_path of every image in a tree, sorted.

    Where one image is there as DICOM and as JPEG, the DICOM is taken.
    """
    rows = {}
    for group in _children(tree, _GROUP):
        for patient in _children(group, _PATIENT):
            for study in _children(patient, _STUDY):
                ids = study.name[1:], patient.name[1:]
                # Sorted so that .dcm comes after, and replaces, .jpg.
                for path in sorted(study.iterdir(), key=lambda path: path.suffix, reverse=True):
                    if path.suffix in _SUFFIXES:
                        rows[path.stem, *ids] = (path.stem, *ids, str(path))
    columns = ["image_id", "study_id", "patient_id", "image_path"]
    return pd.DataFrame(sorted(rows.values()), columns=columns, dtype=str)


def find_file(pattern: re.Pattern[str], folder: Path) -> Path | None:
    """Return the file at or under `folder` whose name matches; plain before gzipped, newest last.

    The image tree itself is not searched.
    """
    for place in [folder, *_folders(folder)]:
        found = [path for path in place.iterdir() if pattern.fullmatch(path.name)]
        if found:
            return max(found, key=lambda path: (path.suffix != ".gz", path.name))
    return None


class Reports:
    """Report texts by patient and study, out of folders or a zip.

    Args:
        places: folders in the tree's layout (p10/p10000032/s50414267.txt), or zip files of it.

    Raises:
        InputError: a place is neither.
    """

    def __init__(self, places: list[Path]):
        self.trees = [find_tree(place) for place in places if place.is_dir()]
        self.zips = [_open_zip(place) for place in places if not place.is_dir()]
        self.members = {
            Path(name).name: (archive, name)
            for archive in self.zips
            for name in archive.namelist()
            if name.endswith(".txt")
        }

    def text(self, patient: str, study: str) -> str | None:
        """Return a study's report; None where there is none."""
        inside = Path(f"p{patient[:2]}") / f"p{patient}" / f"s{study}.txt"
        for tree in self.trees:
            try:
                return (tree / inside).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
        if inside.name in self.members:
            archive, name = self.members[inside.name]
            try:
                return archive.read(name).decode("utf-8", errors="replace")
            except (zipfile.BadZipFile, OSError) as error:
                raise InputError(
                    f"{archive.filename}: '{name}' is damaged; download the zip again."
                ) from error
        return None


def find_reports(root: Path, tree: Path, given: Path | None) -> Reports:
    """Return the reports at `given`, else those beside the images and near them."""
    if given:
        if not given.exists():
            raise InputError(f"{given}: there are no reports; check data.reports.")
        return Reports([given])
    near = [
        folder / name
        for folder in dict.fromkeys((root, tree.parent))
        for name in ("mimic-cxr-reports", "mimic-cxr-reports.zip")
    ]
    return Reports([tree, *(place for place in near if place.exists())])


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path}: it is neither a folder nor a zip of reports.") from error


def _is_tree(folder: Path) -> bool:
    return any(_children(folder, _GROUP))


def _children(folder: Path, pattern: re.Pattern[str]) -> Iterator[Path]:
    """Yield the sub-folders whose names match, sorted."""
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if pattern.fullmatch(e.name) and e.is_dir())
    for name in names:
        yield folder / name


def _folders(root: Path) -> Iterator[Path]:
    """Yield the folders under `root`, outermost first, without the inside of an image tree."""
    level = [root]
    for _ in range(_DEPTH):
        level = [
            child
            for folder in level
            for child in sorted(folder.iterdir())
            if child.is_dir() and not _GROUP.fullmatch(child.name)
        ]
        yield from level
