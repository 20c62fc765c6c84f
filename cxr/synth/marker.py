"""What lies over the picture: the collimator's shutter and the side marker.

Both are drawn by chance alone, so that neither tells anything about the patient.
"""

import math

import cv2
import numpy as np

from cxr.synth.exposure import WHITE
from cxr.synth.scene import Scene


def finish_picture(pixels: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Add shutter and marker to `pixels` in place.

    Returns:
        (size, size) bool; where the picture still shows the patient.
    """
    shown = _shutter(pixels.shape[0], rng)
    pixels[~shown] = 0
    letter = _marker(scene, rng)
    np.maximum(
        pixels, (letter * np.float32(rng.uniform(0.8, 1.0) * WHITE)).astype(np.uint16), out=pixels
    )
    return shown


def _shutter(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return the field left open; mostly all of it."""
    open_field = np.ones((size, size), bool)
    turn = rng.normal(0, 0.02)
    edges = np.where(rng.random(4) < 0.22, rng.uniform(0.005, 0.04, 4), 0.0) * size
    if not edges.any():
        return open_field
    half = size / 2
    box = np.array(
        [
            [edges[0] - half, edges[1] - half],
            [half - edges[2], edges[1] - half],
            [half - edges[2], half - edges[3]],
            [edges[0] - half, half - edges[3]],
        ]
    )
    # an edge that is not closed lies far outside, so that turning opens no corner
    box *= np.where(np.abs(box) >= half, 1.5, 1.0)
    cosine, sine = math.cos(turn), math.sin(turn)
    corners = box @ np.array([[cosine, sine], [-sine, cosine]]) + half
    drawn = np.zeros((size, size), np.uint8)
    cv2.fillPoly(drawn, [np.round(corners * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return drawn.astype(bool)


def _marker(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Return a lead L or R beside the shoulder, 0 to 1."""
    size = scene.grid.size
    side = 1.0 if rng.random() < 0.5 else -1.0
    letter = "L" if side > 0 else "R"
    x = 0.5 + side * rng.uniform(0.38, 0.46)
    y = rng.uniform(0.06, 0.26)
    if scene.pose.view == "LATERAL":
        letter, x = "L", rng.choice([0.06, 0.9])
    scale = size * rng.uniform(0.0016, 0.0024)
    thick = max(1, round(size / 170))
    plate = np.zeros((size, size), np.uint8)
    spot = (round(x * size - 10 * scale), round(y * size))
    cv2.putText(plate, letter, spot, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((x * size, y * size), float(rng.normal(0, 7)), 1.0)
    return cv2.warpAffine(plate, turn, (size, size)).astype(np.float32) / 255
