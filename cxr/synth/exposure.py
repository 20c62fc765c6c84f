"""From path lengths to a picture: Beer-Lambert, scatter, quantum noise, and the display curve.

Attenuation coefficients are those of a 110 kVp beam at its effective energy of about 55 keV
(NIST XCOM tables, rounded).
"""

import cv2
import numpy as np

from cxr.synth.raster import Field, cloud, look_up
from cxr.synth.scene import LUNG_DENSITY, Scene

WATER_PER_CM = 0.205
BONE_PER_CM = 0.62  # what dense bone adds to the water that it takes the place of
WHITE = 4095


def attenuation(scene: Scene, rng: np.random.Generator) -> Field:
    """Return the line integral of attenuation, without unit; 0 is air."""
    air = np.float32(1 - LUNG_DENSITY)
    texture = cloud(scene.grid, rng, scale_cm=0.35) + 0.8 * cloud(scene.grid, rng, scale_cm=0.9)
    gas = scene.lung * air * scene.aeration
    ready = np.clip(scene.aeration, 0, 1)
    water = scene.body - gas + scene.vessels * air
    water += np.float32(0.014) * scene.lung * texture * ready
    water = np.maximum(water, 0)
    energy = scene.pose.energy
    return (
        np.float32(WATER_PER_CM * (0.5 + 0.5 / energy)) * water
        + np.float32(BONE_PER_CM / energy**2) * scene.bone
        + scene.metal
    )


def expose(scene: Scene, rng: np.random.Generator) -> Field:
    """Return the detector's signal, 1 behind air: primary, scatter and quantum noise."""
    grid, pose = scene.grid, scene.pose
    primary = np.exp(-attenuation(scene, rng))
    coarse = cv2.resize(primary, (64, 64), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(scene.body, (64, 64), interpolation=cv2.INTER_AREA)
    # behind bare detector nothing scatters; without this, air would light up the whole picture
    coarse = np.where(inside > 1, coarse, np.minimum(coarse, 0.25))
    spread = 3.5 / (grid.size * grid.pitch / 64)
    scatter = cv2.GaussianBlur(coarse, (0, 0), spread)
    scatter = cv2.resize(scatter, (grid.size, grid.size), interpolation=cv2.INTER_LINEAR)
    signal = primary + np.float32(pose.scatter) * scatter
    quanta = pose.quanta * 1000 * (grid.pitch * 10) ** 2
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.6) * np.float32(1.9)
    return np.maximum(signal + np.sqrt(signal / np.float32(quanta)) * noise, 1e-5)


def develop(signal: Field, scene: Scene) -> np.ndarray:
    """Return the picture for display: (size, size) uint16, 12 bits, bone bright.

    The range is set from the body's own histogram, as a CR or DX reader does, and edges are
    enhanced by the pose's setting.
    """
    grid, pose = scene.grid, scene.pose
    density = -np.log(signal)
    if pose.sharpen > 0:
        small = cv2.resize(density, (grid.size // 2, grid.size // 2), interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(small, (0, 0), 0.9 / (2 * grid.pitch))
        soft = cv2.resize(soft, (grid.size, grid.size), interpolation=cv2.INTER_LINEAR)
        density = density + np.float32(pose.sharpen) * (density - soft)
    lung, dense = _anchors(density, scene)
    dark = float(np.clip(0.2 / pose.contrast + pose.brightness, 0.06, 0.4))
    knots = ((0.0, 0.0), (lung, dark), (dense, 0.93), (dense + 2.5, 1.0))
    value = look_up(density, knots) * np.float32(WHITE)
    return np.clip(np.rint(value), 0, WHITE).astype(np.uint16)


def _anchors(density: Field, scene: Scene) -> tuple[float, float]:
    """Return the densities of dark lung and of dense tissue."""
    step = max(1, scene.grid.size // 96)
    inside = density[::step, ::step][scene.body[::step, ::step] > 6]
    if inside.size < 50:
        inside = density.ravel()
    lung, dense = np.percentile(inside, [5, 88])
    lung = max(float(lung), 0.2)
    return lung, max(float(dense), lung + 0.5)
