"""Opening a DICOM file: its header as a data set, and where in the file its pixels lie.

The file is memory-mapped, so that uncompressed pixels are never copied; only the header is
parsed. DICOM PS3.5 section 7.1 and annex A, PS3.10 section 7.
"""

import errno
import io
import mmap
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_file_meta_info, read_partial
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from cxr.errors import RadiographError

MAX_PIXELS = 2**26
"""More than any detector has; a header that claims more is wrong, and is not believed."""

UNDEFINED_LENGTH = 0xFFFFFFFF

_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_PIXEL_DATA = 0x7FE00010
_PREFIX_END = 132


_OWN_ERRORS = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP}
_OWN_ERRORS |= {errno.ENAMETOOLONG, errno.EINVAL, errno.ENODEV, errno.ENXIO}


class DiskError(RadiographError):
    """A file that the disk did not give for now; asked again later it may be all right."""


def disk_error(error: OSError) -> DiskError | None:
    """Return a `DiskError` where an error is the disk's; None where it is the file's own.

    A missing file, a folder and a file that may not be read are the file's own.
    """
    if error.errno in _OWN_ERRORS or error.errno is None:
        return None
    return DiskError(f"the disk gave an error ({error.strerror}); try again when it is back.")


@dataclass(frozen=True)
class DicomFile:
    """An opened DICOM file.

    Attributes:
        dataset: every element before the pixels; elements are parsed when they are looked at.
        transfer_syntax: its UID; empty where the file does not say.
        little_endian: byte order of words.
        content: the bytes of the file (inflated, where the data set was deflated).
        pixels: (start, length) of the pixel data's value in `content`; length may be
            `UNDEFINED_LENGTH`. None where the file has no integer pixels.
        pixel_vr: "OB" or "OW"; empty where the file does not say.
    """

    dataset: Dataset
    transfer_syntax: str
    little_endian: bool
    content: mmap.mmap | bytes
    pixels: tuple[int, int] | None
    pixel_vr: str


def open_dicom(path: Path) -> DicomFile:
    """Parse the header of a DICOM file, with or without preamble and file meta.

    Raises:
        RadiographError: the file can't be opened or is not DICOM. Names no path.
    """
    content = map_file(path)
    with quiet():
        try:
            opened = _parse(path, content)
        except RadiographError:
            raise
        except Exception as error:  # damaged files make pydicom raise many kinds
            disk = disk_error(error) if isinstance(error, OSError) else None
            raise disk or RadiographError("it is not a readable DICOM file.") from error
    marked = content[128:_PREFIX_END] == b"DICM"
    if not marked and "SOPClassUID" not in opened.dataset:
        raise RadiographError("it is not a DICOM file.")
    return opened


def map_file(path: Path) -> mmap.mmap:
    """Map a file into memory, to read.

    Raises:
        RadiographError: the file can't be opened, or is empty.
        DiskError: the disk does not give it for now.
    """
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise RadiographError("there is no such file.") from error
    except OSError as error:
        own = RadiographError(f"it can't be opened ({error.strerror}).")
        raise disk_error(error) or own from error
    except ValueError as error:  # an empty file can't be mapped
        raise RadiographError("the file is empty.") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom from warning of odd values: it quotes them, and headers are private."""
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _parse(path: Path, content: mmap.mmap) -> DicomFile:
    # The UID stands in the file meta, which comes first; deflated files are rare.
    if str(DeflatedExplicitVRLittleEndian).encode() in content[_PREFIX_END : _PREFIX_END + 512]:
        return _parse_deflated(path, content)
    found = _PixelElement()
    content.seek(0)
    # An mmap reads at most what is there, so that a false length does not allocate.
    dataset = read_partial(cast(BinaryIO, content), stop_when=found.stop(content), force=True)
    _, little = dataset.original_encoding
    syntax = dataset.file_meta.get("TransferSyntaxUID", "")
    return found.file(dataset, syntax, little is not False, content)


def _parse_deflated(path: Path, content: mmap.mmap) -> DicomFile:
    """Parse a file whose data set is deflated, without inflating more than an image can need."""
    meta = read_file_meta_info(path)
    start = _PREFIX_END + 12 + int(meta.FileMetaInformationGroupLength)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(content[start:], 2 * MAX_PIXELS + 2**24)
    if inflater.unconsumed_tail:
        raise RadiographError("it inflates to more than any radiograph needs.")
    stream = io.BytesIO(inflated)
    found = _PixelElement()
    dataset = read_dataset(stream, False, True, stop_when=found.stop(stream))
    return found.file(dataset, str(ExplicitVRLittleEndian), True, inflated)


class _PixelElement:
    """Takes note of the pixel element where the parser stops."""

    def __init__(self) -> None:
        self.tag = 0
        self.vr = ""
        self.place = (0, 0)

    def stop(self, stream: mmap.mmap | io.BytesIO) -> Callable[[int, str | None, int], bool]:
        """Return pydicom's `stop_when` for a stream that stands at the element's value."""

        def at_pixels(tag: int, vr: str | None, length: int) -> bool:
            if tag not in _PIXEL_TAGS:
                return False
            self.tag, self.vr, self.place = int(tag), vr or "", (stream.tell(), length)
            return True

        return at_pixels

    def file(
        self, dataset: Dataset, syntax: str, little: bool, content: mmap.mmap | bytes
    ) -> DicomFile:
        """Return the opened file."""
        return DicomFile(
            dataset=dataset,
            transfer_syntax=str(UID(syntax)),
            little_endian=little,
            content=content,
            pixels=self.place if self.tag == _PIXEL_DATA else None,
            pixel_vr=self.vr,
        )
