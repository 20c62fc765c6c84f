"""The lateral thorax: the same organs from the side, the front on the picture's left."""

import math

import numpy as np

from cxr.synth.raster import (
    Field,
    Grid,
    Tube,
    cloud,
    draw_tubes,
    look_up,
    smooth_step,
    solid,
    spline,
)
from cxr.synth.scene import PATIENT_LEFT, PATIENT_RIGHT, Build, Landmarks, Pose, Scene, Shape
from cxr.synth.vessels import vessel_tree

_FRONT = (
    (0.0, -2.0), (1.5, -4.6), (5.0, -7.2), (10.0, -9.3), (16.0, -10.2), (22.0, -10.3), (32.0, -9.6),
)  # fmt: skip
_BACK = ((0.0, 2.5), (1.5, 5.2), (5.0, 8.0), (10.0, 9.7), (16.0, 10.2), (22.0, 9.8), (32.0, 8.6))
_SPINE = ((-10.0, 1.0), (-3.0, 2.0), (4.0, 6.0), (10.0, 7.6), (16.0, 7.8), (24.0, 6.4), (34.0, 4.6))
_HEART = (
    (-0.4, -6.6), (-2.2, -6.0), (-4.0, -3.8), (-5.8, -1.0), (-7.2, 2.0), (-7.6, 4.6), (-6.4, 6.8),
    (-3.0, 7.6), (0.6, 7.0), (2.8, 4.6), (3.6, 1.4), (3.4, -2.0), (2.4, -5.0), (1.0, -6.4),
    (-0.4, -6.6),
)  # fmt: skip
_WIDTH = ((0.0, 0.0), (1.0, 7.0), (4.0, 15.0), (9.0, 20.0), (16.0, 23.0), (30.0, 24.0))


def build_lateral(
    grid: Grid, build: Build, pose: Pose, shape: Shape, *, patient_seed: int
) -> Scene:
    """Return the scene of a lateral view; arguments as in `anatomy.build_frontal`."""
    vessel_rng, body_rng = (np.random.default_rng([patient_seed, part]) for part in (29, 30))
    cavity, wall = _cavity(grid, build)
    above, base = _diaphragm(grid, build, pose, shape)
    organs, heart, great = _centre(grid, build, pose, shape)
    belly = np.float32(13.0) * np.sqrt(np.maximum(-above, 0))
    lung = np.maximum(cavity - organs - belly, 0)
    marks = _landmarks(build, pose, base)
    bone, breaks = _bones(grid, build, shape)
    near = smooth_step((wall - np.float32(0.2)) / np.float32(2))
    vessels = (
        _vessels(grid, build, shape, marks, vessel_rng) * near * np.minimum(lung / np.float32(4), 1)
    )
    body = _body(grid, build, body_rng) - draw_tubes(grid, [Tube(marks.trachea, 0.9)])
    return Scene(
        grid=grid,
        pose=pose,
        build=build,
        landmarks=Landmarks(**{**vars(marks), "breaks": breaks}),
        body=np.maximum(body, 0),
        lung=np.minimum(lung, body * np.float32(0.8)),
        vessels=vessels,
        bone=bone,
        metal=grid.zeros(),
        wall=wall,
        above=above,
        base_cm=base,
        heart=heart,
        mediastinum=great,
    )


def _cavity(grid: Grid, build: Build) -> tuple[Field, Field]:
    y = grid.y / np.float32(build.height)
    front = look_up(y, _FRONT) * np.float32(build.depth)
    back = look_up(y, _BACK) * np.float32(build.depth)
    half = (back - front) / 2
    ratio = (grid.x - (front + back) / 2) / half
    ratio *= ratio
    wide = look_up(y, _WIDTH) * np.float32(build.width)
    chord = wide * np.sqrt(np.maximum(1 - ratio * ratio, 0))
    wall = np.minimum(np.minimum(grid.x - front, back - grid.x), np.float32(1.1) * y)
    return chord, wall


def _diaphragm(
    grid: Grid, build: Build, pose: Pose, shape: Shape
) -> tuple[Field, dict[float, float]]:
    peaks = {
        side: level * build.height - pose.raised_cm - shape.raised_cm[number]
        for number, (side, level) in enumerate(((PATIENT_RIGHT, 20.6), (PATIENT_LEFT, 21.6)))
    }
    u = np.clip((grid.x + np.float32(2.0)) / np.float32(12.2 * build.depth), -0.95, 0.97)
    rise = np.float32(9.0) * (1 - np.sqrt(1 - u * u))
    lower = max(peaks.values())
    return lower + rise - grid.y, peaks


