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
    (0.0, 0.0),
    (0.5, 2.4),
    (2.0, 4.8),
    (6.0, 7.4),
    (12.0, 9.0),
    (20.0, 9.6),
    (30.0, 9.6),
)
_BODY_WIDTH = (
    (-10.0, 5.4), (-4.5, 5.9), (-2.5, 7.6), (-0.8, 12.0), (1.5, 16.0), (4.0, 17.4),
    (8.0, 16.4), (13.0, 16.2), (20.0, 16.3), (34.0, 16.6),
)  # fmt: skip
_BODY_DEPTH = (
    (-10.0, 5.6),
    (-3.0, 5.8),
    (0.0, 7.0),
    (4.0, 9.0),
    (10.0, 10.9),
    (18.0, 11.6),
    (32.0, 11.9),
)
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
    rng = np.random.default_rng([patient_seed, 23])
    cavity, wall, top = _cavity(grid, build)
    above, base = _diaphragm(grid, build, pose, shape)
    organs, heart, mediastinum = _centre(grid, build, pose, shape)
    belly = np.float32(7.0) * np.sqrt(np.maximum(-above, 0))
    lung = np.maximum(
        cavity - np.maximum(organs, belly) - np.float32(0.3) * organs * (belly > 0), 0
    )
    marks = _landmarks(build, pose, base)
    vessels = _lung_vessels(grid, build, shape, marks, rng) * _fade(wall, above, lung)
    ribs, breaks = draw_ribs(grid, build, pose, shape.breaks)
    bone = ribs + draw_spine(grid, build, pose) + draw_shoulders(grid, build, pose)
    bone += _arch_calcium(grid, build, pose)
    body = _body(grid, build, pose, rng) - _airways(grid, marks) - _bowel(grid, base, rng)
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
        apex_cm=top,
        base_cm=base,
        heart=heart,
        mediastinum=mediastinum,
    )


def _cavity(grid: Grid, build: Build) -> tuple[Field, Field, float]:
    """Return the chest's depth without organs, the distance to its wall, and its top."""
    dip = np.maximum(5.2 - np.abs(grid.x), 0)
    y = (grid.y - np.float32(0.11) * dip * dip) / np.float32(build.height)
    half = look_up(y, _HALF_WIDTH) * np.float32(build.width)
    depth = look_up(y, _HALF_DEPTH) * np.float32(2 * build.depth)
    ratio = grid.x / half
    chord = depth * np.sqrt(np.maximum(1 - ratio * ratio, 0))
    wall = np.minimum(half - np.abs(grid.x), np.float32(1.1) * y)
    return chord, wall, 0.0


def _dome(x: Field, build: Build, side: float, peak: float) -> Field:
    u = np.clip((x - side * _DOME_X * build.width) / (_DOME_WIDTH * build.width), -0.97, 0.97)
    return peak + np.float32(_DOME_HEIGHT) * (1 - np.sqrt(1 - u * u))


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
    shift, low = pose.rotation_cm, 16.6 * build.height - 0.75 * pose.raised_cm
    tall = 1 + 0.45 * (size - 1)

    def part(x: float, y: float, rx: float, ry: float, depth: float, turn: float = 0.0) -> Field:
        centre = (shift + x * size, low + y * tall)
        return ellipsoid(grid, centre, (rx * size, ry * tall), depth * size, turn=turn)

    heart = part(2.6, 0.9, 6.2, 4.4, 10.5, turn=0.62)  # left ventricle
    for other in (
        part(-1.3, -0.2, 3.3, 4.9, 9.0),  # right atrium
        part(1.0, 0.6, 4.6, 4.7, 10.0),  # right ventricle
        part(2.1, -4.4, 2.1, 2.8, 6.5),  # left atrial appendage
    ):
        np.maximum(heart, other, out=heart)
    wide = shape.mediastinum_cm
    band = _band(grid, build, pose, wide)
    vessels = _great_vessels(grid, build, pose, wide)
    great = np.maximum(band, vessels)
    return (
        np.maximum(great, heart),
        heart > 0.5,
        (great > 1.0) & (grid.y < low + 3) & (grid.y > 0.5),
    )


def _band(grid: Grid, build: Build, pose: Pose, wide: float) -> Field:
    """The mediastinum behind and above the heart."""
    half = look_up(
        grid.y / np.float32(build.height),
        ((-9.0, 3.2), (0.0, 2.6), (4.0, 2.3), (8.0, 2.2), (13.0, 2.3), (26.0, 2.5)),
    )
    half = half + np.float32(wide) * np.exp(-(((grid.y - 5.5) / 4.5) ** 2))
    ratio = (grid.x - np.float32(0.4 * pose.rotation_cm)) / half
    inside = np.maximum(1 - ratio * ratio, 0)
    return np.float32(17.0) * np.sqrt(inside)


