"""The same scores under the label policies in use: published columns differ by policy alone.

What a hedged report and an unmentioned observation count as moves an AUROC without any change to
the network. Each observation's range over the policies says how far.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.config import EvaluationConfig
from benchmark.evaluation.areas import area_of, mean_area
from benchmark.evaluation.documents import (
    NO_SCORES,
    Blank,
    Uncertain,
    check_logits,
    read_key,
    support,
    too_few,
)
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS

Floats = NDArray[np.float64]
FILE = "policies.json"


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
        cases: as for `benchmark.evaluation.documents.evaluate`.
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
    areas = []
    for place, name in enumerate(OBSERVATIONS):
        told = support(cases, key, place)
        entry = {kind: told[kind] for kind in ("positives", "negatives", "positive_patients")}
        reason = NO_SCORES if np.isnan(logits[:, place]).any() else None
        reason = reason or too_few(told, settings.min_patients)
        if reason is not None:
            entries[name] = entry | {"auroc": Estimate.missing(reason).as_json()}
            continue
        rows = key.counted[:, place]
        area = area_of(key.present[rows, place], logits[rows, place], patients[rows], everyone)
        entries[name] = entry | {"auroc": area.estimate.as_json()}
        areas.append(area)
    mean = mean_area(areas)
    macro = mean.estimate if mean else Estimate.missing("no observation is estimable")
    return entries, {"auroc": macro.as_json(), "over": len(areas)}


def _range(estimates: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Lowest and highest over the policies under which there is a number."""
    known = [entry["estimate"] for entry in estimates if entry["estimate"] is not None]
    return {"low": min(known), "high": max(known)} if known else {"low": None, "high": None}
