"""Where on a chest a map's evidence lies, in words: side, lung zone, size.

The side comes from the header's Patient Orientation (DICOM PS3.3 C.7.6.1.1.1), which tells where
rows and columns run to; without it from a frontal view, which is shown as if the patient faced
the reader; else it is undetermined and said to be so. The zone is a third of the height of the
lungs (upper, mid, lower), as readers divide a frontal film.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from cxr.heatmaps import is_blank

Side = Literal["right", "left", "central", "anterior", "posterior", ""]
Zone = Literal["upper", "mid", "lower", ""]

ZONES: tuple[Zone, ...] = ("upper", "mid", "lower")

CENTRAL = 0.07
"""What lies so near to the midline, in shares of the picture's width, is on neither side."""

_SPREAD = 0.25  # a zone is named that holds so much of a region's evidence
_OPPOSITE: dict[Side, Side] = {
    "right": "left",
    "left": "right",
    "anterior": "posterior",
    "posterior": "anterior",
}
_TOWARDS: dict[str, Side] = {"L": "left", "R": "right", "A": "anterior", "P": "posterior"}


@dataclass(frozen=True)
class Frame:
    """Where the lungs lie in a picture and how it is turned.

    Attributes:
        top, bottom: rows between which the lungs lie, in shares of the height.
        left, right: columns between which they lie, in shares of the width.
        midline: column between them, in shares of the width.
        towards_right: what the picture's right edge is of the patient; empty where unknown.
        upright: True where the head is up, False where it is down, None where unknown.
        basis: what the side was told from: "orientation", "view", or empty.
    """

    top: float = 0.10  # these four: where the lungs of a frontal film usually end
    bottom: float = 0.85
    left: float = 0.08
    right: float = 0.91
    midline: float = 0.5
    towards_right: Side = ""
    upright: bool | None = None
    basis: Literal["orientation", "view", ""] = ""


@dataclass(frozen=True)
class Region:
    """One connected place of evidence.

    Attributes:
        side: of the patient; empty where it is undetermined.
        zones: the lung zones that it lies in, from above; empty where undetermined.
        inside: whether its middle lies between the lungs' outer edges.
        area: share of the picture.
        evidence: share of the map's whole evidence.
        box: (left, top, right, bottom) in shares of the picture's width and height.
    """

    side: Side
    zones: tuple[Zone, ...]
    inside: bool
    area: float
    evidence: float
    box: tuple[float, float, float, float]


def orient(
    frame: Frame, orientation: Sequence[str] = (), view: Literal["PA", "AP", "LATERAL", ""] = ""
) -> Frame:
    """Return `frame` with the turn of the picture that a header tells.

    Args:
        frame: where the lungs lie.
        orientation: Patient Orientation, such as ("L", "F") or ("LH", "FR"): what rows and
            columns run to; anything else than two letters' worth counts as silent.
        view: where the orientation is silent, a frontal view has the patient's left on the
            right of the picture and the head up; a lateral one tells neither.

    Example:
        >>> orient(Frame(), ("R", "F")).towards_right
        'right'
    """
    across, down = (orientation[0][:1], orientation[1][:1]) if len(orientation) == 2 else ("", "")
    if across in _TOWARDS and down in ("F", "H"):
        return replace(
            frame, towards_right=_TOWARDS[across], upright=down == "F", basis="orientation"
        )
    if not orientation and view in ("PA", "AP"):
        return replace(frame, towards_right="left", upright=True, basis="view")
    return frame


def find_regions(
    map_: np.ndarray, marked: np.ndarray, frame: Frame, *, most: int = 2
) -> tuple[Region, ...]:
    """Return the places where a map is strong, those with most evidence first.

    Args:
        map_: (h, w) float, 0 or more, over the whole picture.
        marked: (h, w) bool, where it is strong; see `cxr.localization.binarize`.
        frame: where the lungs lie and how the picture is turned.
        most: regions at most; of those, what holds less than a tenth of the marked evidence is
            left out.

    Returns:
        Regions; none for a blank map.

    Raises:
        ValueError: shapes differ.
    """
    if map_.shape != marked.shape:
        raise ValueError(f"the map is {map_.shape} and what is marked {marked.shape}.")
    if is_blank(map_) or not marked.any():
        return ()
    count, parts = cv2.connectedComponents(marked.astype(np.uint8), connectivity=8)
    mass = np.bincount(parts.ravel(), weights=map_.ravel().astype(float), minlength=count)[1:]
    order = np.argsort(-mass, kind="stable")[:most]
    return tuple(
        _region(map_, parts == part + 1, frame) for part in order if mass[part] >= 0.1 * mass.sum()
    )


def describe_region(region: Region) -> str:
    """Return a region in words, such as "left mid and lower zones, 12 % of the picture".

    Example:
        >>> describe_region(Region("left", ("lower",), True, 0.12, 0.8, (0.6, 0.6, 0.9, 0.8)))
        'left lower zone, 12 % of the picture'
    """
    zones = " and ".join(region.zones) or "no"
    noun = "zone" if len(region.zones) == 1 else "zones"
    parts = [f"{region.side} {zones} {noun}".strip()] if region.zones else []
    if not region.zones:
        parts.append(f"{region.side}, zone undetermined" if region.side else "zone undetermined")
    if not region.side:
        parts.append("side undetermined")
    if not region.inside:
        parts.append("outside the lungs")
    share = round(100 * region.area)
    parts.append(f"{share} % of the picture" if share else "less than 1 % of the picture")
    return ", ".join(parts)


def _region(map_: np.ndarray, part: np.ndarray, frame: Frame) -> Region:
    rows, columns = part.shape
    evidence = np.where(part, map_, 0).astype(float)
    total = evidence.sum()
    down = (np.arange(rows) + 0.5) / rows
    across = (np.arange(columns) + 0.5) / columns
    row, column = evidence.sum(1) @ down / total, evidence.sum(0) @ across / total
    ys, xs = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    return Region(
        side=_side(column, frame),
        zones=_zones(evidence.sum(1) / total, down, frame),
        inside=bool(frame.left <= column <= frame.right and frame.top <= row <= frame.bottom),
        area=float(part.mean()),
        evidence=float(total / map_.sum(dtype=float)),
        box=(
            float(xs[0] / columns),
            float(ys[0] / rows),
            float((xs[-1] + 1) / columns),
            float((ys[-1] + 1) / rows),
        ),
    )


def _side(column: float, frame: Frame) -> Side:
    lateral = frame.towards_right in ("anterior", "posterior")
    if not lateral and abs(column - frame.midline) < CENTRAL:
        return "central"
    if not frame.towards_right:
        return ""
    return frame.towards_right if column > frame.midline else _OPPOSITE[frame.towards_right]


def _zones(evidence: np.ndarray, down: np.ndarray, frame: Frame) -> tuple[Zone, ...]:
    """Return the zones that hold enough of `evidence`, given per row."""
    if frame.upright is None:
        return ()
    top, bottom = frame.top, frame.bottom
    third = np.clip((down - top) / (bottom - top) * 3, 0, 2.999).astype(int)
    if not frame.upright:
        third = 2 - third
    share = np.bincount(third, weights=evidence, minlength=3)
    return tuple(zone for zone, part in zip(ZONES, share, strict=True) if part >= _SPREAD)
