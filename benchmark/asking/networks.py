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
from torch import nn

from benchmark.checkpoints import CHECKPOINT
from benchmark.config import ExplanationConfig, TrainingConfig
from benchmark.explanation import finest_explainer, recall_usual
from benchmark.prediction import load_batch, load_network, predict, read_scores
from benchmark.runs import Run, read_json
from cxr.errors import InputError
from cxr.localization import RULES, Rule
from cxr.metrics import choose_threshold, youden_score
from cxr.observations import OBSERVATIONS
from cxr.policy import targets
from cxr.saliency import Explainer
from cxr.tensors import to_input

_DEFAULT_RULE: Rule = 0.5
_SCORING = {"batch_size": 16, "precision": "fp32"}


@dataclass(frozen=True)
class Asked:
    """One network that is asked.

    Attributes:
        name: in the registry.
        seed: that it was trained with.
        model: on the device.
        explainer: makes its maps.
        points: (14,) operating points; NaN where none could be chosen.
        calibration: (14, 2) slope and intercept from logit to calibrated logit, NaN where the
            validation images are too few.
        rules: how each observation's map becomes a place, as chosen on validation images.
        scales: what counts as full heat for each observation: the strongest evidence in the
            run's own called examples; NaN where it had none.
    """

    name: str
    seed: int
    model: nn.Module
    explainer: Explainer
    points: NDArray[np.float64]
    calibration: NDArray[np.float64]
    rules: tuple[Rule, ...]
    scales: NDArray[np.float64]

    def scores(self, seen: NDArray[np.uint8], device: torch.device) -> NDArray[np.float64]:
        """Return the (n, 14) scores of (n, size, size) images, from 0 to 1."""
        return expit(self.logits(seen, device))

    def logits(self, seen: NDArray[np.uint8], device: torch.device) -> NDArray[np.float64]:
        """Return the (n, 14) logits of (n, size, size) images."""
        rows = np.arange(len(seen))
        return predict(self.model, seen, rows, device=device, **_SCORING).astype(float)  # type: ignore[arg-type]

    def maps(self, seen: NDArray[np.uint8], device: torch.device) -> np.ndarray:
        """Return the (n, 14, h, w) maps of (n, size, size) images."""
        batch = to_input(load_batch(seen, np.arange(len(seen)), device))
        return self.explainer.maps(batch, range(len(OBSERVATIONS)))


def open_networks(
    run: Run,
    values: dict[str, Any],
    *,
    only: Sequence[str],
    point: float | None,
    device: torch.device,
) -> list[Asked]:
    """Return the run's networks, the first seed of each, ready to be asked.

    Args:
        run: a finished run with its checkpoints.
        values: its run.json.
        only: names of networks; empty for all.
        point: an operating point for all observations, or None to choose one for each on the
            validation images (Youden's index).
        device: where to compute.

    Raises:
        InputError: the run has no such network, or no checkpoint of it.
    """
    known: dict[str, int] = {}
    for entry in values["networks"]:
        known.setdefault(entry["name"], entry["seed"])
    for name in only:
        if name not in known:
            raise InputError(f"{run.path} has no network {name!r}; it has {', '.join(known)}.")
    cases = pd.read_parquet(run.cases_file)
    return [
        _open(run, values["config"], cases, name, seed, point, device)
        for name, seed in known.items()
        if not only or name in only
    ]


def _open(
    run: Run,
    config: dict[str, Any],
    cases: pd.DataFrame,
    name: str,
    seed: int,
    point: float | None,
    device: torch.device,
) -> Asked:
    folder = run.network(name, seed)
    if not (folder / CHECKPOINT).is_file():
        raise InputError(
            f"{folder} holds no {CHECKPOINT}, so the network can't be asked; name a run that "
            "kept its checkpoints."
        )
    model = load_network(name, folder, TrainingConfig(), device)
    # Anything but a constant will do to find out where the cells lie.
    noise = np.random.default_rng(0).integers(0, 255, (1, *[config["image"]["size"]] * 2))
    image = to_input(torch.from_numpy(noise.astype(np.uint8)).to(device))
    explained = config["explanation"]
    settings = ExplanationConfig(stride=explained["stride"], enlarge=explained["enlarge"])
    explainer = finest_explainer(model, image, settings)
    recall_usual(folder, explainer)
    stated, logits = _validation(cases, folder, config["labels"])
    support = int(config["evaluation"]["min_patients"])
    points = np.full(len(OBSERVATIONS), np.nan if point is None else point)
    calibration = np.full((len(OBSERVATIONS), 2), np.nan)
    for index in range(len(OBSERVATIONS)):
        known = ~np.isnan(stated[:, index])
        truth, given = stated[known, index] == 1, logits[known, index]
        if min(truth.sum(), (~truth).sum()) < support:
            continue
        calibration[index] = _platt(given, truth)
        if point is None:
            points[index] = expit(choose_threshold(truth, given, youden_score))
    return Asked(name, seed, model, explainer, points, calibration, _rules(folder), _scales(folder))


def _validation(
    cases: pd.DataFrame, folder: Path, policy: dict[str, Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what the reports of validation images say, NaN where it does not count, and logits."""
    scores = read_scores(folder / "scores.parquet").query("split == 'validate'")
    labels = cases.set_index("image_id").loc[scores["image_id"]]
    wanted, counted = targets(
        labels[[f"label:{name}" for name in OBSERVATIONS]].to_numpy(float),
        uncertain=policy["uncertain"],
        blank=policy["blank"],
    )
    return np.where(counted, wanted, np.nan), scores[list(OBSERVATIONS)].to_numpy(float)


def _platt(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return slope and intercept of Platt's scaling (Platt 1999, in Advances in Large Margin
    Classifiers, 61-74), with his softened targets: few cases never give certainty."""
    from sklearn.linear_model import LogisticRegression

    positive, negative = truth.sum(), (~truth).sum()
    soft = np.where(truth, (positive + 1) / (positive + 2), 1 / (negative + 2))
    both = np.repeat([True, False], len(logits))
    weights = np.concatenate([soft, 1 - soft])
    fitted = LogisticRegression(C=1e6).fit(np.tile(logits, 2)[:, None], both, weights)
    return np.array([fitted.coef_[0, 0], fitted.intercept_[0]])


def _rules(folder: Path) -> tuple[Rule, ...]:
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
