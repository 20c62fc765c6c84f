"""What a compressed image says about itself: size, components, depth, sign, resolutions.

JPEG (ITU-T T.81 annex B), JPEG-LS (ITU-T T.87 annex C), JPEG 2000 (ITU-T T.800 annex A).
"""

import struct
from dataclasses import dataclass

from cxr.errors import RadiographError

_FRAME_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
"""Start-of-frame markers of JPEG, and of JPEG-LS; without DHT, JPG and DAC."""


@dataclass(frozen=True)
class Codestream:
    """The head of a codestream.

    Attributes:
        rows, columns: size of the image.
        components: colour components.
        precision: bits of a sample.
        signed: whether samples are signed; False in all of JPEG.
        levels: how often JPEG 2000 can halve the resolution.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    levels: int = 0


def jpeg_header(stream: bytes) -> Codestream:
    """Read the frame header of a JPEG or JPEG-LS stream.

    Raises:
        RadiographError: there is none.
    """
    if stream[:2] != b"\xff\xd8":
        raise RadiographError("its compressed pixels are not the JPEG that its header says.")
    place = 2
    while place + 10 <= len(stream):
        if stream[place] != 0xFF:
            break
        marker = stream[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        (length,) = struct.unpack_from(">H", stream, place + 2)
        if marker in _FRAME_MARKERS:
            precision, rows, columns, components = struct.unpack_from(">BHHB", stream, place + 4)
            return Codestream(rows, columns, components, precision)
        place += 2 + length
    raise RadiographError("its compressed pixels are damaged: they have no frame header.")


def jpeg2000_header(stream: bytes) -> Codestream:
    """Read the size and coding headers of a JPEG 2000 codestream.

    Raises:
        RadiographError: there are none, or the image is tiled from an offset.
    """
    if stream[:4] != b"\xff\x4f\xff\x51" or len(stream) < 64:
        raise RadiographError("its compressed pixels are not the JPEG 2000 that its header says.")
    width, height, left, top = struct.unpack_from(">4L", stream, 8)
    components, depth = struct.unpack_from(">HB", stream, 40)
    if left or top:
        raise RadiographError("its JPEG 2000 image starts at an offset, which is not read.")
    return Codestream(
        rows=height,
        columns=width,
        components=components,
        precision=(depth & 0x7F) + 1,
        signed=depth >= 0x80,
        levels=_levels(stream),
    )


def _levels(stream: bytes) -> int:
    """Return the decomposition levels of the coding style marker; 0 where there is none."""
    place = 2
    while place + 10 <= len(stream):
        marker, length = struct.unpack_from(">HH", stream, place)
        if marker == 0xFF52:
            return stream[place + 9]
        if marker in (0xFF90, 0xFFD9) or marker < 0xFF00:
            break
        place += 2 + length
    return 0
