"""PNG and JPEG files, as public sets publish radiographs."""

from pathlib import Path

import numpy as np
from PIL import Image

from cxr.dicom.files import MAX_PIXELS, disk_error
from cxr.errors import RadiographError

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}


def picture_format(start: bytes) -> str:
    """Return "PNG" or "JPEG" for the first bytes of such a file, else ""."""
    return next((name for mark, name in _SIGNATURES.items() if start.startswith(mark)), "")


def read_picture(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a picture as words and the display value of each word.

    Colour is made grey and transparency dropped, because grey radiographs are often saved so.
    8 bits run from 0 to 255; 16 bits have no agreed range, so the image's own is taken.

    Returns:
        words: (rows, columns) uint8 or uint16.
        table: (256,) or (65536,) float32.

    Raises:
        RadiographError: the file is damaged or claims an impossible size. Names no path.
    """
    try:
        with Image.open(path, formats=list(_SIGNATURES.values())) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise RadiographError(
                    f"its header claims {picture.height} x {picture.width} pixels, more than any "
                    "detector."
                )
            if not picture.mode.startswith("I"):
                grey = np.asarray(picture.convert("L"))
                return grey, (np.arange(256) / 255).astype(np.float32)
            words = np.asarray(picture).astype(np.uint16)
    except RadiographError:
        raise
    except Exception as error:  # Pillow raises many kinds on damaged files
        disk = disk_error(error) if isinstance(error, OSError) else None
        damaged = RadiographError("its pixels can't be decoded; the file is damaged.")
        raise disk or damaged from error
    low, high = int(words.min()), int(words.max())
    return words, np.clip((np.arange(2**16) - low) / max(high - low, 1), 0, 1).astype(np.float32)
