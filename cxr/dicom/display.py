"""From stored values to display values: modality, VOI and presentation, as one lookup table.

DICOM PS3.3 C.11.1 (modality), C.11.2 (VOI LUT and windows), C.7.6.3.1.2 (photometric
interpretation), C.7.5.1.1.2 (pixel padding). A radiograph stores at most 16 bits, so every step
can be worked out once per possible value in float64, and a pixel costs one lookup.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from cxr.dicom.frames import Layout
from cxr.dicom.header import integer, text
from cxr.errors import RadiographError

_FRAME_KEYWORDS = {
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "RescaleSlope",
    "RescaleIntercept",
}
"""What the functional groups of an enhanced object may say in the place of its top level."""

_OVERSHOOT = 1.125
"""How far above the stored range a lossy code may reach: an eighth."""


@dataclass(frozen=True)
class Rendering:
    """How stored values become display values.

    Attributes:
        values: (2**bits,) float64; each bit pattern's value after the modality step.
        padding: (2**bits,) bool; patterns that are padding, shown black.
        shown: (2**bits,) float64 in 0..1 before inversion; None where the header has neither
            VOI LUT nor window, so that the range of the image's own values decides.
        inverted: whether low values are bright.
    """

    values: np.ndarray
    padding: np.ndarray
    shown: np.ndarray | None
    inverted: bool

    @property
    def reducible(self) -> bool:
        """Whether averages of stored values may be shown in the place of single ones.

        Not where the range of all values decides, nor where padding that would not be black
        by itself has neighbours.
        """
        if self.shown is None:
            return False
        beside = 1 - self.shown if self.inverted else self.shown
        return not (beside[self.padding] > 0).any()

    def table(self, present: np.ndarray | None = None) -> np.ndarray:
        """Return the display value, float32 in 0..1, of each bit pattern.

        Args:
            present: (2**bits,) bool; patterns that occur in the image. Read only where `shown`
                is None.

        Raises:
            RadiographError: nothing but padding, or one single value, occurs.
        """
        shown = self.shown
        if shown is None:
            used = self.values[present & ~self.padding]
            if used.size == 0 or used.min() == used.max():
                raise RadiographError("all pixels have the same value; there is no image.")
            shown = (self.values - used.min()) / (used.max() - used.min())
        shown = np.clip(shown, 0, 1)
        shown = 1 - shown if self.inverted else shown
        return np.where(self.padding, 0, shown).astype(np.float32)


def rendering(dataset: Dataset, bits: int, *, little_endian: bool = True) -> Rendering:
    """Work out the rendering that a header asks for: VOI LUT, else the first window, else none.

    Args:
        dataset: the header.
        bits: bits stored.
        little_endian: byte order of the header's lookup tables.

    Raises:
        RadiographError: a lookup table in the header contradicts itself.
    """
    signed = integer(dataset, "PixelRepresentation") == 1
    stored = np.arange(2**bits, dtype=np.int64)
    if signed:
        stored = np.where(stored >= 2 ** (bits - 1), stored - 2**bits, stored)
    values = _modality(dataset, stored, little_endian)
    return Rendering(
        values=values,
        padding=_padding(dataset, stored, bits),
        shown=_voi(dataset, values, little_endian),
        # A DX image says both MONOCHROME1 and INVERSE for one inversion (PS3.3 C.8.11.3).
        inverted=text(dataset, "PhotometricInterpretation").upper() == "MONOCHROME1"
        or text(dataset, "PresentationLUTShape").upper() == "INVERSE",
    )


def word_patterns(
    layout: Layout, *, overlays: bool = False, lossy: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return what bit pattern each word holds, and whether it is a word that may occur.

    Args:
        layout: how bits lie in a word.
        overlays: whether an old-style overlay may lie in the bits beside.
        lossy: whether words may overshoot: up to an eighth beyond the range counts as its end.

    Returns:
        patterns: (2**allocated,) int; the stored bits of each word.
        legal: (2**allocated,) bool; False for a word with bits where the header says there are
            none, which tells that Bits Stored is wrong.
    """
    word = np.arange(2**layout.allocated)
    patterns = (word >> layout.shift) & (2**layout.stored - 1)
    beside = word - (patterns << layout.shift)
    legal = (beside == 0) | overlays
    if layout.signed:
        negative = patterns >= 2 ** (layout.stored - 1)
        sign_bits = 2**layout.allocated - 2 ** (layout.shift + layout.stored)
        legal |= negative & (beside == sign_bits)
    if lossy and not layout.signed:
        overshot = (word >= 2**layout.stored) & (word < 2**layout.stored * _OVERSHOOT)
        patterns = np.where(overshot, 2**layout.stored - 1, patterns)
        legal |= overshot
    return patterns, legal


def has_embedded_overlay(dataset: Dataset) -> bool:
    """Return whether an overlay lies in the pixels' unused bits (retired; PS3.3 C.9.2)."""
    return any(
        (0x6000 + 2 * number, 0x0102) in dataset and (0x6000 + 2 * number, 0x3000) not in dataset
        for number in range(16)
    )


