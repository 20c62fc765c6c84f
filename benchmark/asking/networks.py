"""The networks of a finished run made ready for new images, with what the run knows of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit

from benchmark.config import ExplanationConfig
from benchmark.evaluation.operating import ValidationScores, choose
from benchmark.evaluation.points import Rule
from benchmark.explanation.examples import finest_explainer, recall_usual
from benchmark.inference.new_images import Trained, open_trained
from benchmark.inference.prediction import load_batch, predict, read_scores
from benchmark.runs import Run, read_json
from cxr.localization import RULES
from cxr.localization import Rule as MapRule
from cxr.observations import OBSERVATIONS
from cxr.saliency import Explainer
from cxr.statistics import Scaling, fit_platt
from cxr.tensors import to_input

_DEFAULT_RULE: MapRule = 0.5
_AT_ONCE = 16


@dataclass(frozen=True)
class Asked:
    """One network that is asked.

    Attributes:
        trained: the network.
        explainer: makes its maps.
        points: (14,) operating points; NaN where none could be chosen.
        scalings: how each observation's logits are calibrated, by Platt's scaling of the
            validation cases; None where those are too few.
        rules: how each observation's map becomes a place, as chosen on validation images.
        scales: what counts as full heat for each observation: the strongest evidence in the
            run's own called examples; NaN where it had none.
    """

    trained: Trained
    explainer: Explainer
    points: NDArray[np.float64]
    scalings: tuple[Scaling | None, ...]
    rules: tuple[MapRule, ...]
    scales: NDArray[np.float64]

    def logits(self, seen: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the (n, 14) logits of (n, size, size) images."""
        one = self.trained
        rows = np.arange(len(seen))
        logits = predict(one.model, seen, rows, batch_size=_AT_ONCE, device=one.device)
        return logits.astype(float)

    def calibrated(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (14,) calibrated probabilities of one image's logits; NaN where there are none."""
        return np.array(
            [
                np.nan if scaling is None else expit(scaling.apply(logit))
                for scaling, logit in zip(self.scalings, logits, strict=True)
            ]
        )

    def maps(self, seen: NDArray[np.uint8]) -> np.ndarray:
        """Return the (n, 14, h, w) maps of (n, size, size) images."""
        batch = to_input(load_batch(seen, np.arange(len(seen)), self.trained.device))
        return self.explainer.maps(batch, range(len(OBSERVATIONS)))


def open_networks(run: Run, *, only: Sequence[str], point: float | Rule) -> list[Asked]:
    """Return the run's networks, the first seed of each, ready to be asked.

    Args:
        run: a finished run with its checkpoints.
        only: names of networks; empty for all.
        point: an operating point for all observations, or how to choose one for each on the
            validation images.

    Raises:
        InputError: the run has no such network, or no checkpoint of it.
    """
    cases = pd.read_parquet(run.cases_file)
    first: dict[str, Trained] = {}
    for trained in open_trained(run, names=only):
        first.setdefault(trained.name, trained)
    return [_ready(trained, cases, point) for trained in first.values()]


def _ready(trained: Trained, cases: pd.DataFrame, point: float | Rule) -> Asked:
    config, folder = trained.values["config"], trained.folder
    # Anything but a constant will do to find out where the cells lie.
    noise = np.random.default_rng(0).integers(0, 255, (1, *[config["image"]["size"]] * 2))
    image = to_input(torch.from_numpy(noise.astype(np.uint8)).to(trained.device))
    explained = config["explanation"]
    made = {key: explained[key] for key in ("method", "stride", "enlarge")}
    settings = ExplanationConfig(**made)
    explainer = finest_explainer(trained.model, image, settings)
    recall_usual(folder, explainer)
    validation = ValidationScores.of(cases, read_scores(folder / "scores.parquet"))
    least = int(config["evaluation"]["min_patients"])
    return Asked(
        trained,
        explainer,
        _points(validation, point, least),
        tuple(_scaling(validation, place, least) for place in range(len(OBSERVATIONS))),
        _rules(folder),
        _scales(folder),
    )


def _points(validation: ValidationScores, point: float | Rule, least: int) -> NDArray[np.float64]:
    if isinstance(point, float):
        return np.full(len(OBSERVATIONS), point)
    return expit([threshold.logit for threshold in choose(validation, point, least=least)])


def _scaling(validation: ValidationScores, place: int, least: int) -> Scaling | None:
    """Return how an observation's logits are calibrated; None with too few validation cases."""
    column = validation.column(place, least)
    return None if isinstance(column, str) else fit_platt(*column)


def _rules(folder: Path) -> tuple[MapRule, ...]:
    chosen = _observations(folder / "localization.json")
    rules = [chosen.get(name, {}).get("threshold", _DEFAULT_RULE) for name in OBSERVATIONS]
    return tuple(rule if rule in RULES else _DEFAULT_RULE for rule in rules)


def _observations(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(path)["observations"] if path.is_file() else {}
    return found


def _scales(folder: Path) -> NDArray[np.float64]:
    path = folder / "explanations" / "index.json"
    entries: Any = read_json(path) if path.is_file() else []
    scales = dict.fromkeys(OBSERVATIONS, np.nan)
    scales.update({entry["observation"]: entry["scale"] for entry in entries})
    return np.array([scales[name] for name in OBSERVATIONS])
