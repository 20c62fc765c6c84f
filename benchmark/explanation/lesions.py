"""Where lesions are known to lie: the cohort's own masks, or experts' outlines that are named."""

import json
from pathlib import Path, PurePosixPath

from PIL import Image

from benchmark.cohorts import image_files
from benchmark.config import Config
from benchmark.events import Events
from cxr.dicom import read_header
from cxr.dicom.files import map_file
from cxr.dicom.pictures import picture_format
from cxr.errors import InputError
from cxr.masks import Runs, read_masks
from cxr.outlines import Size, read_outlines
from cxr.studies import Cohort
from cxr.synth.cohort import MARKS


def known_lesions(config: Config, cohort: Cohort, events: Events) -> dict[str, dict[str, Runs]]:
    """Return image_id -> observation -> mask; empty where no lesion's place is known.

    Args:
        config: `data.masks` names experts' outlines; empty for the cohort's own.
        cohort: as it was prepared for the run.
        events: told of the progress.

    Raises:
        InputError: outlines that can't be read, or that fit no image of the cohort.
    """
    if not config.data.masks:
        return {} if cohort.masks is None else read_masks(cohort.masks)
    events.stage("Reading outlines")
    finder = _Finder(image_files(config, events))
    outlines = read_outlines(Path(config.data.masks), finder.size)
    return {finder.find(name): masks for name, masks in outlines.items()}


def known_marks(cohort: Cohort) -> dict[str, dict[str, Runs]]:
    """Return image_id -> "mark" -> mask of a shortcut that was planted; empty where none was.

    Raises:
        InputError: the file beside the cohort's masks can't be read.
    """
    path = None if cohort.masks is None else cohort.masks.with_name(MARKS)
    if path is None or not path.is_file():
        return {}
    try:
        marks: dict[str, dict[str, Runs]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: the marks can't be read ({error}).") from error
    return marks


class _Finder:
    """Finds an image by what a list of outlines calls it: id, file name, or end of its path."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files
        self._known: dict[str, str] = {}
        self._sizes: dict[str, Size] = {}
        for image_id, path in files.items():
            names = {_bare(name) for name in (image_id, path.name, *_endings(path))}
            for name in names:
                # Of two images with one name neither is meant.
                self._known[name] = "" if name in self._known else image_id

    def find(self, name: str) -> str:
        """Return the id of the image called `name`; empty where there is none, or several."""
        bare = _bare(name)
        return self._known.get(bare) or self._known.get(_bare(PurePosixPath(name).name), "")

    def size(self, name: str) -> Size | None:
        """Return the size of the image called `name`; None where there is none."""
        image_id = self.find(name)
        if not image_id:
            return None
        if image_id not in self._sizes:
            self._sizes[image_id] = image_size(self._files[image_id])
        return self._sizes[image_id]


def image_size(path: Path) -> Size:
    """Return rows and columns of an image file, without decoding its pixels.

    Raises:
        RadiographError: it is no image.
        InputError: it can't be opened.
    """
    if not picture_format(map_file(path)[:8]):
        header = read_header(path)
        return header.rows, header.columns
    try:
        with Image.open(path) as opened:
            return opened.height, opened.width
    except OSError as error:
        raise InputError(f"{path}: it can't be opened ({error}).") from error


def _bare(name: str) -> str:
    """Return a name without the suffix of an image file."""
    path = PurePosixPath(name)
    known = path.suffix.lower() in (".png", ".jpg", ".jpeg", ".dcm", ".dicom")
    return str(path.with_suffix("")) if known else name


def _endings(path: Path) -> tuple[str, str]:
    """Return the ends of a path as CheXlocalize (patient1_study1_view1) and COCO write them."""
    parts = path.parts
    return "_".join(parts[-3:]), "/".join(parts[-2:])
