"""The trust panel of one network's maps: the document trust.json.

Each check asks one question, measures it on a sample of test images, and passes, fails or stays
undecided by its interval against a limit that is stated. On each image the map is that of the
observation with the highest score among those called; No Finding has no place and is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.config import EvaluationConfig
from cxr.estimates import Estimate
from cxr.faithfulness import (
    deletion_drops,
    distinctness,
    map_correlation,
    randomized_copy,
    retained_scores,
    road_scores,
)
from cxr.heatmaps import centre_map, is_blank
from cxr.localization import mean_estimate
from cxr.observations import NO_FINDING, OBSERVATIONS
from cxr.saliency import Explainer
from cxr.statistics import resample_patients

SAMPLE = 24
"""Test images that are checked, at most: enough for an interval, few enough for seconds."""

NOISE = 0.05
"""Standard deviation of the stability check's noise, in units of the network's input; a grey
level of 255 is about 0.02."""

Verdict = Literal["passes", "fails", "undecided", "not estimable"]


@dataclass(frozen=True)
class Check:
    """A question to the maps, and what answer is good.

    Attributes:
        name: a key for programs.
        question: for people.
        limit: what the value is held against.
        wanted: whether the value should lie "below" or "above" the limit.
    """

    name: str
    question: str
    limit: float
    wanted: Literal["below", "above"]


CHECKS: tuple[Check, ...] = (
    Check(
        "randomized_head",
        "How alike are the maps to those of a random classifier on the trained features?",
        0.5,
        "below",
    ),
    Check(
        "randomized_network", "How alike are the maps to those of a random network?", 0.5, "below"
    ),
    Check("observations", "How alike are the maps of different observations?", 0.5, "below"),
    Check("noise", "How alike is the map when a little noise is added?", 0.8, "above"),
    Check(
        "deletion_random",
        "How much more does the score fall (logits) when what the map marks is blurred, than "
        "when random places are?",
        0.0,
        "above",
    ),
    Check(
        "deletion_centre",
        "How much more does the score fall (logits) when what the map marks is blurred, than "
        "when the middle is?",
        0.0,
        "above",
    ),
    Check(
        "road",
        "How much more does the score fall (logits) when what the map marks most is lost and "
        "filled in from around it, than what it marks least?",
        0.0,
        "above",
    ),
    Check(
        "sufficiency",
        "How much higher is the score (logits) when all is blurred but what the map marks, than "
        "all but random places?",
        0.0,
        "above",
    ),
    Check(
        "blank", "What share of the maps is blank, though the observation is called?", 0.25, "below"
    ),
)

SEEDS = Check(
    "seeds",
    "How alike is the map to those of the same network trained from other seeds?",
    0.5,
    "above",
)
"""Asked where there are several."""


def trust_checks(
    model: nn.Module,
    prepare: Callable[[nn.Module], Explainer],
    cases: pd.DataFrame,
    scores: np.ndarray,
    load: Callable[[np.ndarray], Tensor],
    settings: EvaluationConfig,
    siblings: Sequence[Callable[[], nn.Module]] = (),
) -> list[dict[str, Any]]:
    """Return the "checks" of trust.json.

    Args:
        model: the trained network.
        prepare: makes any network of its shape ready to be explained in the same way.
        cases: columns patient_id and split.
        scores: (cases, 14) float in [0, 1].
        load: positions in `cases` -> (n, 3, H, W) images on the network's device.
        settings: threshold, replicates, seed and support.
        siblings: give the same network trained from other seeds, one at a time.
    """
    asked = (*CHECKS, SEEDS) if siblings else CHECKS
    rng = np.random.default_rng(settings.seed)
    rows, indices = sample_calls(cases, scores, threshold=settings.threshold, rng=rng)
    if not len(rows):
        missing = Estimate.missing("no test image on which an observation is called")
        return [_answer(check, missing) for check in asked]
    images = load(rows)
    values = _measure(model, prepare, images, indices, rng, settings.seed)
    if siblings:
        values["seeds"] = _between_seeds(model, siblings, prepare, images, indices)
    patients = cases["patient_id"].to_numpy(str)[rows]
    draws = resample_patients(patients, replicates=settings.replicates, rng=rng)
    return [
        _answer(
            check,
            mean_estimate(
                values[check.name],
                draws,
                min_patients=settings.min_patients,
                shares=check.name == "blank",
            ),
        )
        for check in asked
    ]


def sample_calls(
    cases: pd.DataFrame, scores: np.ndarray, *, threshold: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of at most `SAMPLE` test images and the observation called on each."""
    ranked = scores.copy()
    ranked[:, OBSERVATIONS.index(NO_FINDING)] = 0.0
    called = (ranked.max(1) >= threshold) & (cases["split"] == "test").to_numpy()
    rows = np.flatnonzero(called)
    if len(rows) > SAMPLE:
        rows = np.sort(rng.choice(rows, SAMPLE, replace=False))
    return rows, ranked[rows].argmax(1)


