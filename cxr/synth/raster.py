"""Drawing in centimetres: the image grid, tubes, ellipsoids and clouds that anatomy is made of.

Everything is drawn as a path length along the beam (cm), so that shapes add up as tissue does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numba
import numpy as np

Field = np.ndarray
"""(size, size) float32, in cm along the beam unless said otherwise."""


@dataclass(frozen=True)
class Grid:
    """Pixel centres in the patient's plane.

    x grows towards the picture's right (frontal: the patient's left; lateral: posterior), y
    grows downwards; the origin is the midline at the level of the lung apices.

    Attributes:
        size: pixels a side.
        pitch: cm per pixel.
        left, top: cm; the corner of the field before it is tilted.
        tilt: radians that the patient is turned in the picture's plane.
        x, y: (size, size) float32 cm.
    """

    size: int
    pitch: float
    left: float
    top: float
    tilt: float
    x: Field
    y: Field

    @classmethod
    def place(
        cls, size: int, *, field_cm: float, centre: tuple[float, float], tilt: float
    ) -> "Grid":
        """Return the grid of a square field around `centre` (cm), turned by `tilt` (radians)."""
        pitch = field_cm / size
        offset = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * np.float32(pitch)
        offset -= np.float32(field_cm / 2)
        cosine, sine = np.float32(math.cos(tilt)), np.float32(math.sin(tilt))
        across, down = offset[None, :], offset[:, None]
        x = np.float32(centre[0]) + cosine * across - sine * down
        y = np.float32(centre[1]) + sine * across + cosine * down
        corner = (centre[0] - field_cm / 2, centre[1] - field_cm / 2)
        return cls(size, pitch, corner[0], corner[1], tilt, x, y)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Return (n, 2) pixel coordinates (column, row; centres at integers) of cm points."""
        half = self.size * self.pitch / 2
        shifted = np.asarray(points, dtype=np.float64) - (self.left + half, self.top + half)
        cosine, sine = math.cos(self.tilt), math.sin(self.tilt)
        across = cosine * shifted[:, 0] + sine * shifted[:, 1]
        down = -sine * shifted[:, 0] + cosine * shifted[:, 1]
        return np.column_stack([across + half, down + half]) / self.pitch - 0.5

    def zeros(self) -> Field:
        """Return an empty field."""
        return np.zeros((self.size, self.size), np.float32)


@dataclass(frozen=True)
class Tube:
    """A round tube along a line, or several alike.

    Attributes:
        points: (n, 2) cm; or (lines, n, 2).
        radius: cm; one number, or one per point: (n,), or (lines, n).
        weight: what a cm of chord counts.
        capped: whether the ends are round; else they are cut off square.
    """

    points: np.ndarray
    radius: float | np.ndarray
    weight: float = 1.0
    capped: bool = True


def draw_tubes(grid: Grid, tubes: Sequence[Tube]) -> Field:
    """Return the summed chords of `tubes`; within one tube, segments do not add up.

    A tube thinner than a pixel is drawn a pixel wide with the same volume, so that a fine line
    neither vanishes nor staggers.
    """
    field = grid.zeros()
    if not tubes:
        return field
    lines = [tube.points.reshape(-1, *tube.points.shape[-2:]) for tube in tubes]
    points = grid.pixels(np.concatenate([line.reshape(-1, 2) for line in lines]))
    radii = [np.full(line.shape[:2], tube.radius) for line, tube in zip(lines, tubes, strict=True)]
    counts = [len(line) for line in lines]
    lengths = np.repeat([line.shape[1] for line in lines], counts)
    _add_tubes(
        field,
        grid.zeros(),
        points,
        np.concatenate([radius.ravel() for radius in radii]) / grid.pitch,
        np.concatenate([[0], np.cumsum(lengths)]),
        np.repeat([tube.weight * grid.pitch for tube in tubes], counts),
        np.repeat([tube.capped for tube in tubes], counts),
    )
    return field


