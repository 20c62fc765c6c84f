"""Heatmaps as small pictures: over the radiograph, or over a drawn chest where it may not be shown.

Pictures are PNG with a palette of their own, so that a whole card of them stays small. The heat
is warm and the true outline is cold, so that the two can be told apart in print and by readers
who see few colours.
"""

import io

import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

PICTURE = 192
"""Pixels a side of an overlay."""

_OUTLINE = (64, 224, 255)
_BAND = (255, 210, 80)
_COLOURS = 128
_GREYS = 64
_STRENGTH = 0.65  # of the heat at its highest: the radiograph still shows through


def grey_png(pixels: np.ndarray) -> bytes:
    """Return a radiograph as PNG, as the network saw it.

    Args:
        pixels: (h, w) uint8.
    """
    steps = 256 // _GREYS
    return _png(Image.fromarray((pixels // steps) * steps + steps // 2).quantize(_GREYS))


def overlay_png(pixels: np.ndarray | None, heat: np.ndarray, outline: np.ndarray | None) -> bytes:
    """Return the heat over the radiograph, with the true lesion's outline where it is known.

    Args:
        pixels: (h, w) uint8; None draws a chest in place of the radiograph.
        heat: (`PICTURE`, `PICTURE`) float from 0, nothing, to 1, the strongest.
        outline: (h, w) bool, the lesion, or None.
    """
    ground = schematic_chest() if pixels is None else _enlarged(pixels)
    picture = blend(ground, heat)
    if outline is not None and outline.any():
        picture = _with_outline(picture, outline)
    palette = Image.fromarray(picture).quantize(
        _COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    return _png(palette)


def blend(ground: np.ndarray, heat: np.ndarray) -> NDArray[np.uint8]:
    """Return heat over a grey picture, both of any one size.

    Args:
        ground: (h, w) uint8.
        heat: (h, w) float from 0, nothing, to 1, the strongest.

    Returns:
        (h, w, 3) uint8; where there is no heat, the grey picture as it is.
    """
    strength = np.clip(heat, 0, 1)[..., None]
    colour = colormaps["inferno"](0.35 + 0.65 * strength[..., 0])[..., :3] * 255
    weight = _STRENGTH * strength  # nothing stays nothing, and little stays faint
    return np.round((1 - weight) * ground[..., None] + weight * colour).astype(np.uint8)


def stamp(picture: NDArray[np.uint8], words: str) -> NDArray[np.uint8]:
    """Return the picture with a band below it that says `words`, as wide as it is.

    Args:
        picture: (h, w, 3) uint8.
        words: broken into as many lines as they need.
    """
    width = picture.shape[1]
    size = max(9.0, width / 32)
    font = ImageFont.load_default(size)
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) < 0.96 * width:
            lines[-1] = longer
        else:
            lines.append(word)
    step = round(1.4 * size)
    band = Image.new("RGB", (width, step * len(lines) + step // 2), _BAND)
    pen = ImageDraw.Draw(band)
    for place, line in enumerate(lines):
        pen.text((round(0.02 * width), step * place + step // 4), line, font=font, fill="black")
    return np.concatenate([picture, np.asarray(band)])


def schematic_chest() -> np.ndarray:
    """Return a drawn chest, (`PICTURE`, `PICTURE`) uint8: body, lungs, heart, diaphragm.

    Nobody's anatomy: it stands in where a radiograph may not be shared.
    """
    scale = 4  # drawn larger and reduced, for smooth lines
    side = PICTURE * scale
    canvas = np.full((side, side), 24, np.uint8)

    def polygon(points: list[tuple[float, float]]) -> list[NDArray[np.int32]]:
        return [np.round(np.array(points) * side).astype(np.int32)]

    body = [(0.0, 0.3), (0.2, 0.17), (0.4, 0.12), (0.43, 0.0)]
    cv2.fillPoly(canvas, polygon([*body, *_mirrored(body), (1.0, 1.0), (0.0, 1.0)]), 60)
    lung = [
        (0.40, 0.14), (0.33, 0.13), (0.26, 0.19), (0.19, 0.32), (0.14, 0.50), (0.12, 0.68),
        (0.13, 0.82), (0.22, 0.75), (0.33, 0.72), (0.42, 0.76), (0.43, 0.60), (0.43, 0.40),
        (0.44, 0.24),
    ]  # fmt: skip
    for outline in (lung, _mirrored(lung)):
        cv2.fillPoly(canvas, polygon(outline), 24)
        cv2.polylines(canvas, polygon(outline), True, 150, scale * 2)
    heart = [(0.45, 0.42), (0.56, 0.42), (0.64, 0.54), (0.69, 0.68), (0.66, 0.77), (0.42, 0.77)]
    cv2.fillPoly(canvas, polygon(heart), 60)
    cv2.polylines(canvas, polygon(heart), True, 150, scale * 2)
    return cv2.resize(canvas, (PICTURE, PICTURE), interpolation=cv2.INTER_AREA)


def _mirrored(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(1 - across, down) for across, down in reversed(points)]


def _enlarged(pixels: np.ndarray) -> np.ndarray:
    way = cv2.INTER_CUBIC if min(pixels.shape) < PICTURE else cv2.INTER_AREA
    return cv2.resize(pixels, (PICTURE, PICTURE), interpolation=way)


def _with_outline(picture: np.ndarray, outline: np.ndarray) -> np.ndarray:
    size = (PICTURE, PICTURE)
    smooth = cv2.resize(outline.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    mask = (smooth >= 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(picture.copy(), contours, -1, _OUTLINE, 1)


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return stream.getvalue()
