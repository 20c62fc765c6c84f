"""The frontal thorax (PA and AP): body, lungs, heart, great vessels, diaphragm.

Sizes are those of an average adult in cm, scaled by the patient's build. The chest's inner
cross-section at each height is an ellipse; what the solid organs along the beam leave of its
depth is lung. So a larger heart or a higher diaphragm takes the place of air, and borders are
seen exactly where tissue of different density meets, as in life.
"""

import math

import numpy as np

from cxr.synth.raster import (
    Field,
    Grid,
    Tube,
    cloud,
    draw_tubes,
    ellipsoid,
    look_up,
    smooth_step,
    solid,
    spline,
)
from cxr.synth.scene import PATIENT_LEFT, PATIENT_RIGHT, Build, Landmarks, Pose, Scene, Shape
from cxr.synth.skeleton import draw_ribs, draw_shoulders, draw_spine
from cxr.synth.vessels import vessel_tree

_HALF_WIDTH = (
    (0.0, 4.4), (0.7, 6.9), (2.0, 8.7), (5.0, 10.9), (10.0, 12.6),
    (16.0, 13.5), (22.0, 13.9), (30.0, 13.7),
)  # fmt: skip
_HALF_DEPTH = (
    (0.0, 0.0), (0.5, 2.4), (2.0, 4.8), (6.0, 7.4), (12.0, 9.0), (20.0, 9.6), (30.0, 9.6),
)  # fmt: skip
_BODY_WIDTH = (
    (-10.0, 6.0), (-5.5, 6.5), (-3.5, 8.4), (-1.8, 12.5), (0.5, 17.0), (3.0, 18.6),
    (8.0, 17.2), (13.0, 16.8), (20.0, 16.8), (34.0, 17.2),
)  # fmt: skip
_BODY_DEPTH = (
    (-10.0, 6.2), (-3.0, 6.4), (0.0, 7.2), (4.0, 9.0), (10.0, 10.9), (18.0, 11.8), (24.0, 12.8),
    (32.0, 13.0),
)  # fmt: skip
_DOME_X, _DOME_WIDTH, _DOME_HEIGHT = 6.6, 8.1, 6.6
_DOME_Y = {PATIENT_RIGHT: 21.0, PATIENT_LEFT: 22.3}


def build_frontal(
    grid: Grid, build: Build, pose: Pose, shape: Shape, *, patient_seed: int
) -> Scene:
    """Return the scene of a frontal view.

    Args:
        grid: the image's grid.
        build, pose: the patient and the exposure.
        shape: what findings change in the anatomy.
        patient_seed: fixes vessels and bowel gas, equal on all images of the patient.
    """
    # a stream each, so that fuller vessels do not move the bowel gas
    vessel_rng, bowel_rng, body_rng = (
        np.random.default_rng([patient_seed, part]) for part in (23, 24, 25)
    )
    cavity, wall = _cavity(grid, build)
    above, base = _diaphragm(grid, build, pose, shape)
    organs, heart, mediastinum = _centre(grid, build, pose, shape)
    belly = np.float32(11.0) * np.sqrt(np.maximum(-above, 0))
    lung = np.maximum(cavity - np.maximum(organs, belly), 0)
    marks = _landmarks(build, pose, base)
    vessels = np.float32(1.5) * _lung_vessels(grid, build, shape, marks, vessel_rng)
    vessels *= _fade(wall, above, lung) * np.where(heart, np.float32(0.5), np.float32(1))
    ribs, breaks = draw_ribs(grid, build, pose, shape.breaks)
    bone = ribs + draw_spine(grid, build, pose) + draw_shoulders(grid, build, pose)
    bone += _arch_calcium(grid, build, pose)
    body = _body(grid, build, pose, body_rng) - _airways(grid, marks)
    body -= _bowel(grid, base, bowel_rng)
    return Scene(
        grid=grid,
        pose=pose,
        build=build,
        landmarks=Landmarks(**{**vars(marks), "breaks": breaks}),
        body=np.maximum(body, 0),
        lung=lung,
        vessels=vessels,
        bone=bone,
        metal=grid.zeros(),
        wall=wall,
        above=above,
        base_cm=base,
        heart=heart,
        mediastinum=mediastinum,
    )


