"""The explanation stage: examples chosen by a stated rule, and where all maps point.

For one network it writes `localization.json`, `elsewhere.json`, `trust.json`, the pictures and the
mean map that maps are contrasted with, and last the pictures' `explanations/index.json`.
Examples are chosen by score alone, never by how a map looks. Where the cohort is restricted no
radiograph, outline or file name leaves: the map stands on a drawn chest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save
from scipy.special import expit
from torch import Tensor, nn

from benchmark.config import EvaluationConfig, ExplanationConfig
from benchmark.events import Events
from benchmark.explanation.elsewhere import elsewhere_document
from benchmark.explanation.overlays import PICTURE, grey_png, overlay_png
from benchmark.explanation.pointing import (
    Maps,
    Masks,
    Pairs,
    Resize,
    gain_document,
    localization_document,
    measure_pairs,
)
from benchmark.explanation.strata import strata_document
from benchmark.explanation.trust import trust_checks
from benchmark.inference.prediction import load_batch
from benchmark.runs import replacing, write_json
from cxr.faithfulness import impute
from cxr.heatmaps import is_blank
from cxr.layers import evaluating
from cxr.localization import place_mask
from cxr.observations import OBSERVATIONS, POSITIVE, UNCERTAIN
from cxr.saliency import METHODS, Explainer
from cxr.tensors import to_input

REFERENCE = 32
"""Validation images whose mean map the maps are contrasted with, at most."""

PLAIN_TEST, PLAIN_VALIDATE = 120, 60
"""Images on which the maps are compared with plain Grad-CAM, at most."""

USUAL = "explanations/usual.safetensors"
"""In a network's folder: the mean map, so that new images can be explained alike."""

Outcome = Literal["TP", "FP", "FN"]

RULES: dict[Outcome, str] = {
    "TP": "the highest score among images whose report states it",
    "FP": "the highest score among images whose report does not mention it or denies it",
    "FN": "the lowest score among images whose report states it",
}


@dataclass(frozen=True)
class Example:
    """One image chosen to be shown for one observation."""

    row: int
    observation: str
    outcome: Outcome
    rank: int  # 1 is the most confident


def explain_run(
    *,
    network: str,
    seed: int,
    model: nn.Module,
    pixels: np.ndarray,
    cases: pd.DataFrame,
    logits: np.ndarray,
    masks: Masks | None,
    train_masks: Masks | None,
    settings: ExplanationConfig,
    evaluation: EvaluationConfig,
    folder: Path,
    restricted: bool,
    device: torch.device,
    events: Events,
    fit: Literal["squash", "letterbox"] = "squash",
    marks: Masks | None = None,
    siblings: Sequence[Callable[[], nn.Module]] = (),
) -> None:
    """Write one network's explanations under `folder`.

    Args:
        network: its name in the registry.
        seed: that it was trained with.
        model: the trained network, on `device`.
        pixels: (N, H, W) uint8, row by row as `cases`.
        cases: test images, and validation images where masks are known (thresholds are chosen
            on those); columns image_id, patient_id, split, "label:<observation>" and, where
            known, "truth:<observation>".
        logits: (N, 14) float.
        masks: the true lesions on these images as they were read; None where unknown.
        train_masks: the lesions on training images, for the mean-lesion baseline.
        settings: how fine the maps are, and how many examples.
        evaluation: threshold, replicates, support.
        folder: the network's folder in the run.
        restricted: no radiograph and no outline may be shown.
        device: where the network is.
        events: told of the progress.
        fit: how images became squares.
        marks: image_id -> "mark" -> where a mark is known to lie that is no finding.
        siblings: give the same network trained from other seeds.
    """
    cases = cases.reset_index(drop=True)
    placed, train_placed = (_placed(given or {}, fit) for given in (masks, train_masks))
    scores = expit(logits)
    eyes = _Eyes(model, pixels, cases, settings, device)
    explainer = eyes.prepare(model)
    keep_usual(folder, explainer)
    about = {"schema": 1, "network": network, "seed": seed} | eyes.describe(explainer)
    events.stage(f"Explaining {network}", int(cases["image_id"].isin(placed).sum()), "images")
    pairs = measure_pairs(
        cases, placed, train_placed, eyes.maps(explainer), explainer.resize, progress=events.advance
    )
    called = scores >= evaluation.threshold
    document = {
        "observations": localization_document(cases, called, pairs, evaluation),
        "strata": strata_document(cases, pairs, evaluation),
        "gain": _gain(eyes, placed, pairs, evaluation),
    }
    write_json(folder / "localization.json", about | document)
    elsewhere = elsewhere_document(
        cases,
        called,
        _placed(marks or {}, fit),
        eyes.maps(explainer),
        explainer.resize,
        evaluation,
        spacing=explainer.spacing / pixels.shape[1],
        falls_of=eyes.falls,
        field=(pixels.shape[1], pixels.shape[2]),
    )
    write_json(folder / "elsewhere.json", about | {"observations": elsewhere})
    checks = trust_checks(model, eyes.prepare, cases, scores, eyes.load, evaluation, siblings)
    write_json(folder / "trust.json", about | {"checks": checks})
    examples = choose_examples(
        cases, scores, threshold=evaluation.threshold, count=settings.examples
    )
    gallery = _Gallery(folder, cases, pixels, scores, {} if restricted else placed, restricted)
    entries = gallery.write(examples, eyes.maps(explainer), explainer.resize)
    write_json(folder / "explanations" / "index.json", entries)