def _centre(
    grid: Grid, build: Build, pose: Pose, shape: Shape
) -> tuple[Field, np.ndarray, np.ndarray]:
    size = build.heart * shape.heart
    low = 16.4 * build.height - 0.7 * pose.raised_cm
    points = [(x * size - 1.5, low + 6 + (y - 6) * (1 + 0.5 * (size - 1))) for x, y in _HEART]
    heart = solid(grid, spline(points, 80), 9.5 * size, rounding_cm=4.5)
    wide = 1 + 0.3 * shape.mediastinum_cm
    aorta = spline(
        [(-3.4, 12.0), (-3.6, 8.6), (-1.4, 6.2), (2.0, 6.6), (4.6, 9.5), (5.8, 16.0), (5.0, 27.0)]
    )
    tubes = [Tube(aorta, 1.2 * build.aorta * wide, 1.1)]
    upper = spline(
        [
            (-3.4, -2.0),
            (-4.0, 2.0),
            (-3.8, 6.0),
            (-2.0, 11.0),
            (2.6, 11.5),
            (3.0, 6.0),
            (3.0, -2.0),
            (-3.4, -2.0),
        ],
        60,
    )
    middle = solid(grid, upper, 6.5 * wide, rounding_cm=2.5)
    great = np.maximum(draw_tubes(grid, tubes), middle)
    return heart + great * np.float32(0.8), heart > 0.5, (great > 1.5) & (grid.y > 0)


def _landmarks(build: Build, pose: Pose, base: dict[float, float]) -> Landmarks:
    low = 16.4 * build.height - 0.7 * pose.raised_cm
    carina = (1.2, 8.4 * build.height)
    hilum = (0.8, 10.4 * build.height)
    stomach = (-2.0, base[PATIENT_LEFT] + 5.0)
    sides = (PATIENT_RIGHT, PATIENT_LEFT)
    return Landmarks(
        trachea=spline([(-1.6, -9.0), (-0.9, 0.0), carina]),
        bronchi={side: np.array([carina, hilum]) for side in sides},
        cava=spline([(-1.4, 1.5), (-1.6, 7.0), (-1.4, low - 1.0)]),
        ventricle=spline([(-1.4, low - 1.0), (-2.6, low + 2.6), (-6.4, low + 3.2)]),
        oesophagus=spline([(-0.8, -9.0), (1.0, 3.0), (2.8, 12.0), (2.4, 19.0), stomach]),
        hila=dict.fromkeys(sides, hilum),
        sternum=spline([(-5.2, 2.5), (-9.6, 10.0), (-10.8, 19.0)]),
        pocket=dict.fromkeys(sides, (-7.8, 3.0)),
        neck=dict.fromkeys(sides, (-2.6, -8.5)),
        arm=dict.fromkeys(sides, spline([(-6.5, 1.0), (-4.0, 0.5), (-1.6, 3.5)])),
    )


def _vessels(
    grid: Grid, build: Build, shape: Shape, marks: Landmarks, rng: np.random.Generator
) -> Field:
    tubes: list[Tube] = []
    for side in (-1.0, 1.0):  # here: forwards and backwards
        x, y = marks.hila[side]
        tubes += vessel_tree(
            (x, y), side, rng, reach=0.8 * build.height, cephalization=shape.cephalization
        )
    ball = np.array([[marks.hila[1.0][0] - 1.2, marks.hila[1.0][1]], marks.hila[1.0]])
    return draw_tubes(grid, [*tubes, Tube(ball, 1.1)])