@numba.njit(cache=True)
def _add_tubes(
    field: Field,
    scratch: Field,
    points: np.ndarray,
    radii: np.ndarray,
    starts: np.ndarray,
    weights: np.ndarray,
    capped: np.ndarray,
) -> None:
    height, width = field.shape
    for tube in range(len(weights)):
        top, bottom, left, right = height, -1, width, -1
        for i in range(starts[tube], starts[tube + 1] - 1):
            ax, ay, bx, by = points[i, 0], points[i, 1], points[i + 1, 0], points[i + 1, 1]
            dx, dy = bx - ax, by - ay
            norm = max(dx * dx + dy * dy, 1e-12)
            reach = max(radii[i], radii[i + 1], 0.75)
            row0 = max(math.ceil(min(ay, by) - reach), 0)
            row1 = min(math.floor(max(ay, by) + reach), height - 1)
            col0 = max(math.ceil(min(ax, bx) - reach), 0)
            col1 = min(math.floor(max(ax, bx) + reach), width - 1)
            if row0 > row1 or col0 > col1:
                continue
            top, bottom = min(top, row0), max(bottom, row1)
            left, right = min(left, col0), max(right, col1)
            for row in range(row0, row1 + 1):
                for col in range(col0, col1 + 1):
                    along = ((col - ax) * dx + (row - ay) * dy) / norm
                    if not capped[tube] and (
                        (along < 0.0 and i == starts[tube])
                        or (along > 1.0 and i == starts[tube + 1] - 2)
                    ):
                        continue
                    along = min(max(along, 0.0), 1.0)
                    gap_x, gap_y = col - ax - along * dx, row - ay - along * dy
                    radius = radii[i] + along * (radii[i + 1] - radii[i])
                    drawn = max(radius, 0.75)
                    rest = drawn * drawn - gap_x * gap_x - gap_y * gap_y
                    if rest > 0.0:
                        chord = 2.0 * math.sqrt(rest) * (radius / drawn) ** 2
                        if chord > scratch[row, col]:
                            scratch[row, col] = chord
        for row in range(top, bottom + 1):
            for col in range(left, right + 1):
                field[row, col] += weights[tube] * scratch[row, col]
                scratch[row, col] = 0.0


def ellipsoid(
    grid: Grid,
    centre: tuple[float, float],
    radii: tuple[float, float],
    depth: float,
    *,
    turn: float = 0.0,
) -> Field:
    """Return the chord through an ellipsoid.

    Args:
        grid: where.
        centre: cm.
        radii: cm; half axes in the picture's plane, before turning.
        depth: cm; the full length along the beam at the centre.
        turn: radians; the first axis is turned from the x axis towards the y axis.
    """
    along, across = _axes(grid, centre, turn)
    rest = 1 - (along / np.float32(radii[0])) ** 2 - (across / np.float32(radii[1])) ** 2
    return np.float32(depth) * np.sqrt(np.maximum(rest, 0, out=rest))


def blob(
    grid: Grid,
    centre: tuple[float, float],
    radii: tuple[float, float],
    *,
    turn: float = 0.0,
    soft: float = 0.3,
    warp: Field | float = 0.0,
) -> Field:
    """Return a soft-edged ellipse, 1 inside and 0 outside.

    Args:
        grid: where.
        centre: cm.
        radii: cm; half axes.
        turn: radians.
        soft: width of the edge as a share of the radius.
        warp: a field that pushes the edge in and out, as a share of the radius.
    """
    along, across = _axes(grid, centre, turn)
    radius = np.sqrt((along / np.float32(radii[0])) ** 2 + (across / np.float32(radii[1])) ** 2)
    return smooth_step((1 + warp - radius) / np.float32(soft) + np.float32(0.5))


def _axes(grid: Grid, centre: tuple[float, float], turn: float) -> tuple[Field, Field]:
    x, y = grid.x - np.float32(centre[0]), grid.y - np.float32(centre[1])
    if turn == 0.0:
        return x, y
    cosine, sine = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    return cosine * x + sine * y, cosine * y - sine * x