def _great_vessels(grid: Grid, build: Build, pose: Pose, wide: float) -> Field:
    shift, aorta = pose.rotation_cm, build.aorta * (1 + 0.08 * wide)
    down = 0.4 + 0.55 * wide
    height = build.height
    arch = ellipsoid(
        grid, (shift + 1.9 + 0.5 * aorta + 0.7 * wide, 6.6 * height),
        (1.5 * aorta + 0.4 * wide, 1.7 * aorta + 0.5 * wide), 7.0,
    )  # fmt: skip
    trunk = ellipsoid(grid, (shift + 2.1, 10.0 * height), (1.9, 2.2), 5.0)
    lines = [
        Tube(
            spline([(2.2 + down * 0.5, 6.0), (2.3 + down, 11.0), (2.0 + down * 0.5, 18.0), (1.2, 27.0)]),
            1.2 * aorta, 2.4,
        ),
        Tube(spline([(shift - 1.5 - 0.8 * wide, -1.0), (shift - 1.9 - 0.9 * wide, 5.0),
                     (shift - 1.7 - 0.4 * wide, 13.0)]), 1.05 + 0.2 * wide, 2.6),
        Tube(spline([(1.6 + 0.5 * wide, -3.0), (2.0 + 0.8 * wide, 3.0), (2.2 + wide, 7.0)]),
             0.8 + 0.25 * wide, 2.6),
    ]  # fmt: skip
    return np.maximum(np.maximum(arch, trunk), draw_tubes(grid, lines))


def _landmarks(build: Build, pose: Pose, base: dict[float, float]) -> Landmarks:
    shift, height, width = pose.rotation_cm, build.height, build.width
    low = 16.6 * height - 0.75 * pose.raised_cm
    carina = (0.3 + 0.6 * shift, 7.9 * height)
    hila = {-1.0: (shift - 3.3, 11.4 * height), 1.0: (shift + 3.6, 10.5 * height)}
    stomach = (5.2 * width, base[PATIENT_LEFT] + 4.5)
    return Landmarks(
        trachea=spline([(0.2 * shift, -9.0), (0.4 * shift, 0.0), (0.3 + 0.5 * shift, 5.0), carina]),
        bronchi={
            -1.0: spline([carina, (carina[0] - 1.4, carina[1] + 1.5), (hila[-1.0][0], hila[-1.0][1] + 0.6)]),
            1.0: spline([carina, (carina[0] + 1.9, carina[1] + 1.5), (hila[1.0][0] + 0.2, hila[1.0][1] + 1.2)]),
        },
        cava=spline([(shift - 1.9, 1.5), (shift - 2.3, 6.0), (shift - 2.3, 11.0), (shift - 1.9, low - 1.0)]),
        ventricle=spline([(shift - 1.9, low - 1.0), (shift - 1.6, low + 2.6), (shift + 1.2, low + 3.4), (shift + 5.0, low + 3.6)]),
        oesophagus=spline([(0.3 * shift, -9.0), (0.2, 3.0), (0.6, 12.0), (1.2, 19.0), (2.2, base[1.0] + 1.5), stomach]),
        hila=hila,
        sternum=spline([(0.9 * shift, 3.0), (shift, 10.0), (shift, 19.0)]),
        pocket={side: (side * 9.6 * width, 4.6) for side in (-1.0, 1.0)},
        neck={side: (side * 2.8, -8.5) for side in (-1.0, 1.0)},
        arm={
            side: spline([(side * 17.5, 6.0), (side * 13.0, 1.8), (side * 7.5, 1.6), (side * 3.5, 2.6), (shift - 1.9, 4.0)])
            for side in (-1.0, 1.0)
        },
    )  # fmt: skip


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
        trunk = [(x - side, y - 0.8), (x, y), (x + out, y + 2.2), (x + 1.3 * out, y + 4.6)]
        tubes.append(Tube(spline(trunk), np.linspace(0.85, 0.35, 24)))
        upper = [(x - side, y - 0.5), (x + 0.2 * side, y - 1.6), (x + 0.9 * side, y - 3.4)]
        tubes.append(Tube(spline(upper), np.linspace(0.6, 0.3, 24)))
    return draw_tubes(grid, tubes)


def _fade(wall: Field, above: Field, lung: Field) -> Field:
    """Vessels thin out towards pleura and end where the lung does."""
    near = smooth_step((wall - np.float32(0.2)) / np.float32(2.2))
    low = smooth_step(above / np.float32(3) + np.float32(0.9))
    return near * low * np.minimum(lung / np.float32(4), 1)


def _airways(grid: Grid, marks: Landmarks) -> Field:
    tubes = [Tube(marks.trachea, 0.9, 1.0)]
    tubes += [
        Tube(line, np.linspace(0.75, 0.45, len(line)), 0.8) for line in marks.bronchi.values()
    ]
    return draw_tubes(grid, tubes)


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
    body = 2 * depth * np.sqrt(np.maximum(1 - ratio * ratio, 0))
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
        x, y = side * (7.8 + rng.normal(0, 0.3)), 16.5 + 0.5 * build.breast_cm + rng.normal(0, 0.4)
        chord = ellipsoid(
            grid, (x, y), (6.2 * size, 5.6 * size), 1.6 * build.breast_cm, turn=side * math.pi / 9
        )
        total += chord * smooth_step((grid.y - np.float32(y - 7 * size)) / np.float32(9 * size))
    return total
