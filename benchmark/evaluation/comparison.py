"""Networks on the same patients: paired differences, intervals, p-values, and a ranking.

With one training seed each, what differs is checkpoints and not architectures; the words say so.
Where every network has several seeds, a difference is of means over seeds, its interval holds the
spread over seeds beside that over patients, and only then do the words speak of architectures.
Within the family of observations, p-values are Holm's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.config import EvaluationConfig
from benchmark.evaluation.comparison_words import (
    LEVEL,
    NEEDED,
    left_out_words,
    outcome,
    pair_words,
    ranking_words,
)
from benchmark.evaluation.documents import (
    NO_SCORES,
    called_from,
    check_logits,
    draw_patients,
    read_key,
    support,
    too_few,
)
from benchmark.evaluation.measures import LOGIT_METHOD, Measured, mean_freedom, measure
from benchmark.evaluation.paired import WITH_SEEDS, add_holm, needed_positives, paired_entry
from cxr.errors import InputError
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS
from cxr.statistics import (
    EXTRA_FREEDOM,
    area_freedom,
    clustered_aurocs,
    logit_interval,
    permutation_p,
    pooled_freedom,
    replicate_error,
)

Floats = NDArray[np.float64]
Seeds = Mapping[int, np.ndarray]
"""Training seed -> (cases, 14) logits of one network."""

AREA_TEST = "paired DeLong, clustered by patient, t"
BOOTSTRAP_TEST = "paired bootstrap over patients, t"
COMPARED: tuple[str, ...] = (
    "auroc",
    "average_precision",
    "f1",
    "recall",
    "specificity",
    "balanced_accuracy",
)
LEAST_PATIENTS = 10
"""Below this the interval of a difference covers less than 93 % (`coverage_table`)."""


@dataclass(frozen=True)
class _Column:
    """One observation of every network, measured.

    Attributes:
        name: the observation.
        reason: why it is not estimable; None where it is.
        present: (cases,) bool.
        scores: network -> (cases, seeds) float.
        measured: network -> what each seed's scores gave; empty where there is a reason.
    """

    name: str
    reason: str | None
    present: NDArray[np.bool_]
    scores: dict[str, Floats]
    measured: dict[str, list[Measured]]

    def estimable(self, *networks: str) -> bool:
        """Whether each of these networks has numbers here."""
        return all(self.measured.get(network) for network in networks)


def compare_networks(
    cases: pd.DataFrame, networks: Mapping[str, Seeds], settings: EvaluationConfig
) -> dict[str, Any]:
    """Return the comparison document of two or more networks.

    The AUROC's interval and p-value are those of the paired DeLong test clustered by patient
    (Obuchowski 1997); "p_permutation" beside it exchanges two checkpoints patient by patient. The
    other metrics' come from one resample of patients that all networks share. "p_noninferior" is
    against the second being worse than the first by more than the margin, "p_equivalent" against
    the two being further apart than it (two one-sided tests, Schuirmann 1987, J Pharmacokinet
    Biopharm 15:657-680), and "superiority" is the chance that the second is better, as far as
    these data alone tell (one less the one-sided p).

    Args:
        cases: as for `benchmark.evaluation.documents.evaluate`; report labels, hedged as positive.
        networks: network -> seed -> (cases, 14) float. Several seeds count where every network
            has two or more; else the first of each.
        settings: threshold, replicates, resampling seed, minimal support, margin.

    Returns:
        The first pair's document (second less first); where there are more than two networks,
        with "pairs", a document for each pair, and "ranking".

    Raises:
        InputError: fewer than two networks; scores that don't fit the cases.
    """
    if len(networks) < 2:
        raise InputError(f"a comparison needs two networks, not {len(networks)}.")
    several = all(len(seeds) > 1 for seeds in networks.values())
    used = {
        name: dict(seeds) if several else dict([next(iter(seeds.items()))])
        for name, seeds in networks.items()
    }
    for name, seeds in used.items():
        for scores in seeds.values():
            check_logits(cases, scores, name)
    order = np.argsort(cases["image_id"].to_numpy(str))
    cases = cases.iloc[order]
    stacked = {
        name: np.stack([scores[order] for scores in seeds.values()], axis=2)
        for name, seeds in used.items()
    }
    columns = _columns(cases, stacked, settings)
    patients = cases["patient_id"].to_numpy(str)
    told = {
        "schema": 1,
        "level": "image",
        "labels": "report",
        "uncertain": "positive",
        "operating_point": f"{settings.threshold:g}",
        "patients": int(cases["patient_id"].nunique()),
        "cases": len(cases),
        "replicates": settings.replicates,
        "margin": settings.margin,
        "seeds": {name: list(seeds) for name, seeds in used.items()},
        "adjustment": "Holm",
    }
    left_out = left_out_words(networks, used)
    pairs = [_pair(columns, patients, *two, settings) for two in combinations(used, 2)]
    for pair in pairs:
        pair["words"] += left_out
    if len(pairs) == 1:
        return told | pairs[0]
    ranking = _ranking(columns, list(used), settings.margin)
    ranking["words"] += left_out
    return told | pairs[0] | {"pairs": pairs, "ranking": ranking}


def _columns(
    cases: pd.DataFrame, scores: Mapping[str, np.ndarray], settings: EvaluationConfig
) -> list[_Column]:
    """Measure every observation of every network and seed once, for all pairs."""
    key = read_key(cases, labels="report", uncertain="positive")
    draws, cut = draw_patients(cases, settings), called_from(settings)
    least = max(settings.min_patients, LEAST_PATIENTS)
    columns = []
    for place, name in enumerate(OBSERVATIONS):
        present = key.present[:, place]
        own = {network: values[:, place].astype(float) for network, values in scores.items()}
        reason = too_few(support(cases, key, place), least)
        measured = {
            network: [measure(present, one, draws, cut) for one in values.T]
            for network, values in own.items()
            if reason is None and not np.isnan(values).any()
        }
        columns.append(_Column(name, reason, present, own, measured))
    return columns


def _pair(
    columns: Sequence[_Column],
    patients: NDArray[Any],
    first: str,
    second: str,
    settings: EvaluationConfig,
) -> dict[str, Any]:
    """Return the document of two networks, second less first."""
    observations = {
        column.name: _observation(column, patients, first, second, settings) for column in columns
    }
    _adjust(observations)
    estimable = [column for column in columns if column.estimable(first, second)]
    macro = {
        metric: _macro(metric, estimable, first, second, settings.margin) for metric in COMPARED
    }
    for entry in [*observations.values(), macro]:
        for metric in COMPARED:
            entry[metric]["verdict"] = outcome(entry[metric], first, second, settings.margin)
    several = len(columns[0].scores[first].T) > 1
    return {
        "networks": [first, second],
        "direction": f"{second} minus {first}; above 0 {second} is better",
        "observations": observations,
        "macro": macro,
        "words": pair_words(macro["auroc"], observations, first, second, architectures=several),
    }


def _observation(
    column: _Column,
    patients: NDArray[Any],
    first: str,
    second: str,
    settings: EvaluationConfig,
) -> dict[str, Any]:
    if not column.estimable(first, second):
        reason = column.reason or NO_SCORES
        return {
            metric: {"difference": Estimate.missing(reason).as_json(), "p": None}
            for metric in COMPARED
        }
    sides = column.measured[first], column.measured[second]
    return {
        "auroc": _areas(column, patients, first, second, settings),
        **{metric: _difference(metric, *sides, settings.margin) for metric in COMPARED[1:]},
    }


def _areas(
    column: _Column,
    patients: NDArray[Any],
    first: str,
    second: str,
    settings: EvaluationConfig,
) -> dict[str, Any]:
    """The difference of two AUROCs, each a mean over seeds, on the same cases."""
    before, after = column.scores[first], column.scores[second]
    areas = clustered_aurocs(column.present, np.concatenate([before, after], axis=1), patients)
    seeds = before.shape[1], after.shape[1]
    signs = np.concatenate([np.full(seeds[0], -1 / seeds[0]), np.full(seeds[1], 1 / seeds[1])])
    variance = max(0.0, float(signs @ areas.covariance @ signs))
    freedom = area_freedom(areas, areas.influence @ signs) + EXTRA_FREEDOM
    values = areas.auroc[: seeds[0]], areas.auroc[seeds[0] :]
    entry = paired_entry(values, variance, freedom, AREA_TEST, settings.margin)
    positives = int(column.present.sum())
    if max(seeds) == 1:  # patients exchanged between networks say nothing about seeds
        entry["p_permutation"] = permutation_p(
            column.present,
            before[:, 0],
            after[:, 0],
            patients,
            permutations=settings.replicates,
            rng=np.random.default_rng(settings.seed),
        )
    return entry | {
        "positives": positives,
        NEEDED: needed_positives(positives, math.sqrt(variance)),
    }


def _difference(
    metric: str, before: Sequence[Measured], after: Sequence[Measured], margin: float
) -> dict[str, Any]:
    apart = _mean_replicates(metric, after) - _mean_replicates(metric, before)
    freedom = min(before[0].freedom, after[0].freedom) + EXTRA_FREEDOM
    values = _values(metric, before), _values(metric, after)
    return paired_entry(values, replicate_error(apart) ** 2, freedom, BOOTSTRAP_TEST, margin)


def _macro(
    metric: str, columns: Sequence[_Column], first: str, second: str, margin: float
) -> dict[str, Any]:
    """The difference of the means over the observations that are defined for every seed of both."""
    sides = [
        (column.measured[first], column.measured[second])
        for column in columns
        if not np.isnan(_values(metric, column.measured[first])).any()
        and not np.isnan(_values(metric, column.measured[second])).any()
    ]
    if not sides:
        missing = Estimate.missing("no observation is estimable").as_json()
        return {"difference": missing, "p": None, "over": 0}
    apart = np.stack([_mean_replicates(metric, b) - _mean_replicates(metric, a) for a, b in sides])
    freedom = mean_freedom(apart, [min(a[0].freedom, b[0].freedom) for a, b in sides])
    values = tuple(
        np.mean([_values(metric, side[place]) for side in sides], axis=0) for place in (0, 1)
    )
    variance = replicate_error(apart.mean(axis=0)) ** 2
    return paired_entry(values, variance, freedom, BOOTSTRAP_TEST, margin) | {"over": len(sides)}


def _values(metric: str, seeds: Sequence[Measured]) -> Floats:
    return np.array([one.estimates[metric].estimate for one in seeds])


def _mean_replicates(metric: str, seeds: Sequence[Measured]) -> Floats:
    return np.asarray(np.mean([one.replicates[metric] for one in seeds], axis=0))


def _adjust(observations: dict[str, Any]) -> None:
    """Add Holm's p over the observations, of a difference and of equivalence."""
    for metric in COMPARED:
        entries = [entry[metric] for entry in observations.values()]
        for kind in ("p", "p_equivalent"):
            add_holm(entries, kind)


