"""The second form: heatmaps of the cases that readers have read blind.

Maps are made anew from the run's checkpoints, as its explanations were, for what each network
called among the cases of a blind form. Which network made a map is not in the form.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from matplotlib import colormaps
from PIL import Image

from benchmark.config import Config
from benchmark.explanation.examples import REFERENCE
from benchmark.inference.prediction import load_batch, load_network, read_scores
from benchmark.reviewing.folder import ReviewSet
from benchmark.reviewing.pictures import Picture
from benchmark.runs import Run
from benchmark.training.checkpoints import CHECKPOINT
from benchmark.training.devices import resolve_device
from cxr.dicom import quantize, read_radiograph
from cxr.errors import InputError
from cxr.heatmaps import is_blank
from cxr.observations import OBSERVATIONS
from cxr.saliency import Explainer
from cxr.tensors import to_input

OVERLAY = 256
"""Pixels a side of an overlay, at most: a map is coarse, and the browser enlarges it."""

STRENGTH = 0.65  # of the heat at its highest: the radiograph still shows through


@dataclass(frozen=True)
class Eyes:
    """What a network is shown: the asked images and the validation images maps are set against."""

    pixels: np.ndarray  # (n, size, size) uint8
    rows: dict[str, int]
    usual: np.ndarray  # (m, size, size) uint8


def called_maps(
    run: Run, blind: ReviewSet, config: Config, *, each: int, seed: int
) -> list[dict[str, Any]]:
    """Return what each network called among the cases of a blind form, in the order to be judged.

    Args:
        run: with scores of every network.
        blind: the form that was answered.
        config: of the run.
        each: of one network and observation at most so many, drawn at random; the weights of
            those that are drawn grow by as much.
        seed: decides the draw and the order.

    Raises:
        InputError: nothing was called.
    """
    rng = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for entry in run.read()["networks"]:
        scores = read_scores(run.path / entry["folder"] / "scores.parquet")
        for name in blind.observations:
            chance = _probabilities(scores, name)
            called = [
                (case, score)
                for case in blind.cases
                if (score := chance[case["image_id"]]) >= config.evaluation.threshold
            ]
            kept = rng.permutation(len(called))[:each]
            found += [
                {
                    "image_id": case["image_id"],
                    "patient_id": case["patient_id"],
                    "weight": case["weight"] * len(called) / len(kept),
                    "network": entry["folder"],
                    "observation": name,
                    "score": score,
                }
                for case, score in (called[place] for place in kept)
            ]
    if not found:
        raise InputError(
            f"no network called any of {', '.join(blind.observations)} in these cases, so there "
            "is no map to judge; ask of more cases."
        )
    return [found[place] for place in rng.permutation(len(found))]


def _probabilities(scores: pd.DataFrame, observation: str) -> dict[str, float]:
    chance = 1 / (1 + np.exp(-scores[observation].to_numpy(float)))
    return dict(zip(scores["image_id"], chance.tolist(), strict=True))


def read_eyes(run: Run, files: Mapping[str, Path], image_ids: list[str], config: Config) -> Eyes:
    """Read images as the networks see them."""
    cases = pd.read_parquet(run.cases_file)
    usual = list(cases.loc[cases["split"] == "validate", "image_id"])[:REFERENCE]

    def read(names: list[str]) -> np.ndarray:
        size, fit = config.image.size, config.image.fit
        images = [quantize(read_radiograph(files[name], size=size, fit=fit)) for name in names]
        return np.stack(images) if images else np.zeros((0, size, size), np.uint8)

    rows = {name: row for row, name in enumerate(image_ids)}
    contrast = config.explanation.contrast
    return Eyes(read(image_ids), rows, read(usual if contrast else []))


def draw_overlays(
    run: Run,
    maps: list[dict[str, Any]],
    eyes: Eyes,
    pictures: Mapping[str, Picture],
    config: Config,
) -> list[bytes]:
    """Return one transparent PNG a map, over the reader's picture.

    Raises:
        InputError: the run holds no checkpoint.
    """
    heats: dict[int, np.ndarray] = {}
    for entry in run.read()["networks"]:
        places = [i for i, each in enumerate(maps) if each["network"] == entry["folder"]]
        if places:
            heats |= _heats(run, entry, {i: maps[i] for i in places}, eyes, config)
    return [
        _overlay(heats[i], pictures[each["image_id"]], config.image.fit)
        for i, each in enumerate(maps)
    ]


def _heats(
    run: Run, entry: Mapping[str, Any], maps: Mapping[int, Any], eyes: Eyes, config: Config
) -> dict[int, np.ndarray]:
    """Return the maps of one network, from 0 to 1: the strongest of an observation is 1."""
    folder = run.path / entry["folder"]
    if not (folder / CHECKPOINT).is_file():
        raise InputError(
            f"{folder} holds no {CHECKPOINT}, from which the maps would be made; use the run "
            "folder that was trained, not a shared copy of it."
        )
    device = resolve_device("cpu" if config.training.device == "auto" else config.training.device)
    model = load_network(entry["name"], folder, config.training, device)

    def load(pixels: np.ndarray) -> Any:
        return to_input(load_batch(pixels, np.arange(len(pixels)), device))

    explainer = _explainer(model, load(eyes.pixels[:1]), config)
    if len(eyes.usual):
        batches = (load(part) for part in np.array_split(eyes.usual, 3) if len(part))
        explainer.contrast_with(batches, len(OBSERVATIONS))
    raw = {}
    for place, each in maps.items():
        image = load(eyes.pixels[[eyes.rows[each["image_id"]]]])
        cells = explainer.maps(image, [OBSERVATIONS.index(each["observation"])])[0, 0]
        side = eyes.pixels.shape[1]
        raw[place] = np.zeros((side, side)) if is_blank(cells) else explainer.resize(cells, side)
    peaks: dict[str, float] = {}
    for place, each in maps.items():
        name = each["observation"]
        peaks[name] = max(peaks.get(name, 0.0), float(raw[place].max()))
    return {place: raw[place] / (peaks[maps[place]["observation"]] or 1.0) for place in maps}


def _explainer(model: Any, image: Any, config: Config) -> Explainer:
    settings = config.explanation
    try:
        explainer = Explainer(model, image, stride=settings.stride, enlarge=settings.enlarge)
        explainer.maps(image, [0])
    except (ValueError, RuntimeError):  # a network whose strides can't be taken out
        return Explainer(model, image, enlarge=settings.enlarge)
    return explainer


def _overlay(heat: np.ndarray, picture: Picture, fit: str) -> bytes:
    """Return the heat as PNG with transparency, placed as the radiograph is in its square."""
    scale = min(1.0, OVERLAY / picture.pixels.shape[0])
    side = round(scale * picture.pixels.shape[0])
    rows, columns = (round(scale * each) for each in picture.shape)
    if fit == "letterbox":
        rows = columns = side
    grown = cv2.resize(heat.astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)
    strength = np.zeros((side, side), np.float32)
    top, left = (side - rows) // 2, (side - columns) // 2
    strength[top : top + rows, left : left + columns] = np.clip(grown, 0, 1)
    colour = colormaps["inferno"](0.35 + 0.65 * strength)
    colour[..., 3] = STRENGTH * strength
    stream = io.BytesIO()
    Image.fromarray(np.rint(colour * 255).astype(np.uint8), "RGBA").save(stream, "PNG")
    return stream.getvalue()