class _Eyes:
    """One network's images, and how it is made ready to be explained on them."""

    def __init__(
        self,
        model: nn.Module,
        pixels: np.ndarray,
        cases: pd.DataFrame,
        settings: ExplanationConfig,
        device: torch.device,
    ) -> None:
        self.model, self.pixels, self.cases, self.device = model, pixels, cases, device
        self.settings = settings
        self.reference = np.flatnonzero((cases["split"] == "validate").to_numpy())[:REFERENCE]

    def load(self, rows: np.ndarray) -> Tensor:
        """Return the images at positions `rows` as network input."""
        return to_input(load_batch(self.pixels, rows, self.device))

    def falls(self, rows: np.ndarray, lost: np.ndarray) -> np.ndarray:
        """Return (n, 14) falls of the logits when `lost` (n, H, W) is filled in from around."""
        images = self.load(rows)
        with evaluating(self.model), torch.no_grad():
            filled = impute(images, lost, rng=np.random.default_rng(0))
            fall = self.model(images) - self.model(filled)
        result: np.ndarray = fall.double().cpu().numpy()
        return result

    def prepare(self, model: nn.Module) -> Explainer:
        """Return `model` ready to be explained as the settings say."""
        explainer = finest_explainer(model, self.load(np.array([0])), self.settings)
        if self.settings.contrast and explainer.method == "gradcam" and len(self.reference):
            batches = (self.load(rows) for rows in np.array_split(self.reference, 3) if len(rows))
            explainer.contrast_with(batches, len(OBSERVATIONS))
        return explainer

    def plain(self) -> Explainer:
        """Return the network with Grad-CAM at its own cells."""
        return Explainer(self.model, self.load(np.array([0])))

    def maps(self, explainer: Explainer) -> Maps:
        """Return a function from positions to all 14 maps of the images there."""
        return lambda rows: explainer.maps(self.load(rows), range(len(OBSERVATIONS)))

    def describe(self, explainer: Explainer) -> dict[str, Any]:
        """Return how the maps were made, for every document about them."""
        return {
            "method": self.settings.method,
            "target": explainer.target.describe(),
            "spacing": round(explainer.spacing, 2),
            "enlarge": self.settings.enlarge,
            "contrast": explainer.reference,
            "words": describe_maps(explainer),
        }