def _ranking(columns: Sequence[_Column], networks: Sequence[str], margin: float) -> dict[str, Any]:
    """Order all networks by macro AUROC over what all of them tell, and say who is not apart.

    A group is a run of neighbours in that order of which no two are shown to differ (macro AUROC,
    Holm over all pairs), as in critical difference diagrams (Demsar 2006, JMLR 7:1-30); patients
    and not observations are the witnesses here.
    """
    common = [column for column in columns if column.estimable(*networks)]
    means = {name: _mean_auroc(common, name) for name in networks}
    order = sorted(networks, key=lambda name: -np.nan_to_num(means[name].estimate))
    pairs = [
        {"networks": [first, second]} | _macro("auroc", common, first, second, margin)
        for first, second in combinations(order, 2)
    ]
    add_holm(pairs, "p")
    apart = {
        frozenset(pair["networks"])
        for pair in pairs
        if pair["p_holm"] is not None and pair["p_holm"] < LEVEL
    }
    groups = _groups(order, apart) if common else []
    several = all(columns[0].scores[name].shape[1] > 1 for name in networks)
    return {
        "metric": "macro AUROC",
        "over": len(common),
        "adjustment": f"Holm over {len(pairs)} pairs",
        "order": [{"network": name, "auroc": means[name].as_json()} for name in order],
        "pairs": pairs,
        "groups": groups,
        "words": ranking_words(order, groups, len(common), architectures=several),
    }


