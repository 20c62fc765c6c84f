"""What the networks answer about new images: the document explain.json and its pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import expit

from benchmark.asking.networks import Asked
from benchmark.asking.pictures import Picture, on_picture
from benchmark.card.words import slug
from benchmark.events import Events
from benchmark.explanation.examples import describe_maps
from benchmark.explanation.overlays import blend, schematic_chest, stamp
from benchmark.runs import replacing, write_json
from cxr.findings import NOTICE, call_observations, findings_text
from cxr.heatmaps import is_blank
from cxr.localization import binarize
from cxr.observations import NO_FINDING, OBSERVATIONS
from cxr.regions import Region, describe_region, find_regions

_CALLS = {1.0: "present", 0.0: "absent", -1.0: "possible"}
_FIELD = 256  # pixels a side of the network's square on which places are looked for


@dataclass(frozen=True)
class Case:
    """One image, what speaks against a verdict on it, and what may be shown of it.

    Attributes:
        picture: the image.
        title: what to call it in outputs.
        warnings: what speaks against a verdict, each in a few words.
        schematic: the image may not be shown; heat stands on a drawn chest.
    """

    picture: Picture
    title: str
    warnings: tuple[str, ...] = ()
    schematic: bool = False


@dataclass(frozen=True)
class Answer:
    """What one network says of one image: its part of the document, and the pictures.

    Attributes:
        document: plain values.
        overlays: observation -> (rows, columns, 3) uint8, for what is present or possible.
    """

    document: dict[str, Any]
    overlays: dict[str, NDArray[np.uint8]] = field(default_factory=dict)


def answer(asked: Asked, case: Case, *, doubt: float) -> Answer:
    """Return what a network says of an image.

    Args:
        asked: the network.
        case: the image.
        doubt: as `cxr.findings.call_observations` takes it.
    """
    seen = case.picture.seen[None]
    logits = asked.logits(seen)[0]
    scores = expit(logits)
    calibrated = asked.calibrated(logits)
    values = call_observations(scores, asked.points, doubt=doubt)
    cells = asked.maps(seen)[0]
    shown = on_picture(asked.explainer.resize(cells, _FIELD), case.picture.content)
    regions: dict[str, tuple[Region, ...]] = {}
    observations, overlays = {}, {}
    for index, name in enumerate(OBSERVATIONS):
        call = _CALLS.get(values[index], "absent" if name == NO_FINDING else "not judged")
        entry: dict[str, Any] = {
            "score": _number(scores[index]),
            "calibrated": _number(calibrated[index]),
            "operating_point": _number(asked.points[index]),
            "call": call,
        }
        if name != NO_FINDING:
            map_ = shown[index]
            marked = binarize(map_, asked.rules[index])
            regions[name] = find_regions(map_, marked, case.picture.frame)
            entry |= {
                "blank": bool(is_blank(map_)),
                "regions": [_region(region) for region in regions[name]],
            }
            if call in ("present", "possible"):
                overlays[name] = _overlay(asked, case, name, cells[index])
        observations[name] = entry
    clear = values[OBSERVATIONS.index(NO_FINDING)] == 1
    own = scores[0] >= asked.points[0] if np.isfinite(asked.points[0]) else clear
    document = {
        "network": asked.trained.name,
        "seed": asked.trained.seed,
        "maps": describe_maps(asked.explainer),
        "observations": observations,
        "no_finding_contradicts": bool(own != clear),
        "text": findings_text(values, regions=regions, scores=scores, points=asked.points),
    }
    return Answer(document, overlays)


def write_answers(
    folder: Path,
    about: dict[str, Any],
    cases: Sequence[Case],
    networks: Sequence[Asked],
    *,
    doubt: float,
    events: Events,
) -> dict[str, Any]:
    """Ask every network about every image, write pictures and explain.json, return the latter.

    Args:
        folder: written to; pictures get a folder for each image.
        about: what the document says of the run.
        cases: the images.
        networks: who is asked.
        doubt: as in `answer`.
        events: told of the progress.
    """
    events.stage("Explaining", len(cases), "images")
    images = []
    for number, case in enumerate(cases, 1):
        answers = [answer(asked, case, doubt=doubt) for asked in networks]
        entry = _describe(case)
        if not case.schematic:
            entry["picture"] = _save(folder, f"image-{number:02d}/image.png", case.picture.pixels)
        for part in answers:
            for name, picture in part.overlays.items():
                file = f"image-{number:02d}/{slug(part.document['network'])}-{slug(name)}.png"
                part.document["observations"][name]["overlay"] = _save(folder, file, picture)
        images.append(entry | {"networks": [part.document for part in answers]})
        events.advance()
    document = {"schema": 1, "notice": NOTICE, "doubt": doubt, **about, "images": images}
    write_json(folder / "explain.json", document)
    return document


def _save(folder: Path, file: str, picture: NDArray[np.uint8]) -> str:
    with replacing(folder / file) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
    return file


def _describe(case: Case) -> dict[str, Any]:
    picture = case.picture
    return {
        "image": case.title,
        "rows": picture.pixels.shape[0],
        "columns": picture.pixels.shape[1],
        "view": picture.view,
        "side_from": picture.frame.basis,
        "synthetic": picture.synthetic,
        "schematic": case.schematic,
        "warnings": list(case.warnings),
    }


def _region(region: Region) -> dict[str, Any]:
    return {
        "side": region.side,
        "zones": list(region.zones),
        "inside": region.inside,
        "area": round(region.area, 4),
        "evidence": round(region.evidence, 4),
        "box": [round(edge, 4) for edge in region.box],
        "words": describe_region(region),
    }


def _overlay(asked: Asked, case: Case, name: str, cells: np.ndarray) -> NDArray[np.uint8]:
    """Return the heat over the image at its own resolution, with a band that says what it is."""
    if case.schematic:
        ground, content = schematic_chest(), (1.0, 1.0)
    else:
        ground, content = case.picture.pixels, case.picture.content
    rows, columns = ground.shape
    square = round(rows / content[0]), round(columns / content[1])
    map_ = on_picture(asked.explainer.resize(cells, square), content)[:rows, :columns]
    scale = asked.scales[OBSERVATIONS.index(name)]
    full = scale if np.isfinite(scale) and scale > 0 else map_.max()
    heat = np.zeros_like(map_) if is_blank(map_) else map_ / full
    warned = f"NO VERDICT: {'; '.join(case.warnings)}. " if case.warnings else ""
    return stamp(blend(ground, heat), f"{warned}{asked.trained.name} for {name}. {NOTICE}")


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
