"""What the answers say: agreement between readers, readers against labels and networks, maps.

Everything is weighted by how many test images a case stands for, with intervals over patients;
see `benchmark.reviewing.sampling`.
"""

import itertools
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.inference.prediction import read_scores
from benchmark.reviewing.export import COVERAGE, MAP, PRESENCE, SCORE
from benchmark.reviewing.folder import Reviews, ReviewSet
from benchmark.runs import Run
from cxr.agreement import (
    MISSING,
    Ratings,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    percent_agreement,
)
from cxr.estimates import Estimate
from cxr.statistics import ratio_interval

Bools = NDArray[np.bool_]
Answered = Sequence[Mapping[str, Any]]

PRESENT, ABSENT = 0, 1  # places in PRESENCE
WELL, PARTLY, NOT_AT_ALL = 0, 1, 2  # places in COVERAGE


def summarize(run: Run, reviews: Reviews) -> dict[str, Any]:
    """Return the content of review.json; the same answers give the same content."""
    blind = [_blind(run, each, reviews.answers(each)) for each in reviews.sets("blind")]
    maps = [_maps(each, reviews.answers(each)) for each in reviews.sets("maps")]
    return {
        "schema": 1,
        "blind": [each for each in blind if each["readers"]],
        "maps": [each for each in maps if each["readers"]],
    }


def _about(chosen: ReviewSet, answers: Answered) -> dict[str, Any]:
    weights = [case["weight"] for case in chosen.cases]
    return {
        "digest": chosen.digest,
        "cases": len(chosen.cases),
        "patients": len({case["patient_id"] for case in chosen.cases}),
        "sampling": chosen.about["sampling"],
        "seed": chosen.about["seed"],
        "weights": {"low": min(weights), "high": max(weights)},
        "readers": [_reader(each) for each in answers],
    }


def _reader(answers: Mapping[str, Any]) -> dict[str, Any]:
    read = [each for each in answers["answers"] if each.get("answers")]
    seconds = [each.get("seconds", 0) for each in read]
    return {
        "reader": answers["reader"],
        "role": answers.get("role", ""),
        "finished": answers["finished"],
        "cases": len(read),
        "seconds": statistics.median(seconds) if seconds else None,
        "comments": sum(bool(each.get("comment", "").strip()) for each in read),
        "boxes": sum(len(boxes) for each in read for boxes in each.get("boxes", {}).values()),
    }


def ratings_of(
    chosen: ReviewSet, answers: Answered, key: str, choices: Sequence[tuple[str, str]]
) -> Ratings:
    """Return what every reader said to the question `key`, cases in the set's order."""
    places = {value: place for place, (value, _) in enumerate(choices)}
    values = np.full((len(chosen.cases), len(answers)), MISSING)
    rows = {case["case"]: row for row, case in enumerate(chosen.cases)}
    for column, reader in enumerate(answers):
        for each in reader["answers"]:
            if key in each.get("answers", {}):
                values[rows[each["case"]], column] = places[each["answers"][key]]
    patients = pd.factorize(pd.Series([case["patient_id"] for case in chosen.cases]))[0]
    weights = np.array([case["weight"] for case in chosen.cases], float)
    return Ratings(values, len(choices), patients, weights)


def _blind(run: Run, chosen: ReviewSet, answers: Answered) -> dict[str, Any]:
    about = _about(chosen, answers)
    if not answers:
        return about
    image_ids = [case["image_id"] for case in chosen.cases]
    cases = pd.read_parquet(run.cases_file).set_index("image_id").loc[image_ids]
    entry = run.read()
    threshold = float(entry["config"]["evaluation"]["threshold"])
    scores = {
        each["folder"]: read_scores(run.path / each["folder"] / "scores.parquet")
        .set_index("image_id")
        .loc[image_ids]
        for each in entry["networks"]
    }
    observations = {}
    for name in chosen.observations:
        ratings = ratings_of(chosen, answers, name, PRESENCE)
        calls = {"labels": cases[f"label:{name}"].isin((1.0, -1.0)).to_numpy()}
        if f"truth:{name}" in cases:
            calls["truth"] = cases[f"truth:{name}"].to_numpy(bool)
        for folder, logits in scores.items():
            chance = 1 / (1 + np.exp(-logits[name].to_numpy(float)))
            calls[folder] = chance >= threshold
        observations[name] = _read_observation(ratings, about["readers"], calls)
    return about | {"threshold": threshold, "observations": observations}


def _read_observation(
    ratings: Ratings, readers: Sequence[Mapping[str, Any]], calls: Mapping[str, Bools]
) -> dict[str, Any]:
    present, known = majority(ratings)
    return {
        "answers": _counts(ratings, PRESENCE),
        "undecided": int((~known & (ratings.values != MISSING).any(axis=1)).sum()),
        "agreement": _agreement(ratings),
        "pairs": [
            {
                "readers": [readers[a]["reader"], readers[b]["reader"]],
                "kappa": cohen_kappa(_columns(ratings, (a, b))).as_json(),
            }
            for a, b in itertools.combinations(range(len(readers)), 2)
        ],
        "against": {
            name: _against(ratings, present, known, called) for name, called in calls.items()
        },
    }