def _measure(
    model: nn.Module,
    prepare: Callable[[nn.Module], Explainer],
    images: Tensor,
    indices: np.ndarray,
    rng: np.random.Generator,
    seed: int,
) -> dict[str, np.ndarray]:
    """Return each check's value per image; `indices` (n,) is the observation of each."""
    every = np.arange(len(images))
    explainer = prepare(model)
    maps = explainer.maps(images, range(len(OBSERVATIONS)))
    own = maps[every, indices]

    def alike(other: Explainer, shown: Tensor) -> np.ndarray:
        return map_correlation(own, other.maps(shown, range(len(OBSERVATIONS)))[every, indices])

    def random_network(only: list[str] | None) -> Explainer:
        return prepare(randomized_copy(model, images[:16], seed=seed, only=only))

    noise = NOISE * rng.standard_normal((len(images), 1, *images.shape[2:]))
    noisy = images + torch.from_numpy(noise).to(images)
    head = [explainer.target.head] if explainer.target.head else None
    size = (images.shape[2], images.shape[3])

    def falls(ranking: np.ndarray) -> NDArray[np.float64]:
        return deletion_drops(model, images, indices.tolist(), ranking)

    def kept(ranking: np.ndarray) -> NDArray[np.float64]:
        return retained_scores(model, images, indices.tolist(), ranking)

    pixels = explainer.resize(own, size)
    fall = falls(pixels)
    random = _random_maps(images, rng)
    centre = np.repeat(centre_map(size)[None], len(images), axis=0)
    return {
        "randomized_head": alike(random_network(head), images),
        "randomized_network": alike(random_network(None), images),
        "observations": distinctness(maps),
        "noise": alike(explainer, noisy),
        "deletion_random": fall - falls(random),
        "deletion_centre": fall - falls(centre),
        "road": road_scores(model, images, indices.tolist(), pixels, rng=rng),
        "sufficiency": kept(pixels) - kept(random),
        "blank": is_blank(own).astype(float),
    }


def _between_seeds(
    model: nn.Module,
    siblings: Sequence[Callable[[], nn.Module]],
    prepare: Callable[[nn.Module], Explainer],
    images: Tensor,
    indices: np.ndarray,
) -> NDArray[np.float64]:
    """Return (n,) mean correlation of each map with the siblings'; NaN where all are blank."""
    every = np.arange(len(images))

    def maps(network: nn.Module) -> np.ndarray:
        return prepare(network).maps(images, range(len(OBSERVATIONS)))[every, indices]

    own = maps(model)
    alike = np.stack([map_correlation(own, maps(sibling())) for sibling in siblings])
    known = np.isfinite(alike)
    total = np.where(known, alike, 0).sum(0)
    return np.divide(total, known.sum(0), out=np.full(len(own), np.nan), where=known.any(0))


def _random_maps(images: Tensor, rng: np.random.Generator) -> np.ndarray:
    """Return smooth random maps, (n, H, W): blurring scattered single pixels would do nothing."""
    coarse = rng.random((len(images), 1, 6, 6))
    grown = nn.functional.interpolate(
        torch.from_numpy(coarse), images.shape[2:], mode="bilinear", align_corners=False
    )
    smooth: np.ndarray = grown[:, 0].numpy()
    return smooth


def _answer(check: Check, value: Estimate) -> dict[str, Any]:
    return {
        "name": check.name,
        "question": check.question,
        "value": value.as_json(),
        "limit": check.limit,
        "wanted": check.wanted,
        "verdict": verdict(check, value),
    }


def verdict(check: Check, value: Estimate) -> Verdict:
    """Return whether the whole interval lies on the wanted side of the limit, or on the other."""
    if not value.known or not np.isfinite([value.low, value.high]).all():
        return "not estimable"
    below, above = value.high < check.limit, value.low > check.limit
    if not below and not above:
        return "undecided"
    return "passes" if below == (check.wanted == "below") else "fails"