def _bones(grid: Grid, build: Build, shape: Shape) -> tuple[Field, tuple[tuple[float, float], ...]]:
    """Return ribs, spine, sternum and scapula, and the centre of each fracture."""
    tubes: list[Tube] = []
    breaks: list[tuple[float, float]] = []
    steps = np.linspace(0, 1, 30)
    broken = {item.rib: item for item in shape.breaks}
    for rib in range(1, 12):
        start = -1.0 + 2.25 * (rib - 1) * build.height
        reach = float(np.interp(rib, [1, 5, 8, 11], [0.5, 0.85, 0.8, 0.45]))
        for twin in (0.0, 0.5):  # the far side is magnified and falls a little lower
            back = float(np.interp(start, [y for y, _ in _SPINE], [x for _, x in _SPINE])) + 1.2
            x = (
                back
                + 1.6 * np.sin(np.pi * np.minimum(steps * 1.6, 1))
                - 17.5 * reach * build.depth * steps
            )
            y = start + twin + (9.5 * reach * build.rib_drop) * steps**0.85
            if rib in broken and twin == 0.0:
                at = 12
                y[at:] += broken[rib].step_cm
                breaks.append((float(x[at]), float(y[at])))
            line = np.column_stack([x, y])
            tubes += [Tube(line, 0.6, 0.75), Tube(line, 0.48, -0.6)]
    tubes += _spine(build)
    sternum = spline([(-4.9, 2.5), (-6.6, 5.4), (-9.6, 11.0), (-10.7, 17.5)])
    sternum = sternum * (build.depth, build.height)
    tubes += [Tube(sternum, 0.5, 0.5), Tube(sternum, 0.36, -0.4)]
    for shift in (0.0, 1.6):
        blade = spline([(6.0 + shift, 1.0), (8.6 + shift, 6.0), (9.4 + shift, 10.0)])
        tubes.append(Tube(blade, 0.3, 0.6))
    return draw_tubes(grid, tubes) * np.float32(build.bone), tuple(breaks)


def _spine(build: Build) -> list[Tube]:
    tubes = []
    y = -9.0
    while y < 34:
        tall = float(np.interp(y, [-6, 0, 12, 26], [1.6, 1.9, 2.35, 3.0])) * build.height
        deep = float(np.interp(y, [-6, 0, 12, 26], [0.8, 1.0, 1.35, 1.7]))
        middle = y + tall / 2
        x = float(np.interp(middle, [k for k, _ in _SPINE], [v for _, v in _SPINE])) * build.depth
        tilt = math.atan2(
            float(np.interp(middle + 1, [k for k, _ in _SPINE], [v for _, v in _SPINE]))
            * build.depth
            - x,
            1.0,
        )
        corner = np.array(
            [
                [-deep, -0.4 * tall],
                [deep, -0.4 * tall],
                [deep, 0.4 * tall],
                [-deep, 0.4 * tall],
                [-deep, -0.4 * tall],
            ]
        )
        turn = np.array([[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]])
        box = corner @ turn + (x, middle)
        axis = np.array([[0, -0.4 * tall + deep * 0.5], [0, 0.4 * tall - deep * 0.5]]) @ turn + (
            x,
            middle,
        )
        tubes += [Tube(box, 0.16, 1.6), Tube(axis, deep * 0.95, 0.3)]
        tubes.append(
            Tube(np.array([[x + deep, middle], [x + deep + 1.8, middle + 1.0]]), 0.35, 0.4)
        )
        y += tall
    return tubes


def _body(grid: Grid, build: Build, rng: np.random.Generator) -> Field:
    fat = np.float32(build.fat_cm)
    y = grid.y / np.float32(build.height)
    front = look_up(
        y,
        (
            (-10.0, -5.0),
            (-4.0, -4.6),
            (-1.0, -5.4),
            (3.0, -8.6),
            (10.0, -11.6),
            (18.0, -12.4),
            (34.0, -12.6),
        ),
    )
    back = look_up(
        y,
        (
            (-10.0, 5.0),
            (-4.0, 6.5),
            (-1.0, 9.0),
            (3.0, 11.0),
            (10.0, 12.4),
            (18.0, 12.2),
            (34.0, 11.0),
        ),
    )
    front = front * np.float32(build.depth) - fat * np.float32(0.5)
    if build.breast_cm > 0:
        droop = np.exp(-(((y - np.float32(17)) / np.float32(4.5)) ** 2))
        front = front - np.float32(0.7 * build.breast_cm) * droop
    back = back * np.float32(build.depth) + fat * np.float32(0.5)
    wide = look_up(
        y,
        (
            (-10.0, 11.0),
            (-4.0, 12.0),
            (0.0, 19.0),
            (4.0, 25.0),
            (9.0, 28.0),
            (20.0, 31.0),
            (34.0, 31.0),
        ),
    )
    half = (back - front) / 2
    ratio = (grid.x - (front + back) / 2) / half
    ratio *= ratio
    body = wide * np.float32(0.95 * build.width) * np.sqrt(np.maximum(1 - ratio * ratio, 0))
    arms = spline([(2.0, -1.5), (-3.0, -4.5), (-10.0, -9.5)])
    body += draw_tubes(grid, [Tube(arms, np.linspace(0.6, 3.2, 24), 0.7)])
    mottle = cloud(grid, rng, scale_cm=2.2) + 0.6 * cloud(grid, rng, scale_cm=0.8)
    return body * (1 + np.float32(0.01) * mottle)
