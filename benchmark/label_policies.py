"""The same scores under the label policies in use: published columns differ by policy alone.

What a hedged report and an unmentioned observation count as moves an AUROC without any change to
the network. Each observation's range over the policies says how far.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.config import EvaluationConfig
from benchmark.evaluation import (
    NO_SCORES,
    Blank,
    Uncertain,
    check_logits,
    read_key,
    support,
    too_few,
)
from benchmark.measures import AREA_METHOD
from cxr.estimates import Estimate
from cxr.metrics import auroc_score
from cxr.observations import OBSERVATIONS
from cxr.statistics import (
    area_freedom,
    auroc_interval,
    clustered_aurocs,
    logit_interval,
    pooled_freedom,
)

Floats = NDArray[np.float64]
FILE = "policies.json"
MACRO_METHOD = "sum of the patients' influences on the AUROCs, logit t"


@dataclass(frozen=True)
class Policy:
    """One way to count what a report hedges or does not mention.

    Attributes:
        key: its name in the document.
        uncertain, blank: what hedged and unmentioned count as.
    """

    key: str
    uncertain: Uncertain
    blank: Blank


POLICIES: tuple[Policy, ...] = (
    Policy("hedged-present", "positive", "negative"),
    Policy("both-absent", "negative", "negative"),
    Policy("hedged-out", "excluded", "negative"),
    Policy("both-out", "excluded", "excluded"),
)
"""The study's; CheXclusion's; hedged left out; only what a report states, as torchxrayvision."""


def policy_document(
    cases: pd.DataFrame,
    logits: np.ndarray,
    *,
    network: str,
    seed: int,
    settings: EvaluationConfig,
) -> dict[str, Any]:
    """Return each observation's AUROC under every policy, and its range over them.

    Args:
        cases: as for `benchmark.evaluation.evaluate`.
        logits: (cases, 14) float.
        network: the name to write down.
        seed: the training seed to write down.
        settings: minimal support.
    """
    check_logits(cases, logits, network)
    order = np.argsort(cases["image_id"].to_numpy(str))
    cases, logits = cases.iloc[order], np.asarray(logits[order], float)
    found = {policy.key: _under(policy, cases, logits, settings) for policy in POLICIES}
    observations: dict[str, Any] = {
        name: {key: entries[name] for key, (entries, _) in found.items()} for name in OBSERVATIONS
    }
    for entry in observations.values():
        entry["range"] = _range([entry[policy.key]["auroc"] for policy in POLICIES])
    macro = {key: mean for key, (_, mean) in found.items()}
    macro["range"] = _range([macro[policy.key]["auroc"] for policy in POLICIES])
    return {
        "schema": 1,
        "network": network,
        "seed": seed,
        "level": "image",
        "labels": "report",
        "policies": [vars(policy) for policy in POLICIES],
        "observations": observations,
        "macro": macro,
    }


def _under(
    policy: Policy, cases: pd.DataFrame, logits: Floats, settings: EvaluationConfig
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Each observation's entry under one policy, and the macro mean's."""
    key = read_key(cases, labels="report", uncertain=policy.uncertain, blank=policy.blank)
    patients = cases["patient_id"].to_numpy(str)
    everyone = np.unique(patients)
    entries: dict[str, Any] = {}
    areas, influences, freedoms = [], [], []
    for place, name in enumerate(OBSERVATIONS):
        told = support(cases, key, place)
        entry = {kind: told[kind] for kind in ("positives", "negatives", "positive_patients")}
        rows = key.counted[:, place]
        scores = logits[rows, place]
        reason = NO_SCORES if np.isnan(logits[:, place]).any() else None
        reason = reason or too_few(told, settings.min_patients)
        if reason is not None:
            entries[name] = entry | {"auroc": Estimate.missing(reason).as_json()}
            continue
        found = clustered_aurocs(key.present[rows, place], scores, patients[rows])
        ends = auroc_interval(found)
        value = auroc_score(key.present[rows, place], scores)  # to the last digit of metrics.json
        area = Estimate(value, ends.low, ends.high, AREA_METHOD)
        entries[name] = entry | {"auroc": area.as_json()}
        influence = np.zeros(len(everyone))
        influence[np.searchsorted(everyone, np.unique(patients[rows]))] = found.influence[:, 0]
        areas.append(area.estimate)
        influences.append(influence)
        freedoms.append(area_freedom(found, found.influence[:, 0]))
    return entries, _mean(areas, influences, freedoms)


def _mean(
    areas: Sequence[float], influences: Sequence[Floats], freedoms: Sequence[float]
) -> dict[str, Any]:
    """The mean AUROC with an interval: what each patient moves it by, over all observations."""
    if not areas:
        missing = Estimate.missing("no observation is estimable")
        return {"auroc": missing.as_json(), "over": 0}
    value, moved = float(np.mean(areas)), np.mean(influences, axis=0)
    error = math.sqrt(float((moved**2).sum()) * len(moved) / (len(moved) - 1))
    variances = np.array([float((one**2).sum()) for one in influences])
    if not 0 < value < 1 or error == 0:
        estimate = Estimate(value, reason="no interval: every case is ranked alike")
    else:
        ends = logit_interval(value, error, pooled_freedom(variances, np.array(freedoms)))
        estimate = Estimate(value, ends.low, ends.high, MACRO_METHOD)
    return {"auroc": estimate.as_json(), "over": len(areas)}


def _range(estimates: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Lowest and highest over the policies under which there is a number."""
    known = [entry["estimate"] for entry in estimates if entry["estimate"] is not None]
    return {"low": min(known), "high": max(known)} if known else {"low": None, "high": None}
