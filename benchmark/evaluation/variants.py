"""The same scores in several lights: label variants of all cases, then each subgroup."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.config import EvaluationConfig
from benchmark.evaluation.documents import Labels, Uncertain, evaluate, has_truth
from benchmark.evaluation.studies import LEVELS, by_study

GROUPS: Mapping[str, str] = {"sex": "sex", "age_band": "age", "view": "view"}
"""Columns of every case table that make subgroups, and how they are called."""
STUDY = "metrics.study.json"
OWN_GROUP = "group:"
"""How a column starts that makes subgroups because the user asked for it."""


def evaluate_variants(
    cases: pd.DataFrame,
    logits: np.ndarray,
    *,
    network: str,
    seed: int,
    settings: EvaluationConfig,
) -> dict[str, dict[str, Any]]:
    """Return file name -> document: label variants of all cases, then each subgroup.

    Hedged labels as positive, hedged left out and, where it is known, the truth; then, with
    hedged as positive, studies in place of images, unless every study is one image, and each sex,
    age band and view, unless there is but one.

    Args:
        cases: as for `evaluate`; columns in `GROUPS` make subgroups, blank values none.
        logits: (cases, 14) float.
        network: the name to write down.
        seed: the training seed to write down.
        settings: threshold, replicates, resampling seed, minimal support.
    """
    variants: dict[str, tuple[Labels, Uncertain]] = {
        "metrics.json": ("report", "positive"),
        "metrics.uncertain-excluded.json": ("report", "excluded"),
    }
    if has_truth(cases):
        variants["metrics.truth.json"] = ("truth", "positive")
    told: dict[str, Any] = {"network": network, "seed": seed, "settings": settings}
    documents = {
        name: evaluate(cases, logits, labels=labels, uncertain=uncertain, **told)
        for name, (labels, uncertain) in variants.items()
    }
    if _has_larger_studies(cases):
        studies, pooled = by_study(cases, logits, settings.study)
        documents[STUDY] = evaluate(studies, pooled, level=LEVELS[settings.study], **told)
    for group, rows in subgroups(cases).items():
        documents[_free_name(group, documents)] = evaluate(
            cases, logits, group=group, rows=rows, **told
        )
    return documents


def subgroups(cases: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Return which cases are in each subgroup, such as "sex=F" or "age=60-79"."""
    columns = [str(name) for name in cases]
    own = {name: name.removeprefix(OWN_GROUP) for name in columns if name.startswith(OWN_GROUP)}
    found: dict[str, NDArray[np.bool_]] = {}
    for column, title in {**GROUPS, **own}.items():
        values = cases[column].to_numpy(str) if column in cases else np.array([], str)
        names = [value for value in np.unique(values) if value]
        if len(names) > 1:
            found.update({f"{title}={name}": values == name for name in names})
    return found


def _has_larger_studies(cases: pd.DataFrame) -> bool:
    """Whether a study has more than one image, so that studies are not the images again."""
    if "study_id" not in cases:
        return False
    return bool(cases.loc[cases["study_id"] != "", "study_id"].duplicated().any())


def _free_name(group: str, taken: Mapping[str, Any]) -> str:
    """Return a file name for a group that no other group has: "<40" and "40" look alike."""
    stem = "metrics." + re.sub("[^0-9A-Za-z]+", "-", group).strip("-")
    names = [f"{stem}.json", *(f"{stem}-{number}.json" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)