def flattened(dataset: Dataset) -> Dataset:
    """Return the header with what an enhanced object says of its one frame at the top.

    PS3.3 C.7.6.16: functional groups hold window, LUT and rescale a level deeper; the frame's
    own come before the shared ones.
    """
    found: dict[str, Any] = {}
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in dataset.get(groups) or []:
            for macro in ("FrameVOILUTSequence", "PixelValueTransformationSequence"):
                for item in group.get(macro) or []:
                    found.update({element.keyword: element.value for element in item})
    if not found:
        return dataset
    whole = Dataset()
    whole.update(dataset)
    for keyword in _FRAME_KEYWORDS & found.keys():
        setattr(whole, keyword, found[keyword])
    return whole


def pixel_aspect(dataset: Dataset) -> float:
    """Return the height of a pixel over its width; 1 where the header does not say.

    Pixel Spacing and Imager Pixel Spacing give row then column spacing, and so does Pixel Aspect
    Ratio (PS3.3 10.7.1.1, 10.7.1.3, C.7.6.3.1.7).
    """
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        try:
            height, width = (float(value) for value in dataset.get(keyword))
        except (TypeError, ValueError):
            continue
        if width > 0 and 0.1 <= height / width <= 10:
            return height / width
    return 1.0


def _modality(dataset: Dataset, stored: np.ndarray, little_endian: bool) -> np.ndarray:
    if dataset.get("ModalityLUTSequence"):
        lut, first, _ = _lookup_table(dataset, "ModalityLUTSequence", little_endian)
        return lut[np.clip(stored - first, 0, len(lut) - 1)].astype(float)
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept")
    if slope is None or intercept is None or slope == 0:
        return stored.astype(float)
    return stored * slope + intercept


def _voi(dataset: Dataset, values: np.ndarray, little_endian: bool) -> np.ndarray | None:
    if dataset.get("VOILUTSequence"):
        lut, first, bits = _lookup_table(dataset, "VOILUTSequence", little_endian)
        index = np.clip(np.floor(values).astype(np.int64) - first, 0, len(lut) - 1)
        return lut[index] / (2**bits - 1)
    center, width = _number(dataset, "WindowCenter"), _number(dataset, "WindowWidth")
    function = text(dataset, "VOILUTFunction").upper() or "LINEAR"
    if center is None or width is None or width < (1 if function == "LINEAR" else 1e-9):
        return None
    return window(values, center, width, function)


def window(values: np.ndarray, center: float, width: float, function: str) -> np.ndarray:
    """Return `values` under a window, in 0..1 (PS3.3 C.11.2.1.2 and C.11.2.1.3).

    Args:
        values: float, after the modality step.
        center: window center, in the units of `values`.
        width: window width; at least 1 for LINEAR, above 0 for the others.
        function: LINEAR, LINEAR_EXACT or SIGMOID.

    Raises:
        RadiographError: the function is none of the three.
    """
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    if function not in ("LINEAR", "LINEAR_EXACT"):
        raise RadiographError("its VOI LUT Function is none of LINEAR, LINEAR_EXACT and SIGMOID.")
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(float)
    return np.clip((values - center) / width + 0.5, 0, 1)


def _padding(dataset: Dataset, stored: np.ndarray, bits: int) -> np.ndarray:
    padding = dataset.get("PixelPaddingValue")
    if not isinstance(padding, int):
        return np.zeros(stored.shape, dtype=bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = [stored[end & (2**bits - 1)] for end in (padding, limit) if isinstance(end, int)]
    return (stored >= min(ends)) & (stored <= max(ends))


def _lookup_table(
    dataset: Dataset, keyword: str, little_endian: bool
) -> tuple[np.ndarray, int, int]:
    """Return entries, the first value mapped, and bits of the first item of a LUT sequence."""
    try:
        item = dataset[keyword].value[0]
        count, first, bits = (int(number) for number in item.LUTDescriptor)
        data = item.LUTData
    except Exception as error:
        raise RadiographError("its lookup table can't be read.") from error
    count = count or 2**16
    if isinstance(data, bytes):
        order = "<" if little_endian else ">"
        packed = len(data) < 2 * count and bits == 8  # two 8-bit entries to a word
        entries = np.frombuffer(data, dtype=np.uint8 if packed else f"{order}u2")
    else:
        entries = np.atleast_1d(np.asarray(data, dtype=np.int64))
    entries = entries[:count].astype(np.int64)
    if len(entries) < count or not 8 <= bits <= 16 or entries.max() >= 2**bits:
        raise RadiographError("its lookup table contradicts its own descriptor.")
    return entries, first, bits


def _number(dataset: Dataset, keyword: str) -> float | None:
    """Return an element's first value as a finite number, or None."""
    value = dataset.get(keyword)
    try:
        first = value if isinstance(value, str | int | float) else next(iter(value))
        number = float(first)
    except (TypeError, ValueError, StopIteration):
        return None
    return number if np.isfinite(number) else None