def _cavity(grid: Grid, build: Build) -> tuple[Field, Field]:
    """Return the chest's depth without organs, and the distance to its wall."""
    dip = np.maximum(5.2 - np.abs(grid.x), 0)
    y = (grid.y - np.float32(0.11) * dip * dip) / np.float32(build.height)
    half = look_up(y, _HALF_WIDTH) * np.float32(build.width)
    depth = look_up(y, _HALF_DEPTH) * np.float32(2 * build.depth)
    ratio = grid.x / half
    ratio *= ratio
    chord = depth * np.sqrt(np.maximum(1 - ratio * ratio, 0))
    wall = np.minimum(half - np.abs(grid.x), np.float32(1.1) * y)
    return chord, wall


_DOME = tuple(
    (float(u), _DOME_HEIGHT * (1 - math.sqrt(1 - u * u))) for u in np.linspace(-0.97, 0.97, 65)
)


def _dome(x: Field, build: Build, side: float, peak: float) -> Field:
    """Return the y of one hemidiaphragm: an ellipse's upper half."""
    u = (x - np.float32(side * _DOME_X * build.width)) * np.float32(1 / (_DOME_WIDTH * build.width))
    return np.float32(peak) + np.float32(build.dome) * look_up(u, _DOME)


def _diaphragm(
    grid: Grid, build: Build, pose: Pose, shape: Shape
) -> tuple[Field, dict[float, float]]:
    raised = dict(zip((PATIENT_RIGHT, PATIENT_LEFT), shape.raised_cm, strict=True))
    peak = {
        side: _DOME_Y[side] * build.height - pose.raised_cm - raised[side]
        for side in (PATIENT_RIGHT, PATIENT_LEFT)
    }
    right, left = (_dome(grid.x, build, side, peak[side]) for side in (-1.0, 1.0))
    blend = smooth_step(grid.x / 2 + np.float32(0.5))
    return right + (left - right) * blend - grid.y, peak


def _centre(
    grid: Grid, build: Build, pose: Pose, shape: Shape
) -> tuple[Field, np.ndarray, np.ndarray]:
    """Return the depth of heart and mediastinum, and where each is seen."""
    size = build.heart * shape.heart * (1.1 if pose.view == "AP" else 1.0)
    heart = solid(grid, _heart_outline(build, pose, size), 11.5 * size, rounding_cm=5.0)
    band = solid(grid, _mediastinum_outline(build, pose, shape), 17.0, rounding_cm=2.6)
    # behind the heart there is lung again in front of the spine
    band *= 1 - np.float32(0.3) * smooth_step((grid.y / np.float32(build.height) - 9) / 4)
    middle = (grid.y > 1.0) & (grid.y < _heart_low(build, pose) + 1)
    return np.maximum(band, heart), heart > 0.5, (band > 1.0) & middle


def _heart_low(build: Build, pose: Pose) -> float:
    """Return the level (cm) of the heart's middle; it rises with the diaphragm."""
    return 16.6 * build.height - 0.75 * pose.raised_cm


_HEART = (
    (0.2, -8.2), (2.4, -7.6), (3.7, -6.2), (4.6, -4.4), (5.9, -2.4), (7.3, -0.2), (8.3, 2.0),
    (8.8, 4.2), (8.4, 6.2), (6.6, 7.5), (3.5, 7.9), (0.0, 7.6), (-2.4, 6.6), (-3.6, 4.6),
    (-4.2, 2.2), (-4.3, -0.2), (-3.9, -2.6), (-3.0, -5.0), (-1.6, -7.2), (0.2, -8.2),
)  # fmt: skip


def _heart_outline(build: Build, pose: Pose, size: float) -> np.ndarray:
    tall = (1 + 0.25 * (size - 1)) * (1 - 0.05 * build.lie)
    wide = size * (1 + 0.05 * build.lie)
    points = [
        (pose.rotation_cm + x * wide, _heart_low(build, pose) + 7.0 + (y - 7.0) * tall)
        for x, y in _HEART
    ]
    return spline(points, 90)


def _mediastinum_outline(build: Build, pose: Pose, shape: Shape) -> np.ndarray:
    """The band from neck to diaphragm: cava on the right; arch and pulmonary trunk on the left."""
    knob = 1.35 * build.aorta
    right = (
        (-9.0, 3.0), (-3.0, 2.7), (0.0, 2.5), (3.0, 2.3), (5.5, 2.5), (7.0, 2.8), (9.0, 2.7),
        (14.0, 2.3), (27.0, 2.1),
    )  # fmt: skip
    left = (
        (-9.0, 3.0), (-3.0, 2.7), (0.0, 2.4), (2.8, 2.05), (4.2, 1.75 + 0.35 * knob),
        (4.9, 1.95 + 0.75 * knob), (5.7, 2.1 + 1.0 * knob), (6.6, 2.15 + 1.06 * knob),
        (7.5, 2.1 + 0.92 * knob), (8.3, 2.2 + 0.6 * knob), (9.2, 2.5 + 0.4 * knob), (10.4, 3.5),
        (12.5, 3.6), (16.0, 2.5), (27.0, 1.9),
    )  # fmt: skip
    points = [_edge(1.0, y, x, build, pose, shape) for y, x in left]
    points += [_edge(-1.0, y, x, build, pose, shape) for y, x in reversed(right)]
    return spline(points, 120)


