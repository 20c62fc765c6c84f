"""Scores of image files that a run never saw, as a table with a row for each file and network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from torch import nn

from benchmark.config import TrainingConfig
from benchmark.events import Events
from benchmark.inference.prediction import load_network, predict
from benchmark.runs import Run
from benchmark.training.checkpoints import CHECKPOINT
from benchmark.training.devices import resolve_device
from cxr.dicom import quantize, read_header, read_radiograph
from cxr.errors import InputError, RadiographError
from cxr.observations import OBSERVATIONS

AT_ONCE = 64
"""Files whose pixels are held in memory together."""

SYNTHETIC_NOTE = "not for real images: trained on synthetic radiographs alone"
NOTE = "not for clinical use"


@dataclass(frozen=True)
class Trained:
    """A network of a finished run, ready to score.

    Attributes:
        name, seed: what it is.
        folder: where its checkpoint lies.
        model: on `device`, in evaluation mode.
        settings: how it was trained.
        values: the run's run.json.
    """

    name: str
    seed: int
    folder: Path
    model: nn.Module
    device: torch.device
    settings: TrainingConfig
    values: dict[str, Any]

    @property
    def note(self) -> str:
        """What to say beside each of its scores."""
        return SYNTHETIC_NOTE if self.values["cohort"]["synthetic"] else NOTE

    @property
    def threshold(self) -> float:
        """The operating point that the run's results were measured at."""
        return float(self.values["config"]["evaluation"]["threshold"])


def open_trained(
    run: Run, *, names: Sequence[str] = (), seed: int | None = None, device: str = "auto"
) -> list[Trained]:
    """Return networks of a finished run.

    Args:
        run: the run.
        names: which networks; all where none is named.
        seed: which seed; None for all.
        device: where they compute.

    Raises:
        InputError: the run has none such, or did not keep its checkpoint.
    """
    values = run.read()
    known = [(entry["name"], entry["seed"]) for entry in values["networks"]]
    for name in names:
        if name not in dict(known):
            has = ", ".join(dict(known))
            raise InputError(f"{run.path} has no network '{name}'; it has {has}.")
    chosen = [
        (name, trained)
        for name, trained in known
        if (not names or name in names) and seed in (None, trained)
    ]
    if not chosen:
        seeds = ", ".join(sorted({str(trained) for _, trained in known}))
        raise InputError(f"{run.path} has no network of seed {seed}; its seeds are {seeds}.")
    settings, where = _settings(values), resolve_device(device)
    return [_open(run, values, name, trained, settings, where) for name, trained in chosen]


def _open(
    run: Run,
    values: dict[str, Any],
    name: str,
    seed: int,
    settings: TrainingConfig,
    device: torch.device,
) -> Trained:
    folder = run.network(name, seed)
    if not (folder / CHECKPOINT).is_file():
        raise InputError(
            f"{folder} holds no {CHECKPOINT}; name a run that has kept its checkpoints."
        )
    model = load_network(name, folder, settings, device)
    return Trained(name, seed, folder, model, device, settings, values)


def _settings(values: dict[str, Any]) -> TrainingConfig:
    """Return the training settings in run.json, which another version may have written."""
    told, known = values["config"]["training"], {item.name for item in fields(TrainingConfig)}
    return TrainingConfig(**{key: value for key, value in told.items() if key in known})


def score_files(files: Sequence[Path], networks: Sequence[Trained], events: Events) -> pd.DataFrame:
    """Return the networks' scores of image files.

    Args:
        files: DICOM, PNG or JPEG.
        networks: of one run.
        events: told of the progress.

    Returns:
        A row for each file and network, in their order: file, error (why it could not be read,
        else empty), network, seed, a probability for each of the 14 observations (NaN where not
        read), operating_point, called (the observations at or above it), cohort, note.
    """
    events.stage("Scoring", len(files), "images")
    parts = [
        _score(files[start : start + AT_ONCE], networks, events.advance)
        for start in range(0, len(files), AT_ONCE)
    ]
    return pd.concat(parts, ignore_index=True)


def _score(
    files: Sequence[Path], networks: Sequence[Trained], progress: Callable[[int], None]
) -> pd.DataFrame:
    image = networks[0].values["config"]["image"]
    pixels = np.zeros((len(files), image["size"], image["size"]), np.uint8)
    errors, views = [""] * len(files), [""] * len(files)
    for row, path in enumerate(files):
        try:
            pixels[row] = quantize(read_radiograph(path, size=image["size"], fit=image["fit"]))
            views[row] = _view(path)
        except RadiographError as error:
            errors[row] = str(error)
        progress(1)
    read = np.array([not error for error in errors])
    tables = [
        _table(network, files, errors, views, _probabilities(network, pixels, read))
        for network in networks
    ]
    return pd.concat(tables).sort_index(kind="stable")


def _probabilities(network: Trained, pixels: np.ndarray, read: np.ndarray) -> np.ndarray:
    scores = np.full((len(pixels), len(OBSERVATIONS)), np.nan)
    scores[read] = expit(
        predict(
            network.model,
            pixels,
            np.flatnonzero(read),
            batch_size=network.settings.batch_size,
            device=network.device,
            precision=network.settings.precision,
        )
    )
    return scores


def _table(
    network: Trained,
    files: Sequence[Path],
    errors: Sequence[str],
    views: Sequence[str],
    scores: np.ndarray,
) -> pd.DataFrame:
    called = [
        "; ".join(name for name, high in zip(OBSERVATIONS, row, strict=True) if high)
        for row in scores >= network.threshold
    ]
    table = pd.DataFrame({"file": list(map(str, files)), "error": errors})
    table["network"], table["seed"] = network.name, network.seed
    table[list(OBSERVATIONS)] = scores
    table["operating_point"], table["called"] = network.threshold, called
    table["cohort"] = network.values["cohort"]["name"]
    table["note"] = [network.note + _other_view(view, network) for view in views]
    return table


def _view(path: Path) -> str:
    """Return the view that a DICOM header tells; empty where there is none."""
    try:
        return read_header(path).view
    except RadiographError:
        return ""


def _other_view(view: str, network: Trained) -> str:
    trained = network.values["config"]["data"]["views"]
    if not view or view in trained:
        return ""
    return f"; trained on {' and '.join(trained)} views, and this is {view}"