def finest_explainer(model: nn.Module, image: Tensor, settings: ExplanationConfig) -> Explainer:
    """Return `model` ready to be explained as finely as the settings ask and it allows.

    Args:
        model: a network.
        image: (1, 3, H, W) float, one of the images, on the network's device.
        settings: method, stride and enlargement.
    """
    method, enlarge = settings.method, settings.enlarge
    try:
        explainer = Explainer(model, image, method=method, stride=settings.stride, enlarge=enlarge)
        explainer.maps(image, [0])
    except (ValueError, RuntimeError):  # a network whose strides can't be taken out
        return Explainer(model, image, method=method, enlarge=enlarge)
    return explainer


def describe_maps(explainer: Explainer) -> str:
    """Return in words how an explainer makes its maps."""
    contrast = f", less the mean map of {explainer.reference} validation images"
    return (
        f"{METHODS[explainer.method]} at {explainer.target.describe()}, a cell every "
        f"{explainer.spacing:.3g} pixels of the image as the network saw it"
        f"{contrast if explainer.reference else ''}"
    )


def keep_usual(folder: Path, explainer: Explainer) -> None:
    """Keep the mean map that maps are contrasted with, so that new images are read alike."""
    if explainer.usual is not None:
        tensors = {
            "usual": torch.from_numpy(explainer.usual).contiguous(),
            "images": torch.tensor(explainer.reference),
        }
        with replacing(folder / USUAL) as temporary:
            temporary.write_bytes(save(tensors))


def recall_usual(folder: Path, explainer: Explainer) -> None:
    """Contrast maps with the mean map that `keep_usual` kept, where there is one that fits."""
    if (folder / USUAL).is_file():
        tensors = load_file(folder / USUAL)
        explainer.contrast_against(tensors["usual"].numpy(), int(tensors["images"]))


def _gain(eyes: _Eyes, masks: Masks, pairs: Pairs, evaluation: EvaluationConfig) -> dict[str, Any]:
    """Compare the maps with plain Grad-CAM on a sample of the images that have masks."""
    rng = np.random.default_rng(evaluation.seed)
    splits = eyes.cases["split"].to_numpy()[np.unique(pairs.row)]
    sampled: list[int] = []
    for split, count in (("test", PLAIN_TEST), ("validate", PLAIN_VALIDATE)):
        rows = np.unique(pairs.row)[splits == split]
        sampled += rng.permutation(rows)[:count].tolist()
    chosen = set(eyes.cases["image_id"].iloc[sampled])
    some = {image_id: found for image_id, found in masks.items() if image_id in chosen}
    plain = eyes.plain()
    measured = measure_pairs(eyes.cases, some, {}, eyes.maps(plain), plain.resize)
    return gain_document(eyes.cases, pairs, measured, evaluation)


def choose_examples(
    cases: pd.DataFrame, scores: np.ndarray, *, threshold: float, count: int
) -> list[Example]:
    """Return the most confident true positives, false positives and false negatives.

    Args:
        cases: columns split and "label:<observation>"; only test images are chosen. A hedged
            label is neither right nor wrong, so such an image is no example.
        scores: (cases, 14) float in [0, 1].
        threshold: an observation is called where its score reaches it.
        count: how many of each kind for each observation, where there are as many.

    Returns:
        By observation, then TP, FP, FN, then confidence.
    """
    tests = (cases["split"] == "test").to_numpy()
    found = []
    for index, name in enumerate(OBSERVATIONS):
        label = cases[f"label:{name}"].to_numpy(float)
        stated = tests & (label == POSITIVE)
        absent = tests & (label != POSITIVE) & (label != UNCERTAIN)
        called, confidence = scores[:, index] >= threshold, scores[:, index]
        kinds: dict[Outcome, tuple[np.ndarray, np.ndarray]] = {
            "TP": (stated & called, -confidence),
            "FP": (absent & called, -confidence),
            "FN": (stated & ~called, confidence),
        }
        for outcome, (belongs, order) in kinds.items():
            rows = np.flatnonzero(belongs)
            ranked = rows[np.argsort(order[rows], kind="stable")][:count]
            found += [Example(int(row), name, outcome, i + 1) for i, row in enumerate(ranked)]
    return found


