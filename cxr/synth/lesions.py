"""Findings in lung and pleura: each takes the place of air, or lets air in.

Every function has the signature (scene, finding, strength, rng) -> Change. `strength` is how
visible the finding is (0 to 1 and a little more); geometry follows severity, side and zone.
"""

import math

import cv2
import numpy as np

from cxr.synth.raster import (
    Field,
    Tube,
    blob,
    cloud,
    draw_tubes,
    ellipsoid,
    smooth_step,
)
from cxr.synth.scene import Change, Scene, pick_side, pick_sides
from cxr.synth.truth import Finding, Side, Zone

_ZONES: dict[str, tuple[float, float]] = {
    "upper": (0.14, 0.36),
    "middle": (0.38, 0.62),
    "lower": (0.66, 0.88),
    "all": (0.2, 0.85),
    "none": (0.25, 0.85),
}
_VISIBLE = 0.06  # a change of aeration below this is not outlined


def place(
    scene: Scene, side: float, zone: Zone, rng: np.random.Generator, *, depth: tuple[float, float]
) -> tuple[float, float]:
    """Return a point in the lung (cm).

    Args:
        scene: the anatomy.
        side: the lung.
        zone: the height.
        rng: draws the point.
        depth: range of the distance to the chest wall, 0 at the wall and 1 at the hilum.
    """
    low, high = _ZONES[zone]
    y = rng.uniform(low, high) * scene.base_cm[side]
    row = int(np.clip(np.argmin(np.abs(scene.grid.y[:, scene.grid.size // 2] - y)), 0, None))
    inside = (scene.on_side(side)[row] > 0.9) & (scene.above[row] > 0.3) & ~scene.heart[row]
    columns = np.flatnonzero(inside)
    if columns.size < 3:
        return scene.landmarks.hila[side]
    xs = scene.grid.x[row, columns]
    outer, inner = (xs.min(), xs.max()) if side < 0 else (xs.max(), xs.min())
    return float(outer + rng.uniform(*depth) * (inner - outer)), float(y)


def _filled(scene: Scene, share: Field, *, vessels: bool = True) -> Change:
    """Return the change that fills `share` (0 to 1) of the air where there is lung."""
    share = np.clip(share, 0, 0.97) * (scene.lung > 0.1)
    return Change(
        mask=share > max(_VISIBLE, 0.35 * float(share.max(initial=0.0))),
        aeration=1 - share,
        vessels=1 - np.float32(0.9) * share if vessels else None,
    )


def _warp(scene: Scene, rng: np.random.Generator, amount: float, scale: float = 2.5) -> Field:
    rough = cloud(scene.grid, rng, scale_cm=scale) + 0.5 * cloud(
        scene.grid, rng, scale_cm=scale / 3
    )
    return np.float32(amount) * rough


def opacity(scene: Scene, finding: Finding, strength: float, rng: np.random.Generator) -> Change:
    """Hazy, ill-defined density through which vessels are still seen."""
    share = scene.grid.zeros()
    for side in pick_sides(finding.side, rng):
        centre = place(scene, side, finding.zone, rng, depth=(0.3, 0.65))
        size = 3.0 + 2.6 * finding.severity
        tall = 2.2 if finding.zone == "all" else 1.2
        shape = blob(
            scene.grid, centre, (size, size * tall), soft=0.9,
            warp=_warp(scene, rng, 0.13, 4.0), turn=rng.uniform(-0.5, 0.5),
        )  # fmt: skip
        grain = 1 + 0.06 * cloud(scene.grid, rng, scale_cm=0.6)
        share = np.maximum(share, shape * grain * scene.on_side(side))
    return _filled(
        scene, share * np.float32((0.42 + 0.3 * finding.severity) * strength), vessels=False
    )


def consolidation(
    scene: Scene, finding: Finding, strength: float, rng: np.random.Generator
) -> Change:
    """Airless lobe or segment, bounded by a fissure, with air in its bronchi."""
    share = scene.grid.zeros()
    for side in pick_sides(finding.side, rng):
        centre = place(scene, side, finding.zone, rng, depth=(0.35, 0.6))
        size = 3.6 + 2.6 * finding.severity
        shape = blob(
            scene.grid, centre, (size, size * (2.0 if finding.zone == "all" else 0.95)), soft=0.6,
            warp=_warp(scene, rng, 0.16),
        )  # fmt: skip
        fissure = centre[1] + 0.55 * size + 0.06 * side * (scene.grid.x - centre[0])
        if finding.zone == "upper":
            shape *= smooth_step((fissure - scene.grid.y) / np.float32(0.4) + np.float32(0.5))
        air = _bronchogram(scene, side, centre, size, rng)
        share = np.maximum(share, shape * (1 - 0.5 * air) * scene.on_side(side))
    return _filled(scene, share * np.float32((0.6 + 0.3 * finding.severity) * strength))


def _bronchogram(
    scene: Scene, side: float, centre: tuple[float, float], size: float, rng: np.random.Generator
) -> Field:
    """Return where open bronchi run through, 0 to 1."""
    x, y = scene.landmarks.hila[side]
    away = math.atan2(centre[1] - y, centre[0] - x)
    far = math.hypot(centre[0] - x, centre[1] - y) + 0.5 * size
    tubes = []
    for turn in rng.uniform(-0.6, 0.6, 5):
        steps = np.linspace(0.25, 1, 10)
        angle = away + turn * steps + 0.1 * np.sin(steps * rng.uniform(2, 5) + rng.uniform(0, 6))
        line = np.column_stack([x + far * steps * np.cos(angle), y + far * steps * np.sin(angle)])
        tubes.append(Tube(line, np.linspace(0.3, 0.14, 10)))
    open_air = np.minimum(draw_tubes(scene.grid, tubes) * np.float32(2.0), 1)
    return cv2.GaussianBlur(open_air, (0, 0), 0.14 / scene.grid.pitch)


def pneumonia(scene: Scene, finding: Finding, strength: float, rng: np.random.Generator) -> Change:
    """Patches that run together, denser in the middle."""
    share = scene.grid.zeros()
    for side in pick_sides(finding.side, rng):
        centre = place(scene, side, finding.zone, rng, depth=(0.35, 0.7))
        size = 2.8 + 2.2 * finding.severity
        for _ in range(5 + int(4 * finding.severity)):
            spot = np.asarray(centre) + rng.normal(0, 0.6, 2) * size
            patch = blob(
                scene.grid, (float(spot[0]), float(spot[1])), (size * rng.uniform(0.4, 0.75),) * 2,
                soft=1.1, warp=_warp(scene, rng, 0.16, 2.5),
            )  # fmt: skip
            share = 1 - (1 - share) * (1 - np.float32(0.6) * patch * scene.on_side(side))
        share *= 1 - 0.4 * _bronchogram(scene, side, centre, size, rng)
    return _filled(scene, share * np.float32((0.76 + 0.26 * finding.severity) * strength))


def atelectasis(
    scene: Scene, finding: Finding, strength: float, rng: np.random.Generator
) -> Change:
    """Bands of collapsed lung above the diaphragm; a dense wedge at its base when severe.

    The pulled-up diaphragm is part of the anatomy: see `phantom.shape_of`.
    """
    share = scene.grid.zeros()
    tubes: list[Tube] = []
    for side in pick_sides(finding.side, rng):
        zone: Zone = "lower" if finding.zone == "none" else finding.zone
        for _ in range(1 + round(2 * finding.severity)):
            x, y = place(scene, side, zone, rng, depth=(0.3, 0.7))
            half, slope = rng.uniform(2.2, 4.2), rng.normal(0, 0.2)
            steps = np.linspace(-1, 1, 12)
            bow = rng.normal(0, 0.25) * (1 - steps**2)
            line = np.column_stack([x + half * steps, y + half * slope * steps + bow])
            thick = 0.2 + 0.2 * finding.severity * rng.uniform(0.6, 1.4)
            tubes.append(Tube(line, thick * (1.03 - steps**2), 1.0))
        if zone == "lower":
            near = np.exp(-np.maximum(scene.above, 0) / np.float32(0.6 + 2.2 * finding.severity))
            inner = smooth_step((scene.wall - np.float32(1.5)) / np.float32(3))
            wedge = near * inner * (scene.above > -6) * scene.on_side(side)
            share = np.maximum(share, wedge * np.float32(0.25 + 0.6 * finding.severity))
    bands = np.minimum(draw_tubes(scene.grid, tubes) * np.float32(0.75), 0.6)
    bands = cv2.GaussianBlur(bands, (0, 0), 0.13 / scene.grid.pitch)
    inside = scene.wall > 0
    change = _filled(scene, np.maximum(bands * inside, share) * np.float32(1.15 * strength))
    return Change(change.mask, change.aeration, vessels=None)


def nodule(scene: Scene, finding: Finding, strength: float, rng: np.random.Generator) -> Change:
    """A round lesion of at most 3 cm."""
    return _round(scene, finding, strength, rng, radius=0.9 + 0.6 * finding.severity, rough=0.06)


def mass(scene: Scene, finding: Finding, strength: float, rng: np.random.Generator) -> Change:
    """A lesion of more than 3 cm, lobulated, with spicules."""
    return _round(scene, finding, strength, rng, radius=1.9 + 1.7 * finding.severity, rough=0.13)


def _round(
    scene: Scene,
    finding: Finding,
    strength: float,
    rng: np.random.Generator,
    *,
    radius: float,
    rough: float,
) -> Change:
    side = pick_side(finding.side, rng)
    centre = place(scene, side, finding.zone, rng, depth=(0.25, 0.7))
    radii = (radius * rng.uniform(0.9, 1.1), radius * rng.uniform(0.9, 1.1))
    edge = blob(scene.grid, centre, radii, soft=0.32, warp=_warp(scene, rng, rough, 1.0))
    chord = ellipsoid(scene.grid, centre, (radii[0] * 1.25, radii[1] * 1.25), 2.3 * radius)
    solid = chord * edge
    if rough > 0.1:
        solid = np.maximum(solid, 0.5 * _spicules(scene, centre, radius, rng))
    # a solid lesion takes the place of so much air along the beam, and of no more than there is
    share = np.minimum(solid * np.float32(2.0), scene.lung) / np.maximum(scene.lung, 0.5)
    change = _filled(scene, share * np.float32(strength))
    return Change((edge > 0.5) & (strength > 0), change.aeration, vessels=None)


def _spicules(
    scene: Scene, centre: tuple[float, float], radius: float, rng: np.random.Generator
) -> Field:
    angles = rng.uniform(0, 2 * math.pi, 14)
    reach = radius * rng.uniform(1.1, 1.6, 14)
    tubes = [
        Tube(
            np.array([centre, (centre[0] + r * math.cos(a), centre[1] + r * math.sin(a))]),
            np.array([0.16, 0.03]),
        )
        for a, r in zip(angles, reach, strict=True)
    ]
    return draw_tubes(scene.grid, tubes)


def edema(scene: Scene, finding: Finding, strength: float, rng: np.random.Generator) -> Change:
    """Bat-wing haze around the hila, Kerley B lines at the bases, blurred vessels.

    The upper-lobe vessels' filling is part of the anatomy: see `phantom.shape_of`.
    """
    grid = scene.grid
    haze = grid.zeros()
    lines: list[Tube] = []
    for side in (-1.0, 1.0):
        x, y = scene.landmarks.hila[side]
        reach = 4.0 + 3.0 * finding.severity
        wing = blob(
            grid,
            (x + side * 1.6, y + 1.0),
            (reach, reach * 1.35),
            soft=1.5,
            warp=_warp(scene, rng, 0.1, 4.0),
        )
        haze = np.maximum(haze, wing * scene.on_side(side))
        lines += _kerley(scene, side, finding.severity, rng)
    base = smooth_step((grid.y - np.float32(6)) / np.float32(12))
    grain = 1 + 0.07 * cloud(grid, rng, scale_cm=0.5) + 0.05 * cloud(grid, rng, scale_cm=1.8)
    both = (scene.wall > 0) & (scene.lung > 0.1)
    share = (
        (haze * grain + np.float32(0.35) * base) * both * np.float32(0.3 + 0.3 * finding.severity)
    )
    streaks = np.minimum(draw_tubes(grid, lines) * np.float32(2.0), 0.3) * both
    share = np.maximum(share, 0) + streaks
    return _filled(scene, share * np.float32(strength), vessels=False)


def _kerley(scene: Scene, side: float, severity: float, rng: np.random.Generator) -> list[Tube]:
    lines = []
    for _ in range(int(5 + 6 * severity)):
        x, y = place(scene, side, "lower", rng, depth=(0.01, 0.06))
        inward = x - side * rng.uniform(1.2, 2.2)
        lines.append(Tube(np.array([[x, y], [inward, y + rng.normal(0, 0.08)]]), 0.06))
    return lines


def side_of(side: Side) -> tuple[float, ...]:
    """Return the signs that a side names; none for "none"."""
    return {"left": (1.0,), "right": (-1.0,), "both": (-1.0, 1.0), "none": ()}[side]