def _edge(
    side: float, y: float, x: float, build: Build, pose: Pose, shape: Shape
) -> tuple[float, float]:
    wide = shape.mediastinum_cm * math.exp(-(((y - 6.0) / 6.5) ** 2))
    front = float(np.clip(y / 6, 0.3, 1.0)) * pose.rotation_cm
    return side * (x * (0.4 + 0.6 * build.width) + wide) + front, y * build.height


def _landmarks(build: Build, pose: Pose, base: dict[float, float]) -> Landmarks:
    shift, height, width = pose.rotation_cm, build.height, build.width
    low = _heart_low(build, pose)
    carina = (0.3 + 0.6 * shift, 7.9 * height)
    hila = {-1.0: (shift - 4.2, 11.3 * height), 1.0: (shift + 4.5, 10.6 * height)}
    stomach = (5.2 * width, base[PATIENT_LEFT] + 4.5)
    return Landmarks(
        trachea=spline([(0.2 * shift, -9.0), (0.4 * shift, 0.0), (0.3 + 0.5 * shift, 5.0), carina]),
        bronchi={
            -1.0: spline(
                [carina, (carina[0] - 1.4, carina[1] + 1.5), (hila[-1.0][0], hila[-1.0][1] + 0.6)]
            ),
            1.0: spline(
                [
                    carina,
                    (carina[0] + 1.9, carina[1] + 1.5),
                    (hila[1.0][0] + 0.2, hila[1.0][1] + 1.2),
                ]
            ),
        },
        cava=spline(
            [(shift - 1.9, 1.5), (shift - 2.3, 6.0), (shift - 2.3, 11.0), (shift - 1.9, low - 1.0)]
        ),
        ventricle=spline(
            [
                (shift - 1.9, low - 1.0),
                (shift - 1.6, low + 2.6),
                (shift + 1.2, low + 3.4),
                (shift + 5.0, low + 3.6),
            ]
        ),
        oesophagus=spline(
            [
                (0.3 * shift, -9.0),
                (0.2, 3.0),
                (0.6, 12.0),
                (1.2, 19.0),
                (2.2, base[1.0] + 1.5),
                stomach,
            ]
        ),
        hila=hila,
        sternum=spline([(0.9 * shift, 3.0), (shift, 10.0), (shift, 19.0)]),
        pocket={side: (side * 9.6 * width, 4.6) for side in (-1.0, 1.0)},
        neck={side: (side * 2.8, -8.5) for side in (-1.0, 1.0)},
        arm={
            side: spline(
                [
                    (side * 17.5, 6.0),
                    (side * 13.0, 1.8),
                    (side * 7.5, 1.6),
                    (side * 3.5, 2.6),
                    (shift - 1.9, 4.0),
                ]
            )
            for side in (-1.0, 1.0)
        },
    )


def _lung_vessels(
    grid: Grid, build: Build, shape: Shape, marks: Landmarks, rng: np.random.Generator
) -> Field:
    tubes: list[Tube] = []
    for side in (PATIENT_RIGHT, PATIENT_LEFT):
        x, y = marks.hila[side]
        tubes += vessel_tree(
            (x, y), side, rng, reach=build.height, cephalization=shape.cephalization
        )
        out = side * 0.9
        trunk = [(x - side, y - 0.8), (x, y), (x + 0.6 * out, y + 1.8), (x + 0.9 * out, y + 3.6)]
        tubes.append(Tube(spline(trunk), np.linspace(0.8, 0.3, 24), 0.55))
        upper = [(x - side, y - 0.5), (x + 0.2 * side, y - 1.6), (x + 0.9 * side, y - 3.4)]
        tubes.append(Tube(spline(upper), np.linspace(0.6, 0.25, 24), 0.55))
    return draw_tubes(grid, tubes)


