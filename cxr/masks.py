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

    Decoded here, because COCO's own decoder writes past its array where runs are damaged.

    Raises:
        InputError: the runs do not add up to the size.
    """
    try:
        height, width = (int(side) for side in runs["size"])
        lengths = _run_lengths(runs["counts"])
        if min(height, width) < 1 or sum(lengths) != height * width:
            raise ValueError(f"{sum(lengths)} pixels for {height} x {width}")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"a mask can't be decoded ({error}); expected COCO's compressed run-length encoding "
            'with "size" [height, width] and "counts".'
        ) from error
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(width, height).T


def _run_lengths(counts: str) -> list[int]:
    """Return the lengths of runs of 0, 1, 0, ... down the columns.

    Five bits a character, the sixth says that more follow, the highest of the last is the sign
    (pycocotools, maskApi.c, rleFrString).
    """
    lengths: list[int] = []
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
        # from the fourth run on, what is stored is the difference to the run before the last
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value, shift = 0, 0
    if shift or any(length < 0 for length in lengths):
        raise ValueError("broken runs")
    return lengths


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
