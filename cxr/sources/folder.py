"""A plain folder of images with nothing beside them: enough to look at, not to train on.

Patients and studies are those of the DICOM headers; a picture, or a header that is silent, counts
as a patient of its own. Nobody has said that such a folder may be passed on, so it is restricted.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.dicom.files import DiskError, map_file, open_dicom, quiet
from cxr.dicom.header import describe, text
from cxr.dicom.pictures import picture_format
from cxr.errors import InputError, RadiographError
from cxr.parallel import run_parallel
from cxr.sources.assembly import assemble, check_folder, filter_views, list_files
from cxr.studies import Cohort

ALL_VIEWS = ("PA", "AP", "LATERAL", "")


def read_folder(
    root: Path,
    *,
    views: tuple[str, ...] = ALL_VIEWS,
    restricted: bool | None = None,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Cohort:
    """Read a folder of DICOM, PNG and JPEG files, however deep; other files are left out.

    Args:
        root: the folder; links to other folders are followed.
        views: views to keep; images of an unknown view stay where "" is among them.
        restricted: None: yes.
        jobs: processes that read headers.
        progress: called with the number of headers just read.

    Raises:
        InputError: no image is there.
    """
    root = check_folder(root, "the path")
    paths = list(list_files(root))
    rows = run_parallel(_row, paths, jobs=jobs, progress=progress)
    if not rows:
        raise InputError(f"{root}: the folder is empty; check the path.")
    table = pd.DataFrame(rows)
    names = [Path(path).relative_to(root).as_posix() for path in paths]
    ids = pd.Series(names)
    table = table.assign(
        image_id=ids,
        image_path=paths,
        patient_id=table["patient_id"].where(table["patient_id"] != "", ids),
        study_id=table["study_id"].where(table["study_id"] != "", ids),
        report="",
        split="",
    )
    # A study UID that two patients share is a mistake of the archive; each keeps its own.
    table["study_id"] = table["patient_id"] + "/" + table["study_id"]
    return assemble(
        filter_views(table, views),
        name=root.name or "folder",
        where=root,
        restricted=restricted is not False,
    )


def _row(path: str) -> dict[str, object]:
    """Return what a file's header tells, or why it is left out."""
    row = {"patient_id": "", "study_id": "", "position": "", "sex": "", "age": np.nan, "reason": ""}
    try:
        if picture_format(map_file(Path(path))[:8]):
            return row
        opened = open_dicom(Path(path))
        with quiet():
            header = describe(opened)
            return {
                **row,
                "patient_id": text(opened.dataset, "PatientID"),
                "study_id": text(opened.dataset, "StudyInstanceUID"),
                "position": header.view_position,
                "sex": header.sex,
                "age": header.age,
                "reason": "" if opened.pixels else "it holds no pixels",
            }
    except DiskError:
        raise
    except RadiographError as error:
        return {**row, "reason": str(error)}
