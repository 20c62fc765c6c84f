"""What a comparison needs of a run: test cases, their labels, every network's scores, and how
they came about.

Two things are kept apart. The *protocol* (cases, truth labels, metric definitions, and the
population that the cases are of) must agree for any comparison. The *recipe* (network, weights,
loss, label policy, preprocessing, labeler) may differ and is listed where it does.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.evaluation.documents import LABEL_COLUMNS, PROTOCOL_VERSION, check_logits
from benchmark.runs import Run, read_json, read_run
from cxr.errors import InputError
from cxr.keys import keyed_id
from cxr.observations import OBSERVATIONS

Network = tuple[str, int]
"""A network's name and its training seed."""

_RECIPE_SECTIONS = ("limit", "split", "labels", "image", "training")
_SIZE_NOTES = ("studies", "seed", "format", "version")
"""Notes on a cohort that say how many cases there are, and not of what kind."""


@dataclass(frozen=True)
class Scored:
    """One run's test cases in the order of their keyed ids, and what is known of them.

    Attributes:
        run_id: the run's.
        image, patient: (cases,) keyed ids.
        labels: (cases, 14) float: 1, 0, -1 or NaN.
        logits: network and seed -> (cases, 14) float.
        protocol: "version" of the metric definitions and the operating "threshold".
        population: what the cases are of; must agree where the cases differ.
        notes: how the images of a cohort were made; must agree always.
        recipe: how the networks came about; may differ.
        weights: network and seed -> hashes of its weights.
        restricted: whether the ids were keyed by their owner already.
    """

    run_id: str
    image: NDArray[np.str_]
    patient: NDArray[np.str_]
    labels: NDArray[np.float64]
    logits: dict[Network, NDArray[np.floating[Any]]]
    protocol: dict[str, Any]
    population: dict[str, str]
    notes: dict[str, str]
    recipe: dict[str, str]
    weights: dict[Network, dict[str, str]]
    restricted: bool

    def select(self, rows: NDArray[Any]) -> "Scored":
        """Return the cases `rows` (a mask or indices) alone."""
        fields = {name: getattr(self, name)[rows] for name in ("image", "patient", "labels")}
        logits = {network: values[rows] for network, values in self.logits.items()}
        return Scored(**{**vars(self), **fields, "logits": logits})

    def cases(self) -> pd.DataFrame:
        """Return the cases as `benchmark.evaluation.documents` reads them."""
        frame = pd.DataFrame({"image_id": self.image, "patient_id": self.patient})
        return frame.join(pd.DataFrame(self.labels, columns=LABEL_COLUMNS))


def key_of(run_id: str) -> bytes:
    """Return the key of the ids of a baseline: no secret, but other ids in each file.

    A restricted source's ids were keyed by their owner before they came into the run.
    """
    return hashlib.sha256(f"cxr-bench baseline {run_id}".encode()).digest()


def read_scored(path: Path, *, key: bytes | None = None) -> Scored:
    """Return what the finished run in `path` scored on its test cases.

    Args:
        path: the run folder.
        key: what keys the ids; the run's own where None.

    Raises:
        InputError: no finished run there; no test cases; a table of scores that is missing, lacks
            test cases, or holds a score that is not finite.
    """
    run = read_run(path)
    values = run.read()
    cases = _test_cases(run)
    networks = {(str(entry["name"]), int(entry["seed"])): entry for entry in values["networks"]}
    key = key or key_of(str(values["run_id"]))
    image, patient = (
        np.array([keyed_id(one, key) for one in cases[name].astype(str)], dtype=str)
        for name in ("image_id", "patient_id")
    )
    scored = Scored(
        run_id=str(values["run_id"]),
        image=image,
        patient=patient,
        labels=cases[LABEL_COLUMNS].to_numpy(float),
        logits={network: _logits(run, entry, cases) for network, entry in networks.items()},
        protocol=_protocol(values),
        population=_population(values),
        notes={
            name: str(value)
            for name, value in values.get("cohort", {}).get("notes", {}).items()
            if name not in _SIZE_NOTES
        },
        recipe=recipe_of(values),
        weights={network: _weights(run, entry) for network, entry in networks.items()},
        restricted=bool(values.get("cohort", {}).get("restricted", False)),
    )
    return scored.select(np.argsort(image))


def _test_cases(run: Run) -> pd.DataFrame:
    cases = pd.read_parquet(run.cases_file)
    cases = cases[cases["split"] == "test"].reset_index(drop=True)
    if cases.empty:
        raise InputError(f"{run.cases_file} has no test case; there is nothing to compare.")
    return cases


def _logits(run: Run, entry: Mapping[str, Any], cases: pd.DataFrame) -> NDArray[Any]:
    path = run.path / entry["folder"] / "scores.parquet"
    try:
        table = pd.read_parquet(path).set_index("image_id")[list(OBSERVATIONS)]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} can't be read as a table of scores: {error}.") from error
    missing = ~cases["image_id"].isin(table.index)
    if missing.any():
        raise InputError(
            f"{path} lacks {int(missing.sum())} of {len(cases)} test cases; was it cut off?"
        )
    logits = table.loc[cases["image_id"]].to_numpy()
    check_logits(cases, logits, f"{entry['name']} in {path}")
    return logits


def _protocol(values: Mapping[str, Any]) -> dict[str, Any]:
    protocol = values.get("protocol", {})
    return {
        "name": protocol.get("name", ""),
        "version": protocol.get("version", PROTOCOL_VERSION),
        "threshold": protocol.get("threshold", 0.5),
    }


def _population(values: Mapping[str, Any]) -> dict[str, str]:
    """What the cases are of: where they come from, and which views count."""
    data = values.get("config", {}).get("data", {})
    return {
        "source": str(data.get("source", "")),
        "cohort": str(values.get("cohort", {}).get("name", "")),
        "views": ", ".join(view or "unknown" for view in data.get("views", ())),
    }


def recipe_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return how a run's networks came about, as its run.json tells: what -> text."""
    config, made = values.get("config", {}), values.get("provenance", {})
    settings = {
        f"{section}.{key}": value
        for section in _RECIPE_SECTIONS
        for key, value in config.get(section, {}).items()
        if f"{section}.{key}" not in ("training.networks", "training.seeds")
    }
    settings |= {
        "label source": values.get("labels", {}).get("source"),
        "labeler": values.get("labels", {}).get("labeler_version"),
        "preprocessing": values.get("preprocessing_version"),
        "training images": values.get("data", {}).get("splits", {}).get("train", {}).get("images"),
        "code": " ".join(str(made[key]) for key in ("cxr_bench", "git") if made.get(key)),
        "torch": made.get("packages", {}).get("torch"),
    }
    return {key: _text(value) for key, value in settings.items()}


def _weights(run: Run, entry: Mapping[str, Any]) -> dict[str, str]:
    """The hashes of the weights that a network's training began and ended with."""
    path = run.path / entry["folder"] / "training.json"
    trained = read_json(path) if path.is_file() else {}
    return {
        words: str(trained[key])[:12]
        for key, words in (("start_sha256", "first weights"), ("weights_sha256", "weights"))
        if trained.get(key)
    }


def _text(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
