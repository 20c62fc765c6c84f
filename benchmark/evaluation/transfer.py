"""What a network loses on another collection: AUROCs there less those where it was tested first.

The two sets of patients are independent samples, so the variances add up; patients that are in
both (of one source) are taken as what they are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.config import EvaluationConfig
from benchmark.evaluation.areas import Area, area_of, mean_area
from benchmark.evaluation.documents import NO_SCORES, Key, check_logits, read_key, support, too_few
from benchmark.evaluation.paired import add_holm
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS
from cxr.statistics import (
    EXTRA_FREEDOM,
    difference_interval,
    pooled_freedom,
    two_sided_p,
)

FILE = "external.json"
METHOD = "unpaired, DeLong clustered by patient, t"


@dataclass(frozen=True)
class Sample:
    """A network's scores of one collection.

    Attributes:
        cases: the test cases; patient_id and labels.
        logits: (cases, 14) float.
    """

    cases: pd.DataFrame
    logits: np.ndarray

    def key(self) -> Key:
        """The answers, as in metrics.json."""
        return read_key(self.cases, labels="report", uncertain="positive")

    @property
    def patients(self) -> NDArray[np.str_]:
        """(cases,) whose each case is."""
        return self.cases["patient_id"].to_numpy(str)


def transfer(before: Sample, after: Sample, settings: EvaluationConfig) -> dict[str, Any]:
    """Return what one network's AUROCs are on two collections, and what lies between.

    Args:
        before: where it was tested first.
        after: the other collection.
        settings: minimal support.

    Returns:
        "observations" and "macro", each with "internal", "external" (estimates), "difference"
        (external less internal), "p" and, of observations, Holm's.
    """
    for tested, name in ((before, "the run"), (after, "the other collection")):
        check_logits(tested.cases, tested.logits, name)
    everyone = [np.unique(tested.patients) for tested in (before, after)]
    keys = [tested.key() for tested in (before, after)]
    observations: dict[str, Any] = {}
    pairs: list[tuple[Area, Area]] = []
    for place, name in enumerate(OBSERVATIONS):
        sides = [
            _area(tested, key, place, all_patients, settings)
            for tested, key, all_patients in zip((before, after), keys, everyone, strict=True)
        ]
        observations[name] = _entry(sides[0], sides[1], everyone)
        if isinstance(sides[0], Area) and isinstance(sides[1], Area):
            pairs.append((sides[0], sides[1]))
    add_holm(list(observations.values()), "p")
    means = [mean_area([pair[side] for pair in pairs]) or MISSING for side in (0, 1)]
    macro = _entry(means[0], means[1], everyone) | {"over": len(pairs)}
    return {"observations": observations, "macro": macro}


MISSING = "no observation is estimable in both"


def _area(
    tested: Sample,
    key: Key,
    place: int,
    everyone: NDArray[np.str_],
    settings: EvaluationConfig,
) -> Area | str:
    """An observation's AUROC in one collection, or why there is none."""
    if np.isnan(tested.logits[:, place]).any():
        return NO_SCORES
    reason = too_few(support(tested.cases, key, place), settings.min_patients)
    if reason is not None:
        return reason
    rows = key.counted[:, place]
    scores = np.asarray(tested.logits[rows, place], float)
    return area_of(key.present[rows, place], scores, tested.patients[rows], everyone)


def _entry(
    before: Area | str, after: Area | str, everyone: list[NDArray[np.str_]]
) -> dict[str, Any]:
    estimates = {
        name: (side.estimate if isinstance(side, Area) else Estimate.missing(side)).as_json()
        for name, side in (("internal", before), ("external", after))
    }
    if isinstance(before, str) or isinstance(after, str):
        reason = before if isinstance(before, str) else str(after)
        if reason != MISSING:
            where = "the run" if isinstance(before, str) else "the other collection"
            reason += f", in {where}"
        return estimates | {"difference": Estimate.missing(reason).as_json(), "p": None}
    value = after.estimate.estimate - before.estimate.estimate
    _, left, right = np.intersect1d(everyone[0], everyone[1], return_indices=True)
    shared = float(before.influence[left] @ after.influence[right])
    variances = np.array([before.variance, after.variance])
    error = math.sqrt(max(0.0, float(variances.sum()) - 2 * shared))
    freedom = pooled_freedom(variances, np.array([before.freedom, after.freedom])) + EXTRA_FREEDOM
    ends = difference_interval(value, error, freedom)
    difference = Estimate(value, ends.low, ends.high, METHOD)
    return estimates | {
        "difference": difference.as_json(),
        "error": error,
        "freedom": freedom,
        "p": two_sided_p(value, error, freedom),
    }


def transfer_words(documents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each network: how much it loses, and where that is shown.

    Args:
        documents: a network's name -> what `transfer` returned.
    """
    found = []
    for name, document in documents.items():
        macro = document["macro"]
        if macro["difference"]["estimate"] is None:
            found.append(f"{name}: {macro['difference']['reason']}.")
            continue
        gap = Estimate.from_json(macro["difference"])
        words = (
            f"{name}: macro AUROC {macro['internal']['estimate']:.3f} in the run and "
            f"{macro['external']['estimate']:.3f} on the other collection, over {macro['over']} "
            f"observations: {gap.estimate:+.3f} (95 % interval {gap.low:+.3f} to {gap.high:+.3f})"
        )
        words += ". " if macro["p"] < 0.05 else ", no difference shown. "
        lower = [
            observation
            for observation, entry in document["observations"].items()
            if entry["p_holm"] is not None
            and entry["p_holm"] < 0.05
            and entry["difference"]["estimate"] < 0
        ]
        shown = (
            f"Lower, after Holm: {', '.join(lower)}."
            if lower
            else "No observation is shown to be lower."
        )
        found.append(words + shown)
    return found
