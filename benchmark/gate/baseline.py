"""Is a run no worse than a baseline on the same cases: a paired non-inferiority test.

With d the candidate's AUROC less the baseline's: passed where d's 95 % interval lies above
-margin, failed where it lies below, else inconclusive. The macro mean decides; a single
observation can fail the gate (one-sided p after Holm below 2.5 %) but can't hold it up, for rare
ones will always be inconclusive. Both runs are scored against one set of labels.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtr, stdtrit

from benchmark.comparison import compare
from benchmark.config import EvaluationConfig
from benchmark.evaluation import LABEL_COLUMNS
from benchmark.gate.verdict import FAIL, INCONCLUSIVE, PASS, Check, Verdict
from benchmark.runs import Run, read_run
from cxr.errors import InputError
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS
from cxr.statistics import holm

METRIC = "auroc - baseline"
LEVEL = 0.025


@dataclass(frozen=True)
class _Scores:
    """The test cases of a run in the order of their ids, and each network's logits."""

    cases: pd.DataFrame
    logits: dict[tuple[str, int], np.ndarray]


def check_baseline(
    path: Path, baseline: Path, *, margin: float, labels: str | None = None
) -> Verdict:
    """Return the verdict on `path` against `baseline`.

    Args:
        path: the candidate's run folder.
        baseline: the baseline's run folder, with the same test cases.
        margin: how much lower an AUROC may be.
        labels: whose report labels count, "candidate" or "baseline"; None where they agree.

    Raises:
        InputError: cannot compare: other test cases, other labels and none chosen, or no network
            in common; no finished run in a folder.
    """
    run, other = read_run(path), read_run(baseline)
    candidate, reference = _read(run), _read(other)
    cases = _common_cases(candidate.cases, reference.cases, labels)
    settings = EvaluationConfig(**run.read().get("config", {}).get("evaluation", {}))
    shared = [key for key in candidate.logits if key in reference.logits]
    if not shared:
        raise InputError(
            f"cannot compare: {path} and {baseline} have no network and seed in common."
        )
    checks: list[Check] = []
    notes: list[str] = []
    for key in shared:
        scores = {"baseline": reference.logits[key], "candidate": candidate.logits[key]}
        document = compare(cases, scores, settings)
        checks += checks_of(key, document, margin)
        notes += _smallest_drop(key, document["macro"]["auroc"], margin)
    return Verdict(str(run.read()["run_id"]), tuple(checks), tuple(notes))


def _read(run: Run) -> _Scores:
    cases = pd.read_parquet(run.cases_file)
    cases = cases[cases["split"] == "test"].sort_values("image_id").reset_index(drop=True)
    logits = {}
    for entry in run.read()["networks"]:
        table = pd.read_parquet(run.path / entry["folder"] / "scores.parquet")
        table = table.set_index("image_id").reindex(cases["image_id"])
        logits[(str(entry["name"]), int(entry["seed"]))] = table[list(OBSERVATIONS)].to_numpy()
    return _Scores(cases, logits)


def _common_cases(
    candidate: pd.DataFrame, baseline: pd.DataFrame, labels: str | None
) -> pd.DataFrame:
    ids = ["image_id", "patient_id"]
    if not candidate[ids].equals(baseline[ids]):
        ours, theirs = (set(table["image_id"]) for table in (candidate, baseline))
        raise InputError(
            f"cannot compare: of the test cases {len(ours - theirs)} are in the run alone, "
            f"{len(theirs - ours)} in the baseline alone and {len(ours & theirs)} in both; "
            "evaluate both on the same cases."
        )
    if labels == "baseline":
        return baseline
    if labels is None and not candidate[LABEL_COLUMNS].equals(baseline[LABEL_COLUMNS]):
        left, right = candidate[LABEL_COLUMNS], baseline[LABEL_COLUMNS]
        changed = int(((left != right) & ~(left.isna() & right.isna())).to_numpy().sum())
        raise InputError(
            f"cannot compare: {changed} report labels of the test cases differ (was the labeler "
            "changed?); score both runs by one set with --labels candidate or --labels baseline."
        )
    return candidate


def checks_of(key: tuple[str, int], document: dict[str, Any], margin: float) -> list[Check]:
    """Return the checks on one network.

    Args:
        key: network and seed.
        document: candidate less baseline, as `benchmark.comparison.compare` makes it.
        margin: how much lower an AUROC may be.
    """
    entries = {name: entry["auroc"] for name, entry in document["observations"].items()}
    adjusted = dict(
        zip(entries, holm([_p_worse(e, margin) for e in entries.values()]), strict=True)
    )
    verdicts = {
        "macro": _decide(document["macro"]["auroc"], margin),
        **{
            name: FAIL if adjusted[name] < LEVEL else _passed(entry, margin)
            for name, entry in entries.items()
        },
    }
    return [
        Check(
            network=key[0],
            seed=key[1],
            group="all",
            observation=name,
            metric=METRIC,
            demand=f"> -{margin:g}",
            found=Estimate.from_json(entry["difference"]),
            verdict=verdicts[name],
            allowed=name != "macro",
            decides=name == "macro",
        )
        for name, entry in {"macro": document["macro"]["auroc"], **entries}.items()
    ]


def _decide(entry: dict[str, Any], margin: float) -> str:
    high = entry["difference"]["high"]
    return FAIL if high is not None and high < -margin else _passed(entry, margin)


def _passed(entry: dict[str, Any], margin: float) -> str:
    low = entry["difference"]["low"]
    return PASS if low is not None and low > -margin else INCONCLUSIVE


def _p_worse(entry: dict[str, Any], margin: float) -> float:
    """One-sided p against "not worse by more than the margin"."""
    if entry["p"] is None:
        return math.nan
    excess = entry["difference"]["estimate"] + margin
    if entry["error"] == 0:
        return float(excess >= 0)
    return float(stdtr(entry["freedom"], excess / entry["error"]))


def _smallest_drop(key: tuple[str, int], macro: dict[str, Any], margin: float) -> list[str]:
    if macro["p"] is None:
        return []
    half = float(stdtrit(macro["freedom"], 1 - LEVEL)) * macro["error"]
    drop = margin + half + float(ndtri(0.8)) * macro["error"]
    return [
        f"{key[0]}: macro AUROC's difference is known to +-{half:.3f} here; a true drop of "
        f"{drop:.3f} would fail in 80 of 100 tries."
    ]
