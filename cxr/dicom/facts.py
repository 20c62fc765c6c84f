"""What a file says about its image without decoding it: for looking over a whole data set.

Nothing that names a patient is kept. `content` tells files apart by their pixels alone, so that
one picture under two names, two headers or two patients is found; it reads a few blocks of a
file and is a candidate until `pixel_digest` confirms it.
"""

import hashlib
import mmap
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cxr.dicom.files import UNDEFINED_LENGTH, DicomFile, DiskError, map_file, open_dicom, quiet
from cxr.dicom.header import describe, text
from cxr.dicom.pictures import picture_format
from cxr.errors import RadiographError

_BLOCK = 4096
_BITS = {"1": 1, "L": 8, "LA": 8, "P": 8, "RGB": 8, "RGBA": 8}


@dataclass(frozen=True)
class Facts:
    """A file's own words; empty or 0 where it is silent.

    Attributes:
        problem: why the header can't be read; the rest is then empty.
        format: the transfer syntax UID, "PNG" or "JPEG".
        photometric: photometric interpretation, or a picture's mode.
        bits: meaningful bits of a stored value.
        device: manufacturer and model.
        annotated: whether the header says that text is burned in.
        content: a digest of length and three blocks of the pixels.
    """

    problem: str = ""
    format: str = ""
    photometric: str = ""
    rows: int = 0
    columns: int = 0
    bits: int = 0
    modality: str = ""
    device: str = ""
    annotated: bool = False
    content: str = ""


def read_facts(path: Path) -> Facts:
    """Return the facts of a DICOM, PNG or JPEG file; a bad one has a problem.

    Raises:
        DiskError: the disk does not give the file for now.
    """
    try:
        content = map_file(path)
        kind = picture_format(content[:8])
        if kind:
            return _picture(path, kind, content)
        return _dicom(open_dicom(path))
    except DiskError:
        raise
    except RadiographError as error:
        return Facts(problem=str(error))


def pixel_digest(path: Path) -> str:
    """Return a digest of all bytes of a file's pixels; empty where there are none."""
    try:
        content = map_file(path)
        if picture_format(content[:8]):
            return hashlib.sha256(content).hexdigest()
        start, stop, data = _pixel_bytes(open_dicom(path))
    except RadiographError:
        return ""
    return hashlib.sha256(data[start:stop]).hexdigest()


def _picture(path: Path, kind: str, content: mmap.mmap) -> Facts:
    try:
        with Image.open(path, formats=[kind]) as picture:
            mode, width, height = picture.mode, picture.width, picture.height
    except Exception as error:  # Pillow raises many kinds on damaged files
        raise RadiographError("its header can't be read; the file is damaged.") from error
    return Facts(
        format=kind,
        photometric=mode,
        rows=height,
        columns=width,
        bits=_BITS.get(mode, 16),
        content=_candidate(content, 0, len(content)),
    )


def _dicom(file: DicomFile) -> Facts:
    with quiet():
        header = describe(file)
        annotated = text(file.dataset, "BurnedInAnnotation").upper() == "YES"
    if file.pixels is None:
        raise RadiographError("it holds no pixels.")
    start, stop, data = _pixel_bytes(file)
    device = " ".join(f"{header.manufacturer} {header.model}".split())
    return Facts(
        format=header.transfer_syntax,
        photometric=header.photometric,
        rows=header.rows,
        columns=header.columns,
        bits=header.bits_stored,
        modality=header.modality,
        device=device[:80],
        annotated=annotated,
        content=_candidate(data, start, stop),
    )


def _pixel_bytes(file: DicomFile) -> tuple[int, int, mmap.mmap | bytes]:
    if file.pixels is None:
        raise RadiographError("it holds no pixels.")
    start, length = file.pixels
    end = len(file.content)
    stop = end if length == UNDEFINED_LENGTH else min(start + length, end)
    return start, stop, file.content


def _candidate(data: mmap.mmap | bytes, start: int, stop: int) -> str:
    digest = hashlib.sha256(str(stop - start).encode())
    for quarter in (1, 2, 3):
        place = start + (stop - start) * quarter // 4
        digest.update(data[place : min(place + _BLOCK, stop)])
    return digest.hexdigest()[:32]