def majority(ratings: Ratings) -> tuple[Bools, Bools]:
    """Return what most readers saw, (cases,), and where there is such a majority.

    Who can't tell has no vote; a tie decides nothing.
    """
    votes = [(ratings.values == answer).sum(axis=1) for answer in (PRESENT, ABSENT)]
    return votes[0] > votes[1], votes[0] != votes[1]


def _agreement(ratings: Ratings) -> dict[str, Any]:
    return {
        "percent": percent_agreement(ratings).as_json(),
        "fleiss": fleiss_kappa(ratings).as_json(),
        "gwet": gwet_ac1(ratings).as_json(),
    }


def _against(ratings: Ratings, present: Bools, known: Bools, called: Bools) -> dict[str, Any]:
    """Return how a network or the labels agree with the readers' majority."""
    two = np.stack([present, called], axis=1).astype(int)
    paired = Ratings(two, 2, ratings.patients, ratings.weights).where(known)
    return {
        "sensitivity": share(ratings, called, known & present).as_json(),
        "specificity": share(ratings, ~called, known & ~present).as_json(),
        "kappa": cohen_kappa(paired).as_json(),
    }


def share(ratings: Ratings, part: Bools, whole: Bools) -> Estimate:
    """Return the weighted share of the cases `whole` that are `part`, with Wilson's interval.

    Args:
        ratings: whose patients and weights count.
        part: (cases,) bool.
        whole: (cases,) bool.
    """
    return _share(ratings.patients[whole], ratings.weights[whole], part[whole].astype(float))


def _share(patients: NDArray[Any], weights: NDArray[Any], part: NDArray[Any]) -> Estimate:
    if not len(part):
        return Estimate.missing("no such case")
    scaled = weights / weights.mean()
    place = np.unique(patients, return_inverse=True)[1]
    counted, of = np.bincount(place, scaled * part), np.bincount(place, scaled)
    ends = ratio_interval(counted.astype(float), of.astype(float))
    value = float(np.average(part, weights=weights))
    if np.isnan(ends.low):
        return Estimate(value, reason="one patient")
    return Estimate(value, ends.low, ends.high, "Wilson, patients")


def _counts(ratings: Ratings, choices: Sequence[tuple[str, str]]) -> dict[str, int]:
    return {value: int((ratings.values == i).sum()) for i, (value, _) in enumerate(choices)}


def _columns(ratings: Ratings, readers: tuple[int, ...]) -> Ratings:
    return Ratings(
        ratings.values[:, list(readers)], ratings.categories, ratings.patients, ratings.weights
    )


def _maps(chosen: ReviewSet, answers: Answered) -> dict[str, Any]:
    about = _about(chosen, answers) | {"blind": chosen.about["blind"]}
    if not answers:
        return about
    coverage = ratings_of(chosen, answers, MAP, COVERAGE)
    belief = ratings_of(chosen, answers, SCORE, (("yes", ""), ("no", ""), ("unsure", "")))
    network = np.array([case["network"] for case in chosen.cases])
    observation = np.array([case["observation"] for case in chosen.cases])
    return about | {
        "agreement": _agreement(coverage),
        "networks": {
            str(folder): {
                name: _judged(coverage.where(rows), belief.where(rows))
                for name in ("all", *chosen.observations)
                if (
                    rows := (network == folder)
                    & ((observation == name) if name != "all" else np.ones(len(network), bool))
                ).any()
            }
            for folder in sorted(set(network))
        },
    }


def _judged(coverage: Ratings, belief: Ratings) -> dict[str, Any]:
    """Return how maps were judged; each reader's judgement of a map counts.

    A map of a finding that the reader does not see can't lie on it, and is counted apart.
    """
    judged = Counter(coverage.values[coverage.values != MISSING].tolist())
    return {
        "maps": len(coverage.values),
        "patients": len(np.unique(coverage.patients)),
        "answers": {value: judged[place] for place, (value, _) in enumerate(COVERAGE)},
        "confirmed": _given(coverage, (WELL,), (WELL, PARTLY, NOT_AT_ALL)).as_json(),
        "touched": _given(coverage, (WELL, PARTLY), (WELL, PARTLY, NOT_AT_ALL)).as_json(),
        "believed": _given(belief, (0,), (0, 1)).as_json(),
    }


def _given(ratings: Ratings, part: tuple[int, ...], whole: tuple[int, ...]) -> Estimate:
    """Return the weighted share of answers `part` among answers `whole`, over all readers."""
    rows, readers = np.nonzero(np.isin(ratings.values, whole))
    said = ratings.values[rows, readers]
    return _share(ratings.patients[rows], ratings.weights[rows], np.isin(said, part).astype(float))
