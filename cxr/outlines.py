"""Experts' outlines and boxes, in the layouts that data sets are published in, as masks.

Read are: CheXlocalize's segmentations, polygons and hit points (JSON; Saporta et al. 2022, Nat
Mach Intell 4:867-878), NIH's BBox_List_2017.csv (Wang et al. 2017, CVPR), VinDr-CXR's boxes
(Nguyen et al. 2022, Sci Data 9:429), RSNA's pneumonia boxes (Shih et al. 2019, Radiol Artif
Intell 1:e180041), COCO's JSON, any CSV of boxes with like columns, and a folder of PNG masks,
IMAGE/OBSERVATION.png. All outlines of one observation on one image are united, those of several
readers too. A box is the mask of its inside. A hit point is a disc of the pointing game's
tolerance (15 pixels of 224; Zhang et al. 2018, IJCV 126:1084-1102).
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from pycocotools import mask as coco

from cxr.errors import InputError
from cxr.masks import Runs, decode_mask, encode_mask
from cxr.observations import NO_FINDING, OBSERVATIONS
from cxr.sources.schemes import read_scheme
from cxr.sources.tables import read_table

Size = tuple[int, int]
"""Rows and columns."""

Sizes = Callable[[str], Size | None]
"""The size of the image that outlines call by a name; None where it is not asked about."""

NIH_SIDE = RSNA_SIDE = 1024
"""Boxes of both sets are in pixels of a picture of so many a side."""

_TOLERANCE = 15 / 224
_SAME_SHAPE = 0.01  # sides may differ by rounding where an image was reduced
_OTHER_NAMES = {"airspace opacity": "Lung Opacity", "infiltrate": "Lung Opacity"}
_RSNA_CLASSES = {"1": "Lung Opacity", "0": ""}
_BOX_COLUMNS = (  # image, class, left, top, then width and height, or right and bottom
    (("Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"), "size", NIH_SIDE),
    (("patientId", "Target", "x", "y", "width", "height"), "size", RSNA_SIDE),
    (("image_id", "class_name", "x_min", "y_min", "x_max", "y_max"), "corner", None),
    (("image", "finding", "x", "y", "w", "h"), "size", None),
)


class _Outline(NamedTuple):
    image: str
    observation: str
    runs: Runs
    where: str


def read_outlines(path: Path, sizes: Sizes) -> dict[str, dict[str, Runs]]:
    """Return image -> observation -> mask, as `cxr.masks.read_masks` does, from any layout.

    Args:
        path: a JSON or CSV file, or a folder of PNG masks.
        sizes: tells the size of an image by the name that the outlines call it; images that it
            does not know are skipped.

    Returns:
        Masks of the size that the outlines were drawn on; classes that are none of the 14 are
        left out.

    Raises:
        InputError: an unknown layout; a box outside its image; a mask of another shape than its
            image; no outline of any image that was asked about.
    """
    path = Path(path)
    if path.is_dir():
        found = _folder(path, sizes)
    elif path.suffix.lower() == ".json":
        found = _json(path, sizes)
    else:
        found = _boxes(path, sizes)
    united: dict[str, dict[str, Runs]] = {}
    for outline in found:
        size = sizes(outline.image)
        assert size is not None
        _check_shape(outline, size)
        masks = united.setdefault(outline.image, {})
        before = masks.get(outline.observation)
        if before and before["size"] != outline.runs["size"]:
            raise InputError(
                f"{outline.where}: another outline of {outline.observation} on {outline.image} is "
                "drawn on another size; outlines of one image must be of one size."
            )
        masks[outline.observation] = _union(before, outline.runs) if before else outline.runs
    if not united:
        raise InputError(
            f"{path}: it outlines none of the 14 observations on any of the images; check that "
            "it belongs to this data set."
        )
    return united


@cache
def observation_of(name: str) -> str:
    """Return the observation that a data set's class is; empty where it is none of the 14.

    Example:
        >>> observation_of("Nodule/Mass"), observation_of("Hernia")
        ('Lung Lesion', '')
    """
    wanted = " ".join(name.replace("_", " ").replace("-", " ").split()).lower()
    known = {observation.lower(): observation for observation in OBSERVATIONS} | _OTHER_NAMES
    for scheme in ("nih", "vindr"):
        for label, targets in read_scheme(scheme).classes.items():
            for observation in (*targets.get("is", ()), *targets.get("implies", ())):
                known.setdefault(label.replace("_", " ").lower(), observation)
    found = known.get(wanted, "")
    return "" if found == NO_FINDING else found


def _boxes(path: Path, sizes: Sizes) -> Iterator[_Outline]:
    table = read_table(path)
    layout = next((one for one in _BOX_COLUMNS if set(one[0]) <= set(table)), None)
    if layout is None:
        raise InputError(
            f"{path}: it is no list of boxes that is known (NIH, VinDr-CXR, RSNA, or the columns "
            f"image, finding, x, y, w, h); it has {', '.join(table.columns)}."
        )
    (image_column, class_column, *edges), kind, side = layout
    numbers = table[edges].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    for row, (image, label) in enumerate(
        zip(table[image_column], table[class_column], strict=True)
    ):
        name = observation_of(_RSNA_CLASSES.get(label, label))
        size = sizes(image) if name and (table[edges].iloc[row] != "").any() else None
        if size is None:
            continue
        where = f"{path}, row {row + 1}"
        left, top, third, fourth = numbers[row]
        right, bottom = (left + third, top + fourth) if kind == "size" else (third, fourth)
        drawn_on = (side, side) if side else size
        yield _Outline(image, name, _box(left, top, right, bottom, drawn_on, where, image), where)


def _box(
    left: float, top: float, right: float, bottom: float, size: Size, where: str, image: str
) -> Runs:
    edges = (left, top, right, bottom)
    rows, columns = size
    if not all(map(math.isfinite, edges)) or right <= left or bottom <= top:
        raise InputError(f"{where}: the box {edges} of {image} has no inside; correct the row.")
    if left < -1 or top < -1 or right > columns + 1 or bottom > rows + 1:
        raise InputError(
            f"{where}: the box from ({left:g}, {top:g}) to ({right:g}, {bottom:g}) lies outside "
            f"{image}, which is {columns} pixels wide and {rows} high; boxes are in pixels of the "
            "image that they were drawn on."
        )
    first, start = (
        min(max(0, math.floor(top)), rows - 1),
        min(max(0, math.floor(left)), columns - 1),
    )
    last = min(max(first + 1, round(bottom)), rows)
    stop = min(max(start + 1, round(right)), columns)
    # The runs of a rectangle, down the columns: a mask of a large film is megabytes.
    tall, wide = last - first, stop - start
    between = [tall, rows - tall] * wide
    end = rows * columns - (start * rows + first) - sum(between[:-1])
    return _compressed([start * rows + first, *between[:-1], end], size)


def _compressed(counts: list[int], size: Size) -> Runs:
    runs = coco.frPyObjects({"size": list(size), "counts": counts}, *size)
    return {"size": list(size), "counts": runs["counts"].decode()}


def _union(first: Runs, second: Runs) -> Runs:
    both = [{"size": one["size"], "counts": one["counts"].encode()} for one in (first, second)]
    merged = coco.merge(both)
    return {"size": list(merged["size"]), "counts": merged["counts"].decode()}


def _json(path: Path, sizes: Sizes) -> Iterator[_Outline]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the outlines can't be read ({error}).") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected an object, as CheXlocalize's and COCO's files are.")
    return (
        _coco(path, document, sizes)
        if "annotations" in document
        else _chexlocalize(path, document, sizes)
    )


def _chexlocalize(path: Path, document: Mapping[str, Any], sizes: Sizes) -> Iterator[_Outline]:
    for image, outlines in document.items():
        if not isinstance(outlines, dict):
            raise InputError(f"{path}: '{image}' is no object of observations.")
        if sizes(image) is None:
            continue
        for label, drawn in outlines.items():
            name, where = observation_of(label), f"{path}, '{image}', '{label}'"
            if label == "img_size" or not name:
                continue
            try:
                if isinstance(drawn, dict):
                    mask = decode_mask(drawn)  # for its checks: COCO's own code trusts the runs
                else:
                    mask = _drawn(drawn, tuple(int(side) for side in outlines["img_size"]))
            except (KeyError, TypeError, ValueError, cv2.error) as error:
                raise InputError(f"{where}: it is no outline ({error}).") from error
            yield _Outline(image, name, encode_mask(mask), where)


def _drawn(shapes: Any, size: tuple[int, ...]) -> np.ndarray:
    """Return the mask of polygons [[[x, y], ...], ...] or of hit points [[x, y], ...]."""
    rows, columns = size
    canvas = np.zeros((rows, columns), dtype=np.uint8)
    points = [shape for shape in shapes if shape and not isinstance(shape[0], list)]
    for x, y in points:
        centre = round(float(x)), round(float(y))
        cv2.circle(canvas, centre, round(_TOLERANCE * min(size)), 1, thickness=-1)
    for shape in shapes:
        if shape and isinstance(shape[0], list):
            cv2.fillPoly(canvas, [np.round(np.array(shape, float)).astype(np.int32)], 1)
    return canvas.astype(bool)


def _coco(path: Path, document: Mapping[str, Any], sizes: Sizes) -> Iterator[_Outline]:
    try:
        labels = {entry["id"]: str(entry["name"]) for entry in document["categories"]}
        images = {entry["id"]: entry for entry in document["images"]}
        for place, entry in enumerate(document["annotations"]):
            image, label = images[entry["image_id"]], labels[entry["category_id"]]
            file, name = str(image["file_name"]), observation_of(label)
            if not name or sizes(file) is None:
                continue
            where = f"{path}, annotation {place + 1}"
            size = int(image["height"]), int(image["width"])
            yield _Outline(file, name, _annotated(entry, size, where, file), where)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: it is no COCO file; {error!r} is missing or wrong.") from error


def _annotated(entry: Mapping[str, Any], size: Size, where: str, image: str) -> Runs:
    drawn = entry.get("segmentation")
    if isinstance(drawn, dict):
        if isinstance(drawn["counts"], list):
            drawn = _compressed(drawn["counts"], size)
        return encode_mask(decode_mask(drawn))
    if drawn:
        polygons = [np.array(part, float).reshape(-1, 2).tolist() for part in drawn]
        return encode_mask(_drawn(polygons, size))
    left, top, width, height = (float(edge) for edge in entry["bbox"])
    return _box(left, top, left + width, top + height, size, where, image)


def _folder(path: Path, sizes: Sizes) -> Iterator[_Outline]:
    for file in sorted(path.glob("*/*.png")):
        image, name = file.parent.name, observation_of(file.stem)
        if not name or sizes(image) is None:
            continue
        try:
            with Image.open(file) as opened:
                mask = np.asarray(opened.convert("L")) > 0
        except OSError as error:
            raise InputError(f"{file}: the mask can't be read ({error}).") from error
        yield _Outline(image, name, encode_mask(mask), str(file))


def _check_shape(outline: _Outline, size: Size) -> None:
    rows, columns = outline.runs["size"]
    if abs(rows * size[1] / (columns * size[0]) - 1) > _SAME_SHAPE:
        raise InputError(
            f"{outline.where}: the outline is drawn on {rows} x {columns} pixels, and "
            f"{outline.image} has {size[0]} x {size[1]}; they must be of one shape."
        )
