"""From the pixel element to stored words: every transfer syntax that radiography uses.

The codestream's own header is read first and must agree with the DICOM header, so that neither a
false size is allocated nor a wrong picture made. One decoder per syntax, the fastest well-kept
one: libjpeg-turbo for all of JPEG, CharLS for JPEG-LS, OpenJPEG for JPEG 2000 of both kinds (at a
lower resolution where that is enough).
DICOM PS3.5 section 8 and annexes A and G.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import imagecodecs
import numpy as np
from PIL import Image

from cxr.dicom.codestream import Codestream, jpeg2000_header, jpeg_header
from cxr.dicom.files import MAX_PIXELS, UNDEFINED_LENGTH, DicomFile
from cxr.dicom.header import integer, text
from cxr.errors import RadiographError

_NATIVE = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", ""}
_RLE = "1.2.840.10008.1.2.5"
_JPEG = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70)}
_JPEG_LS = {f"1.2.840.10008.1.2.4.{number}" for number in (80, 81)}
_JPEG_2000 = {f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 201, 202, 203)}
_TAIL = 4096  # bytes of padding that may follow the end marker
_COMPRESSED = {_RLE} | _JPEG | _JPEG_LS | _JPEG_2000
_LOSSY = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 203)}


@dataclass(frozen=True)
class Layout:
    """What the header says about the stored words.

    Attributes:
        rows, columns: size of the image.
        allocated: bits of a word, 8 or 16.
        stored: meaningful bits of a word.
        shift: where the meaningful bits start; not 0 only in old files.
        signed: whether words are two's complement.
    """

    rows: int
    columns: int
    allocated: int
    stored: int
    shift: int
    signed: bool


@dataclass(frozen=True)
class Frame:
    """Stored words, perhaps at a lower resolution.

    Attributes:
        words: (rows, columns) uint8 or uint16.
        layout: how to read a word; `shift` is 0 for what a codec returned.
        reduced: how many times the resolution was halved.
        lossy: whether words may overshoot the stored range a little.
    """

    words: np.ndarray
    layout: Layout
    reduced: int = 0
    lossy: bool = False


def read_layout(file: DicomFile) -> Layout:
    """Return the layout of a file's pixels.

    Raises:
        RadiographError: there are none, or they are not one grey frame of at most 16 bits.
    """
    dataset = file.dataset
    if file.pixels is None:
        modality = text(dataset, "Modality")
        raise RadiographError(
            f"it holds no pixels{f' (modality {modality})' if modality.isalpha() else ''}."
        )
    photometric = text(dataset, "PhotometricInterpretation").upper()
    if integer(dataset, "SamplesPerPixel", 1) != 1 or not photometric.startswith("MONOCHROME"):
        raise RadiographError("it is not a radiograph: a colour image or screenshot.")
    if integer(dataset, "NumberOfFrames", 1) > 1:
        raise RadiographError("it is not a radiograph: it has several frames.")
    stored = integer(dataset, "BitsStored")
    layout = Layout(
        rows=integer(dataset, "Rows"),
        columns=integer(dataset, "Columns"),
        allocated=integer(dataset, "BitsAllocated"),
        stored=stored,
        shift=integer(dataset, "HighBit", stored - 1) + 1 - stored,
        signed=integer(dataset, "PixelRepresentation") == 1,
    )
    _check_layout(layout)
    return layout


def read_frame(file: DicomFile, layout: Layout, *, smallest: int = 0) -> Frame:
    """Decode a file's one frame.

    Args:
        file: the opened file.
        layout: its layout.
        smallest: the lowest resolution (rows and columns) that is enough; 0 asks for the full
            one. Only JPEG 2000 makes use of it.

    Raises:
        RadiographError: the data is truncated, damaged, contradicts the header, or is in a
            transfer syntax that no decoder covers.
    """
    syntax = file.transfer_syntax
    if syntax in _NATIVE:
        return Frame(_native(file, layout), layout)
    if syntax not in _COMPRESSED:
        raise RadiographError(f"no decoder covers its transfer syntax {syntax[:64]}.")
    stream = _joined_fragments(file)
    if syntax == _RLE:
        return Frame(_rle(stream, layout), layout)
    # No code writes these two bytes before its end, so a stream without them breaks off.
    if b"\xff\xd9" not in stream[-_TAIL:]:
        raise RadiographError("it is truncated: its compressed pixels have no end marker.")
    reduced = 0
    if syntax in _JPEG:
        words = _decode(imagecodecs.jpeg8_decode, stream, jpeg_header(stream), layout)
    elif syntax in _JPEG_LS:
        words = _decode(imagecodecs.jpegls_decode, stream, jpeg_header(stream), layout)
    else:
        words, reduced = _jpeg2000(stream, layout, smallest)
    return Frame(words, replace(layout, shift=0), reduced, lossy=syntax in _LOSSY)


def _check_layout(layout: Layout) -> None:
    if layout.rows < 1 or layout.columns < 1:
        raise RadiographError("its header gives no rows and columns.")
    if layout.rows * layout.columns > MAX_PIXELS:
        raise RadiographError(
            f"its header claims {layout.rows} x {layout.columns} pixels, more than any detector."
        )
    if layout.allocated not in (8, 16):
        raise RadiographError(f"it allocates {layout.allocated} bits to a pixel, not 8 or 16.")
    if not 1 <= layout.stored <= layout.allocated:
        raise RadiographError(
            f"its header stores {layout.stored} bits in {layout.allocated}, which can't be."
        )
    if not 0 <= layout.shift <= layout.allocated - layout.stored:
        raise RadiographError("its High Bit contradicts Bits Stored and Bits Allocated.")


def _native(file: DicomFile, layout: Layout) -> np.ndarray:
    """Return a view of uncompressed words, without a copy where the byte order allows it."""
    assert file.pixels is not None
    start, length = file.pixels
    count = layout.rows * layout.columns
    needed = count * layout.allocated // 8
    there = len(file.content) - start
    if length == UNDEFINED_LENGTH:
        raise RadiographError("its pixels are compressed though the transfer syntax says not.")
    if min(length, there) < needed:
        raise RadiographError(
            f"it is truncated: {min(length, there)} of {needed} bytes of pixels are there."
        )
    if layout.allocated == 16:
        words = np.frombuffer(file.content, "<u2" if file.little_endian else ">u2", count, start)
        return words.astype(np.uint16, copy=False).reshape(layout.rows, layout.columns)
    octets = np.frombuffer(file.content, np.uint8, count + count % 2 * (there > needed), start)
    if file.pixel_vr == "OW" and not file.little_endian:
        octets = octets.view(np.uint16).byteswap().view(np.uint8)
    return octets[:count].reshape(layout.rows, layout.columns)


def _joined_fragments(file: DicomFile) -> bytes:
    """Return the codestream of the one frame: all fragments after the offset table, joined."""
    assert file.pixels is not None
    place, length = file.pixels
    if length != UNDEFINED_LENGTH:
        raise RadiographError("its pixels are not in fragments, as its transfer syntax demands.")
    fragments = []
    while True:
        header = file.content[place : place + 8]
        if len(header) < 8:
            raise RadiographError("it is truncated: its compressed pixels have no end.")
        group, element, size = struct.unpack("<HHL", header)
        place += 8
        if (group, element) == (0xFFFE, 0xE0DD):
            break
        if (group, element) != (0xFFFE, 0xE000) or size > len(file.content) - place:
            raise RadiographError("it is truncated or damaged: its compressed pixels break off.")
        fragments.append(file.content[place : place + size])
        place += size
    if len(fragments) < 2:
        raise RadiographError("its compressed pixels are empty.")
    return b"".join(fragments[1:])


def _rle(stream: bytes, layout: Layout) -> np.ndarray:
    dtype = np.dtype(np.uint8 if layout.allocated == 8 else "<u2")
    count = layout.rows * layout.columns
    # Runs make at most 128 bytes of 2.
    if len(stream) * 64 < count * dtype.itemsize:
        raise RadiographError("its compressed pixels are too few for its rows and columns.")
    try:
        decoded = imagecodecs.dicomrle_decode(stream, dtype)
        words = np.frombuffer(decoded, dtype)
    except Exception as error:
        raise RadiographError("its compressed pixels are damaged.") from error
    if words.size < count:
        raise RadiographError("its compressed pixels are too few for its rows and columns.")
    return (
        words[:count]
        .astype(np.uint16 if layout.allocated == 16 else np.uint8)
        .reshape(layout.rows, layout.columns)
    )


def _decode(
    decoder: Callable[[bytes], np.ndarray], stream: bytes, header: Codestream, layout: Layout
) -> np.ndarray:
    """Run a decoder on a codestream that agrees with the header; signed words keep their bits."""
    _check_codestream(header, layout)
    try:
        decoded = np.asarray(decoder(stream))
    except Exception as error:
        raise RadiographError("its compressed pixels are damaged.") from error
    if decoded.shape != (layout.rows, layout.columns) or decoded.dtype.itemsize > 2:
        raise RadiographError("its compressed pixels contradict its header.")
    return decoded.view(np.uint8 if decoded.dtype.itemsize == 1 else np.uint16)


def _check_codestream(header: Codestream, layout: Layout) -> None:
    if (header.rows, header.columns) != (layout.rows, layout.columns):
        raise RadiographError(
            f"its compressed pixels are {header.rows} x {header.columns} and its header says "
            f"{layout.rows} x {layout.columns}."
        )
    if header.components != 1:
        raise RadiographError("its compressed pixels are in colour and its header says grey.")
    if header.precision > 16 or (header.signed and not layout.signed):
        raise RadiographError("its compressed pixels have a depth or sign that its header denies.")


def _jpeg2000(stream: bytes, layout: Layout, smallest: int) -> tuple[np.ndarray, int]:
    """Decode JPEG 2000, halving the resolution as often as `smallest` allows.

    A lower resolution can't be checked for values beyond Bits Stored, so it is taken only where
    codestream and header agree on the depth.
    """
    header = jpeg2000_header(stream)
    _check_codestream(header, layout)
    reduce = 0
    if smallest and header.precision == layout.stored and header.signed == layout.signed:
        while (
            reduce < header.levels and min(layout.rows, layout.columns) >> (reduce + 1) >= smallest
        ):
            reduce += 1
    if reduce:
        words = _reduced_jpeg2000(stream, header, reduce)
        if words is not None:
            return words, reduce
    return _decode(imagecodecs.jpeg2k_decode, stream, header, layout), 0


def _reduced_jpeg2000(stream: bytes, header: Codestream, reduce: int) -> np.ndarray | None:
    """Decode at a lower resolution; None where Pillow's strict decoder does not like the stream."""
    rows, columns = (-(-side // 2**reduce) for side in (header.rows, header.columns))
    try:
        with Image.open(io.BytesIO(stream), formats=["JPEG2000"]) as picture:
            tile = picture.tile[0]
            codec, _, *source = cast(tuple[Any, ...], tile.args)
            # Pillow's own `reduce` rounds half of all sizes to other ones than the codec's.
            picture._size = (columns, rows)
            extents = (0, 0, columns, rows)
            picture.tile = [tile._replace(extents=extents, args=(codec, reduce, *source))]
            words = np.asarray(picture)
    except Exception:
        return None
    if words.shape != (rows, columns) or words.dtype not in (np.uint8, np.uint16):
        return None
    # Pillow moves values to the top of the word, and signed ones up by half their range.
    top = 8 * words.dtype.itemsize
    words = words >> (top - header.precision)
    if header.signed:
        words = words ^ words.dtype.type(1 << (header.precision - 1))
    return words