@numba.vectorize(["float32(float32)", "float64(float64)"], cache=True)
def smooth_step(value):  # type: ignore[no-untyped-def]
    """Return 0 below 0, 1 above 1, and a smooth rise between; works on arrays."""
    clipped = min(max(value, value * 0), value * 0 + 1)
    return clipped * clipped * (3 - 2 * clipped)


def solid(grid: Grid, outline: np.ndarray, depth: float, *, rounding_cm: float) -> Field:
    """Return the chord through a solid whose silhouette is `outline`.

    Args:
        grid: where.
        outline: (n, 2) cm; closed by itself.
        depth: cm along the beam well inside.
        rounding_cm: distance from the silhouette at which the full depth is reached; to there
            the surface is round, so that the border is sharp as an organ's is.
    """
    drawn = np.zeros((grid.size, grid.size), np.uint8)
    corners = np.round(grid.pixels(outline) * 16).astype(np.int32)
    cv2.fillPoly(drawn, [corners], 1, cv2.LINE_8, 4)
    inward = cv2.distanceTransform(drawn, cv2.DIST_L2, cv2.DIST_MASK_5)
    share = np.minimum(inward * np.float32(grid.pitch / rounding_cm), 1)
    chord = np.float32(depth) * np.sqrt(share * (2 - share))
    return cv2.GaussianBlur(chord, (0, 0), 0.8)


def cloud(grid: Grid, rng: np.random.Generator, *, scale_cm: float) -> Field:
    """Return smooth noise, mean 0 and spread about 1, with bumps of about `scale_cm`."""
    cells = max(4, math.ceil(grid.size * grid.pitch / scale_cm) + 3)
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    side = max(grid.size, math.ceil(cells * scale_cm / grid.pitch))
    fine = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return fine[: grid.size, : grid.size] * np.float32(1.3)


Knots = tuple[tuple[float, float], ...]


def look_up(at: Field, knots: Knots) -> Field:
    """Return the smooth curve through `knots` (position, value) at every pixel, clamped."""
    first, last, table = _table(knots)
    index = (at - np.float32(first)) * np.float32((len(table) - 1) / (last - first))
    return table[np.clip(index, 0, len(table) - 1).astype(np.int16)]


@lru_cache(64)
def _table(knots: Knots) -> tuple[float, float, Field]:
    where, values = np.array(knots, dtype=float).T
    fine = np.linspace(where[0], where[-1], 2048)
    return where[0], where[-1], _curve(where.copy(), values.copy(), fine).astype(np.float32)


@numba.njit(cache=True)
def _curve(where: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Cubic Hermite curve through the knots with finite-difference slopes."""
    last = len(where) - 1
    slopes = np.empty(last + 1)
    slopes[0] = (values[1] - values[0]) / (where[1] - where[0])
    slopes[last] = (values[last] - values[last - 1]) / (where[last] - where[last - 1])
    for i in range(1, last):
        before, after = where[i] - where[i - 1], where[i + 1] - where[i]
        rise, next_rise = (values[i] - values[i - 1]) / before, (values[i + 1] - values[i]) / after
        slopes[i] = (rise * after + next_rise * before) / (before + after)
    result = np.empty(len(at))
    i = 0
    for k in range(len(at)):  # `at` ascends
        while i < last - 1 and at[k] > where[i + 1]:
            i += 1
        width = where[i + 1] - where[i]
        t = (at[k] - where[i]) / width
        result[k] = (
            (2 * t**3 - 3 * t**2 + 1) * values[i]
            + (t**3 - 2 * t**2 + t) * width * slopes[i]
            + (3 * t**2 - 2 * t**3) * values[i + 1]
            + (t**3 - t**2) * width * slopes[i + 1]
        )
    return result


def spline(points: Sequence[tuple[float, float]], count: int = 24) -> np.ndarray:
    """Return (count, 2) points on a smooth line through `points` (cm)."""
    given = np.asarray(points, dtype=float)
    steps = np.hypot(*np.diff(given, axis=0).T)
    where = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-6))])
    at = np.linspace(0, where[-1], count)
    return np.column_stack([_curve(where, given[:, k].copy(), at) for k in (0, 1)])
