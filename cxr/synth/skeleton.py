"""The bones of a frontal view: ribs, clavicles, scapulae, spine."""

import math
from itertools import pairwise

import cv2
import numpy as np

from cxr.synth.raster import Field, Grid, Tube, draw_tubes, smooth_step, spline
from cxr.synth.scene import PATIENT_LEFT, PATIENT_RIGHT, Break, Build, Pose

SIDES = (PATIENT_RIGHT, PATIENT_LEFT)

# y where rib 1..12 leaves the spine, its reach to the side, its fall to the front (cm), and the
# angle (degrees) at which its bony part ends
_RIBS = (
    (-0.5, 4.9, 4.6, 140),
    (0.7, 8.3, 6.0, 148),
    (2.8, 10.5, 7.6, 146),
    (5.1, 12.0, 8.8, 144),
    (7.4, 12.9, 9.8, 142),
    (9.8, 13.5, 10.6, 138),
    (12.2, 13.9, 11.2, 134),
    (14.7, 14.1, 11.6, 128),
    (17.3, 14.1, 11.6, 122),
    (20.0, 13.9, 11.0, 112),
    (22.8, 13.0, 9.0, 78),
    (25.6, 11.0, 6.0, 52),
)


def rib_line(build: Build, pose: Pose, rib: int, side: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the angles (n,) in radians and the points (n, 2) in cm of rib 1 to 12."""
    root, reach, fall, end = _RIBS[rib - 1]
    angle = np.radians(np.linspace(6, end, 40))
    lift = 0.35 * pose.raised_cm
    x = side * (0.5 + (reach * build.width - 0.5) * np.sin(angle) ** 0.92)
    x += np.where(angle > math.pi / 2, pose.rotation_cm, -0.4 * pose.rotation_cm)
    fall = fall * build.rib_drop * (1 - 0.04 * pose.raised_cm)
    y = root * build.height - lift * rib / 12 + fall * (1 - np.cos(angle)) / 2
    return angle, np.column_stack([x, y])


def draw_ribs(
    grid: Grid, build: Build, pose: Pose, breaks: tuple[Break, ...]
) -> tuple[Field, tuple[tuple[float, float], ...]]:
    """Return the bone of 24 ribs, and the centre of each fracture (cm)."""
    tubes: list[Tube] = []
    centres: list[tuple[float, float]] = []
    broken = {(item.rib, item.side): item for item in breaks}
    for side in SIDES:
        for rib in range(1, 13):
            angle, line = rib_line(build, pose, rib, side)
            width = np.interp(angle, [0.1, 0.6, 1.6, 2.6], [0.45, 0.66, 0.62, 0.5])
            item = broken.get((rib, side))
            if item is None:
                behind = int(np.searchsorted(angle, 1.75))
                tubes += _hollow(line[: behind + 1], width[: behind + 1])
                # towards the cartilage in front the cortex grows thin
                if behind == len(line):
                    continue
                for part, weight in zip(_thirds(behind, len(line)), (0.65, 0.5, 0.3), strict=True):
                    tubes += _hollow(line[part], width[part], weight)
                continue
            pieces, centre = _break(angle, line, item)
            centres.append(centre)
            for keep, piece in pieces:
                tubes += _hollow(piece, width[keep])
            tubes += _callus(pieces, width)
    return draw_tubes(grid, tubes) * np.float32(0.62 * build.bone), tuple(centres)


def _thirds(start: int, stop: int) -> list[slice]:
    """Cut the points from start to stop into three runs that share their ends."""
    cuts = [start + (stop - 1 - start) * part // 3 for part in range(4)]
    return [slice(low, high + 1) for low, high in pairwise(cuts)]


def _hollow(line: np.ndarray, width: np.ndarray, weight: float = 1.0) -> list[Tube]:
    """A tube of cortex around spongy bone."""
    marrow = np.maximum(width - 0.12, 0.05)
    return [
        Tube(line, width, weight, capped=False),
        Tube(line, marrow, -0.78 * weight, capped=False),
    ]


def _break(
    angle: np.ndarray, line: np.ndarray, item: Break
) -> tuple[list[tuple[np.ndarray, np.ndarray]], tuple[float, float]]:
    """Cut a rib and set the outer fragment off by the step."""
    at = int(np.clip(np.searchsorted(angle, item.angle), 4, len(angle) - 5))
    path = np.concatenate([[0.0], np.hypot(*np.diff(line, axis=0).T).cumsum()])
    inner = path <= path[at] - item.gap_cm / 2
    outer = path >= path[at] + item.gap_cm / 2
    shifted = line + np.array([0.0, item.step_cm])
    # the fragment swings back to the rib's own course over a few cm
    swing = np.exp(-np.maximum(path - path[at], 0) / 5)[:, None]
    moved = line * (1 - swing) + shifted * swing
    centre = (float(line[at, 0]), float(line[at, 1] + item.step_cm / 2))
    return [(inner, line[inner]), (outer, moved[outer])], centre


def _callus(pieces: list[tuple[np.ndarray, np.ndarray]], width: np.ndarray) -> list[Tube]:
    """Dense fragment ends."""
    (keep_in, inner), (keep_out, outer) = pieces
    return [
        Tube(inner[-3:], width[keep_in][-3:], 0.7),
        Tube(outer[:3], width[keep_out][:3], 0.7),
    ]


def draw_spine(grid: Grid, build: Build, pose: Pose) -> Field:
    """Return the vertebrae: bodies with discs between, pedicles, spinous processes."""
    rows = np.arange(-9.0, 36.0, 0.05)
    spacing = np.interp(rows, [-6, 0, 12, 26], [1.7, 2.05, 2.45, 3.1]) * build.height
    phase = np.cumsum(0.05 / spacing)
    columns = np.flatnonzero(np.abs(grid.x).min(axis=0) < 4.5)
    near = slice(columns[0], columns[-1] + 1) if columns.size else slice(0, 0)
    bone = grid.zeros()
    bone[:, near] = _vertebrae(grid.x[:, near], grid.y[:, near], build, pose, rows, phase)
    return bone * np.float32(build.bone) + _arches(grid, build, pose, rows, phase)


def _vertebrae(
    x: Field, y: Field, build: Build, pose: Pose, rows: np.ndarray, phase_at: np.ndarray
) -> Field:
    """Return the bodies with their end plates and the discs between them."""
    half = np.interp(rows, [-6, 0, 12, 26], [1.3, 1.5, 1.75, 2.2]).astype(np.float32)
    step = np.clip((y + 9) / np.float32(0.05), 0, len(rows) - 1).astype(np.int16)
    across = np.abs(x - spine_x(build, pose, y)) / half[step]
    phase = (phase_at % 1).astype(np.float32)[step]
    edge = np.minimum(phase, 1 - phase)
    disc = smooth_step((np.float32(0.13) - edge) / np.float32(0.07))
    plate = np.exp(-(((edge - np.float32(0.16)) / np.float32(0.035)) ** 2))
    waist = 1 - np.float32(0.1) * np.sin(np.float32(math.pi) * phase)
    inside = smooth_step((waist - across) / np.float32(0.14) + np.float32(0.5))
    rim = np.exp(-(((across - waist + np.float32(0.06)) / np.float32(0.06)) ** 2))
    return inside * (0.42 - 0.26 * disc + 0.16 * plate) + 0.12 * rim * (1 - disc)


def spine_x(build: Build, pose: Pose, y: Field) -> Field:
    """Return the spine's x at height y (cm)."""
    swing = build.scoliosis_cm * np.sin(y * np.float32(2 * math.pi / 26))
    return swing - np.float32(0.5 * pose.rotation_cm)


def _arches(grid: Grid, build: Build, pose: Pose, rows: np.ndarray, phase: np.ndarray) -> Field:
    ring = np.linspace(0, 2 * math.pi, 12)
    circle = np.column_stack([np.cos(ring), np.sin(ring)])
    tubes: list[Tube] = []
    for number in range(1, int(phase[-1])):
        y = float(rows[np.searchsorted(phase, number + 0.42)]) if phase[-1] > number + 1 else 40.0
        x = float(spine_x(build, pose, np.array(y)))
        size = 0.3 + 0.006 * (y + 9)
        for side in SIDES:
            tubes.append(Tube((x + side * 2.6 * size, y) + circle * (0.7 * size, size), 0.09, 1.2))
        tubes.append(Tube(np.array([[x, y + 0.5], [x, y + 1.5]]), 0.3 * size + 0.1, 0.5))
    return draw_tubes(grid, tubes) * np.float32(build.bone)


def draw_shoulders(grid: Grid, build: Build, pose: Pose) -> Field:
    """Return clavicles, scapulae and humeri."""
    tubes: list[Tube] = []
    blades = np.zeros((grid.size, grid.size), np.uint8)
    for side in SIDES:
        tubes += _clavicle(build, pose, side)
        tubes += _scapula(build, pose, side)
        outline = [_mirror(point, build, pose, side) for point in _BLADE]
        corners = np.round(grid.pixels(np.array(outline)) * 16).astype(np.int32)
        layer = np.zeros_like(blades)
        cv2.fillPoly(layer, [corners], 255, cv2.LINE_AA, 4)
        blades = np.maximum(blades, layer)
    thin = blades.astype(np.float32) * np.float32(0.26 / 255)
    return (draw_tubes(grid, tubes) + thin) * np.float32(build.bone)


def _clavicle(build: Build, pose: Pose, side: float) -> list[Tube]:
    lift, turn = pose.clavicle_cm, pose.rotation_cm
    points = [(1.7, 3.2), (4.5, 2.5), (8.0, 1.3), (11.5, -0.2), (14.5, -0.8), (16.6, -0.4)]
    line = spline([(side * x * build.width + turn, y - lift) for x, y in points], 30)
    width = np.interp(np.linspace(0, 1, 30), [0, 0.12, 0.5, 1], [0.8, 0.62, 0.52, 0.62])
    return [Tube(line, width, 0.95), Tube(line, width - 0.16, -0.72)]


_BLADE = (
    (13.6, 2.0),
    (13.9, 6.5),
    (15.2, 12.0),
    (15.8, 12.3),
    (16.2, 8.0),
    (17.0, 3.6),
    (15.5, 1.2),
)


def _mirror(
    point: tuple[float, float], build: Build, pose: Pose, side: float
) -> tuple[float, float]:
    x, y = point
    inward = pose.scapula_cm * float(np.interp(y, [0, 12], [0.4, 1.0]))
    return side * (x * build.width - inward), y - 0.3 * pose.clavicle_cm


def _scapula(build: Build, pose: Pose, side: float) -> list[Tube]:
    def line(*points: tuple[float, float]) -> np.ndarray:
        return spline([_mirror(point, build, pose, side) for point in points], 20)

    tubes = [
        Tube(line((17.0, 3.6), (16.2, 8.0), (15.6, 12.2)), 0.3, 0.8),  # lateral border
        Tube(line((13.6, 2.0), (13.9, 6.5), (15.2, 12.0), (15.7, 12.3)), 0.14, 0.8),
        Tube(line((13.7, 3.6), (15.8, 1.2), (18.0, -0.8), (18.9, -0.3)), 0.42, 0.35),  # spine
        Tube(line((15.4, 1.4), (16.0, 0.6), (16.9, 1.2)), 0.4, 0.35),  # coracoid
    ]
    head = (18.9, 2.0)
    shaft = line((18.9, 2.6), (19.8, 10.0), (20.9, 40.0))
    tubes += [Tube(shaft, 1.25, 0.42), Tube(shaft, 0.8, -0.34)]
    ball = line((head[0] - 0.1, head[1]), (head[0] + 0.1, head[1]))
    return [*tubes, Tube(ball, 2.2, 0.17), Tube(ball, 2.05, -0.08)]