class _Gallery:
    """Writes pictures and their entries in the index."""

    def __init__(
        self,
        folder: Path,
        cases: pd.DataFrame,
        pixels: np.ndarray,
        scores: np.ndarray,
        masks: Masks,
        restricted: bool,
    ) -> None:
        self.folder, self.cases, self.pixels = folder, cases, pixels
        self.scores, self.masks, self.restricted = scores, masks, restricted
        (folder / "explanations").mkdir(parents=True, exist_ok=True)

    def write(
        self, examples: Sequence[Example], maps_of: Maps, resize: Resize
    ) -> list[dict[str, Any]]:
        """Write all pictures; heat is full where evidence is as strong as in a called example.

        The scale is that of the observation's own called examples; where none was called, that
        of the strongest of all, so that next to nothing does not look like much.
        """
        rows = sorted({example.row for example in examples})
        cells = dict(zip(rows, maps_of(np.array(rows)), strict=True)) if rows else {}
        maps = {
            e: resize(cells[e.row][OBSERVATIONS.index(e.observation)], (PICTURE, PICTURE))
            for e in examples
        }
        peaks = {e: 0.0 if is_blank(map_) else float(map_.max()) for e, map_ in maps.items()}
        called = {e: peak for e, peak in peaks.items() if e.outcome != "FN" and peak > 0}
        strongest = max(called.values(), default=max(peaks.values(), default=0.0)) or 1.0
        return [
            self._entry(
                example,
                map_,
                max(
                    (peak for e, peak in called.items() if e.observation == example.observation),
                    default=strongest,
                ),
            )
            for example, map_ in maps.items()
        ]

    def _entry(self, example: Example, map_: np.ndarray, scale: float) -> dict[str, Any]:
        case = self.cases.iloc[example.row]
        name, blank = example.observation, bool(is_blank(map_))
        mask = self.masks.get(case["image_id"], {}).get(name)
        grey = None if self.restricted else np.asarray(self.pixels[example.row])
        heat = np.zeros_like(map_) if blank else map_ / scale
        slug = f"{name.lower().replace(' ', '-')}-{example.outcome.lower()}-{example.rank}"
        overlay = self._save(f"{slug}.png", overlay_png(grey, heat, mask))
        truth = case.get(f"truth:{name}")
        label = float(case[f"label:{name}"])
        return {
            "image_id": case["image_id"],
            "observation": name,
            "outcome": example.outcome,
            "score": float(self.scores[example.row, OBSERVATIONS.index(name)]),
            "label": None if np.isnan(label) else label,
            "truth": None if truth is None else bool(truth),
            "rule": _rule_words(example),
            "image": None
            if grey is None
            else self._save(f"case-{example.row}.png", grey_png(grey)),
            "overlay": overlay,
            "outlined": mask is not None and bool(mask.any()),
            "blank": blank,
            "peak": 0.0 if blank else float(map_.max()),
            "scale": scale,
        }

    def _save(self, name: str, content: bytes) -> str:
        (self.folder / "explanations" / name).write_bytes(content)
        return f"explanations/{name}"


def _rule_words(example: Example) -> str:
    if example.rank == 1:
        return RULES[example.outcome]
    return f"number {example.rank} by {RULES[example.outcome].removeprefix('the ')}"


def _placed(masks: Masks, fit: Literal["squash", "letterbox"]) -> Masks:
    return {
        image_id: {name: place_mask(mask, fit=fit) for name, mask in found.items()}
        for image_id, found in masks.items()
    }
