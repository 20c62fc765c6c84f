"""Made-up score tables and run folders for tests of evaluation, comparison and gate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.config import EvaluationConfig
from benchmark.evaluation.comparison import compare_networks
from benchmark.evaluation.documents import evaluate, write_document
from benchmark.evaluation.variants import evaluate_variants
from benchmark.runs import write_json
from cxr.observations import OBSERVATIONS

PREVALENCE = (0.3, 0.1, 0.2, 0.3, 0.1, 0.2, 0.15, 0.15, 0.25, 0.1, 0.25, 0.01, 0.08, 0.3)
"""Pleural Other is too rare to be estimated in a table of a hundred patients."""

QUICK = EvaluationConfig(replicates=200)
QUICKEST = EvaluationConfig(replicates=10)


def compare(
    cases: pd.DataFrame, logits: Mapping[str, np.ndarray], settings: EvaluationConfig
) -> dict[str, Any]:
    """Return the comparison document of checkpoints, one of each network."""
    return compare_networks(cases, {name: {0: one} for name, one in logits.items()}, settings)


def make_cases(*, patients: int = 120, seed: int = 0) -> pd.DataFrame:
    """Return cases as in cases.parquet: one to four images a patient, hedges, omissions, truth."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    size = len(patient)
    sick = rng.random((patients, 14)) < PREVALENCE
    truth = sick[patient] & (rng.random((size, 14)) < 0.9)
    label = np.where(truth, 1.0, np.where(rng.random((size, 14)) < 0.2, 0.0, np.nan))
    label[truth & (rng.random((size, 14)) < 0.15)] = -1.0
    label[truth & (rng.random((size, 14)) < 0.08)] = np.nan
    frame = pd.DataFrame(
        {
            "image_id": [f"i{number:04d}" for number in range(size)],
            "study_id": [f"s{number:04d}" for number in patient],
            "patient_id": [f"p{number:04d}" for number in patient],
            "view": "PA",
            "sex": np.where(patient % 2, "F", "M"),
            "split": "test",
        }
    )
    labels = pd.DataFrame(label, columns=[f"label:{name}" for name in OBSERVATIONS])
    truths = pd.DataFrame(truth, columns=[f"truth:{name}" for name in OBSERVATIONS])
    return pd.concat([frame, labels, truths], axis=1)


def make_logits(cases: pd.DataFrame, *, strength: float = 1.5, seed: int = 0) -> np.ndarray:
    """Return (cases, 14) float32 logits that rise by `strength` where the finding is true."""
    rng = np.random.default_rng(seed)
    truth = cases[[f"truth:{name}" for name in OBSERVATIONS]].to_numpy(bool)
    noise = rng.normal(size=truth.shape)
    return (strength * truth + noise - 1.5).astype(np.float32)


def write_run(
    folder: Path,
    cases: pd.DataFrame,
    logits: dict[str, np.ndarray],
    *,
    run_id: str = "run-1",
    whole: bool = True,
    **told: object,
) -> Path:
    """Write what the gate reads of a finished run, and return its folder.

    Without `whole` there is no more than a quick metrics.json of each network. `told` goes into
    run.json beside the id and the networks.
    """
    entries = [{"name": name, "seed": 0, "folder": f"{name}/seed-0"} for name in logits]
    for name, scores in logits.items():
        target = folder / name / "seed-0"
        target.mkdir(parents=True)
        named = {"network": name, "seed": 0}
        if whole:
            variants = evaluate_variants(cases, scores, settings=QUICK, **named)
        else:
            variants = {"metrics.json": evaluate(cases, scores, settings=QUICKEST, **named)}
        for file, document in variants.items():
            write_document(document, target / file)
        table = pd.DataFrame(scores, columns=list(OBSERVATIONS))
        table.insert(0, "split", cases["split"].to_numpy())
        table.insert(0, "image_id", cases["image_id"].to_numpy())
        table.to_parquet(target / "scores.parquet", index=False)
    cases.to_parquet(folder / "cases.parquet", index=False)
    if whole and len(logits) > 1:
        write_document(compare(cases, logits, QUICK), folder / "comparison.json")
    write_json(
        folder / "run.json",
        {"schema": 1, "status": "finished", "run_id": run_id, "networks": entries, **told},
    )
    return folder
