"""Lesion masks in the CheXlocalize layout: COCO's compressed run-length encoding in JSON.

    {image_id: {observation: {"size": [height, width], "counts": "..."}}}

Saporta et al. 2022, Nat Mach Intell 4:867-878. Their "Airspace Opacity" is CheXpert's "Lung
Opacity"; it is read under the latter name.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from pycocotools import mask as coco

from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

_ALIASES = {"Airspace Opacity": "Lung Opacity"}


class Runs(TypedDict):
    """A mask in COCO's compressed run-length encoding."""

    size: list[int]  # height, width
    counts: str


def encode_mask(mask: np.ndarray) -> Runs:
    """Return the runs of a (height, width) bool mask."""
    runs = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in runs["size"]], "counts": runs["counts"].decode()}


def decode_mask(runs: Mapping[str, Any]) -> np.ndarray:
    """Return the (height, width) bool mask of `runs`.

    Raises:
        InputError: the runs do not add up to the size.
    """
    try:
        size = [int(side) for side in runs["size"]]
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"size {size}")
        total = _length(runs["counts"])
        if total != size[0] * size[1]:
            raise ValueError(f"{total} pixels for {size[0]} x {size[1]}")
        counts = runs["counts"].encode("ascii")
        return coco.decode({"size": size, "counts": counts}).astype(bool)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"a mask can't be decoded ({error}); expected COCO's compressed run-length encoding "
            'with "size" [height, width] and "counts".'
        ) from error


def _length(counts: str) -> int:
    """Return how many pixels the runs cover; the decoder itself trusts them blindly."""
    runs: list[int] = []
    value, shift = 0, 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"character {character!r}")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value |= -1 << shift
        # from the third run on, COCO stores the difference to the run before the last
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value, shift = 0, 0
    if shift or any(run < 0 for run in runs):
        raise ValueError("broken runs")
    return sum(runs)


def read_masks(path: Path) -> dict[str, dict[str, Runs]]:
    """Return image_id -> observation -> runs; observations of other names are left out.

    Raises:
        InputError: no such file, or not in the CheXlocalize layout.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the masks can't be read ({error}).") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected an object of image ids, as CheXlocalize's files are.")
    masks: dict[str, dict[str, Runs]] = {}
    for image_id, outlines in document.items():
        if not isinstance(outlines, dict):
            raise InputError(f"{path}: '{image_id}' is no object of observations.")
        masks[image_id] = {}
        for name, runs in outlines.items():
            known = _ALIASES.get(name, name)
            if known not in OBSERVATIONS:
                continue
            if not isinstance(runs, dict) or not {"size", "counts"} <= set(runs):
                raise InputError(f"{path}: '{image_id}', '{name}' has no size and counts.")
            masks[image_id][known] = {"size": runs["size"], "counts": runs["counts"]}
    return masks


def write_masks(path: Path, masks: Mapping[str, Mapping[str, Runs]]) -> None:
    """Write image_id -> observation -> runs, one image a line, in the order given."""
    lines = [f"{json.dumps(image_id)}: {json.dumps(runs)}" for image_id, runs in masks.items()]
    Path(path).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