def _fade(wall: Field, above: Field, lung: Field) -> Field:
    """Vessels thin out towards pleura and end where the lung does."""
    near = smooth_step((wall - np.float32(0.2)) / np.float32(2.2))
    low = smooth_step(above / np.float32(3) + np.float32(0.9))
    return near * low * np.minimum(lung / np.float32(4), 1)


def _airways(grid: Grid, marks: Landmarks) -> Field:
    # trachea and right main bronchus are nearly one line; the left one leaves it
    right, left = marks.bronchi[PATIENT_RIGHT], marks.bronchi[PATIENT_LEFT]
    line = np.vstack([marks.trachea, right[1:]])
    width = np.interp(np.arange(len(line)), [0, len(marks.trachea), len(line)], [0.9, 0.85, 0.45])
    branch = Tube(left[4:], np.linspace(0.65, 0.42, len(left) - 4), 0.8)
    return draw_tubes(grid, [Tube(line, width, 1.4), branch])


def _arch_calcium(grid: Grid, build: Build, pose: Pose) -> Field:
    if not build.calcified_arch:
        return grid.zeros()
    turn = np.linspace(-1.5, 0.7, 14)
    centre = np.array([pose.rotation_cm + 1.9 + 0.5 * build.aorta, 6.6 * build.height])
    rim = centre + np.column_stack([np.cos(turn), np.sin(turn)]) * (1.4 * build.aorta, 1.6)
    return draw_tubes(grid, [Tube(rim, 0.12, 1.0)])


def _bowel(grid: Grid, base: dict[float, float], rng: np.random.Generator) -> Field:
    """Gas under the left dome: stomach with its fluid level, colon."""
    peak = base[PATIENT_LEFT]
    size = rng.uniform(0.5, 1.25)
    x = 6.2 + rng.normal(0, 0.8)
    gas = ellipsoid(grid, (x, peak + 2.6), (3.0 * size, 2.0 * size), 5.5 * size)
    level = peak + 2.6 + rng.uniform(0.2, 1.0) * size
    gas *= smooth_step((level - grid.y) / np.float32(0.25) + np.float32(0.5))
    for _ in range(int(rng.integers(0, 4))):
        centre = (rng.uniform(3, 12), peak + rng.uniform(5, 9))
        gas += ellipsoid(grid, centre, (rng.uniform(0.8, 1.8), rng.uniform(0.7, 1.5)), 2.2)
    return gas


def _body(grid: Grid, build: Build, pose: Pose, rng: np.random.Generator) -> Field:
    """Soft tissue of trunk, neck, arms and breasts."""
    fat = np.float32(build.fat_cm)
    half = look_up(grid.y, _BODY_WIDTH) * np.float32(0.5 + 0.5 * build.width) + fat
    depth = look_up(grid.y, _BODY_DEPTH) * np.float32(build.depth) + fat * np.float32(0.8)
    ratio = grid.x / half
    ratio *= ratio
    body = 2 * depth * np.sqrt(np.maximum(1 - ratio * ratio * ratio, 0))
    arms = []
    for side in (PATIENT_RIGHT, PATIENT_LEFT):
        out = 2.0 if pose.view == "AP" else 4.5
        line = spline([(side * 13.5, 3.5), (side * 17.5, 4.5), (side * (18.2 + out), 16.0)])
        arms.append(Tube(line, 4.3 + 0.8 * build.fat_cm, 1.0))
    body = np.maximum(body, draw_tubes(grid, arms))
    body += _breasts(grid, build, rng)
    mottle = cloud(grid, rng, scale_cm=2.2) + 0.6 * cloud(grid, rng, scale_cm=0.8)
    return body * (1 + np.float32(0.012) * mottle)


def _breasts(grid: Grid, build: Build, rng: np.random.Generator) -> Field:
    if build.breast_cm <= 0:
        upper = ellipsoid(grid, (-9.5, 8.0), (5.5, 4.5), 1.6)
        return upper + ellipsoid(grid, (9.5, 8.0), (5.5, 4.5), 1.6)
    total = grid.zeros()
    size = 0.8 + 0.09 * build.breast_cm
    for side in (PATIENT_RIGHT, PATIENT_LEFT):
        x, y = side * (7.8 + rng.normal(0, 0.3)), 15.8 + 0.4 * build.breast_cm + rng.normal(0, 0.4)
        chord = ellipsoid(
            grid, (x, y), (6.2 * size, 5.6 * size), 1.15 * build.breast_cm, turn=side * math.pi / 9
        )
        total += chord * smooth_step((grid.y - np.float32(y - 7 * size)) / np.float32(9 * size))
    return total
