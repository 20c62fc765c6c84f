"""The pulmonary vessels: trees that branch from the hila and taper towards the pleura."""

import numpy as np

from cxr.synth.raster import Tube

_LEVELS = 6
_STEPS = 5


def vessel_tree(
    origin: tuple[float, float],
    side: float,
    rng: np.random.Generator,
    *,
    reach: float = 1.0,
    cephalization: float = 0.0,
) -> list[Tube]:
    """Return the tubes of one lung's vessels.

    Args:
        origin: cm; the hilum.
        side: +1 or -1, the direction of lateral.
        rng: draws the branching.
        reach: factor on all lengths.
        cephalization: 0 to 1; widens what runs upwards and thins what runs down, as in
            pulmonary venous hypertension.
    """
    # radians from lateral towards down: upper, middle and lower lobe trunks
    lean = np.array([-1.35, -1.05, -0.7, -0.3, 0.05, 0.4, 0.72, 1.0, 1.25, 1.45])
    lean = lean + rng.normal(0, 0.1, lean.size)
    start = np.tile(np.asarray(origin, float), (lean.size, 1))
    start += rng.normal(0, 0.5, start.shape)
    radius = np.interp(lean, [-1.4, 0, 1.4], [0.26, 0.32, 0.38]) * rng.uniform(0.8, 1.2, lean.size)
    radius *= 1 + cephalization * np.where(lean < 0, 0.9, -0.2)
    length = reach * np.interp(lean, [-1.4, -0.5, 1.4], [2.2, 2.2, 3.2])
    tubes: list[Tube] = []
    for _ in range(_LEVELS):
        lines, tips, ends = _grow(start, lean, length, side, rng)
        tubes.append(Tube(lines, radius[:, None] * np.linspace(1.0, 0.8, _STEPS)))
        spread = rng.uniform(0.2, 0.55, tips.size)
        start = np.repeat(ends, 2, axis=0)
        lean = np.repeat(tips, 2) + np.repeat(spread, 2) * np.tile([-0.8, 1.0], tips.size)
        radius = np.repeat(radius, 2) * rng.uniform(0.64, 0.86, lean.size)
        length = np.repeat(length, 2) * rng.uniform(0.65, 0.95, lean.size)
        keep = radius > 0.035
        start, lean, radius, length = start[keep], lean[keep], radius[keep], length[keep]
    return tubes


def _grow(
    start: np.ndarray, lean: np.ndarray, length: np.ndarray, side: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the branches' lines (n, steps, 2), their last direction and their ends."""
    bend = rng.normal(0, 0.14, (lean.size, _STEPS - 1)).cumsum(axis=1)
    angle = lean[:, None] + bend
    step = length[:, None] / (_STEPS - 1)
    moves = np.stack([side * np.cos(angle) * step, np.sin(angle) * step], axis=2)
    lines = np.concatenate([np.zeros((lean.size, 1, 2)), moves.cumsum(axis=1)], axis=1)
    lines += start[:, None, :]
    return lines, angle[:, -1], lines[:, -1]