def _mean_auroc(columns: Sequence[_Column], network: str) -> Estimate:
    """Macro AUROC of a network, a mean over its seeds, with their spread in its interval."""
    seeds = [column.measured[network] for column in columns]
    if not seeds:
        return Estimate.missing("no observation is estimable for all networks")
    values = np.mean([_values("auroc", one) for one in seeds], axis=0)
    replicates = np.stack([_mean_replicates("auroc", one) for one in seeds])
    freedom = mean_freedom(replicates, [one[0].freedom for one in seeds]) + EXTRA_FREEDOM
    variance, method = replicate_error(replicates.mean(axis=0)) ** 2, LOGIT_METHOD
    if len(values) > 1:
        spread = float(values.var(ddof=1)) / len(values)
        freedom = pooled_freedom(
            np.array([variance, spread]), np.array([freedom, len(values) - 1.0])
        )
        variance, method = variance + spread, method + WITH_SEEDS
    value = float(values.mean())
    if not 0 < value < 1:
        return Estimate(value, reason="no interval: every case is ranked alike")
    ends = logit_interval(value, math.sqrt(variance), freedom)
    return Estimate(value, ends.low, ends.high, method)


def _groups(order: Sequence[str], apart: set[frozenset[str]]) -> list[list[str]]:
    """Return the longest runs of neighbours, two or more, of which no two are apart."""
    runs: list[list[str]] = []
    for start in range(len(order)):
        stop = start + 1
        while stop < len(order) and not any(
            frozenset((order[stop], other)) in apart for other in order[start:stop]
        ):
            stop += 1
        if stop - start > 1 and not any(set(order[start:stop]) <= set(run) for run in runs):
            runs.append(list(order[start:stop]))
    return runs
