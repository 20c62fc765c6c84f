"""What of two runs can be compared: the same definitions, cases, labels; which networks.

The protocol must agree, or nothing is compared; the recipe may differ, and what differs is
listed. Where the test cases are the same the comparison is paired. Where they differ, but are of
one population, it is unpaired. Where the labeler changed, both runs are scored against the labels
of one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.gate.scored import Network, Scored
from benchmark.sharing.publishing import KEY_NOTE


class CannotCompare(Exception):
    """The two runs can't be compared; the message says which part of the protocol differs."""


@dataclass(frozen=True)
class Matched:
    """Two runs made comparable.

    Attributes:
        candidate, baseline: the cases that count, with the labels that count.
        paired: whether row i is the same case in both.
        networks: which network of the candidate is held against which of the baseline.
        words: sentences about how they are compared.
        recipe: what differs in how the networks came about: (what, baseline's, candidate's).
    """

    candidate: Scored
    baseline: Scored
    paired: bool
    networks: tuple[tuple[Network, Network], ...]
    words: tuple[str, ...]
    recipe: tuple[tuple[str, str, str], ...]


def match(
    candidate: Scored,
    baseline: Scored,
    *,
    labels: str | None = None,
    networks: Sequence[tuple[str, str]] = (),
) -> Matched:
    """Return what of `candidate` and `baseline` is compared.

    Args:
        candidate: with ids keyed like the baseline's.
        baseline: of a run folder or a baseline file.
        labels: whose labels count where they differ, "candidate" or "baseline".
        networks: names in the candidate and in the baseline to hold against each other; by
            default those of one name.

    Raises:
        CannotCompare: definitions, population, cases or labels differ, or there is no network to
            hold against each other.
    """
    shared, ours, theirs = np.intersect1d(candidate.image, baseline.image, return_indices=True)
    same = len(shared) == len(candidate.image) == len(baseline.image)
    _check_definitions(candidate, baseline)
    _check_population(candidate, baseline, same=same)
    _check_patients(candidate, baseline, ours, theirs)
    pairs, words = _networks(candidate, baseline, networks)
    changed = _changed_labels(candidate.labels[ours], baseline.labels[theirs])
    _check_labels(candidate, baseline, changed, len(shared), labels)
    recipe = _recipe(candidate, baseline, pairs)
    if changed:
        candidate, baseline = candidate.select(ours), baseline.select(theirs)
        candidate, baseline = _with_labels(candidate, baseline, str(labels))
        words += _label_words(changed, str(labels), len(shared), same=same)
        same = True
    elif not same:
        words += _case_words(candidate, baseline, len(shared))
    else:
        words += (f"Both runs are of the same {len(shared)} test cases: the test is paired.",)
    return Matched(candidate, baseline, same, pairs, words, recipe)


def _check_definitions(candidate: Scored, baseline: Scored) -> None:
    ours, theirs = candidate.protocol["version"], baseline.protocol["version"]
    if ours != theirs:
        raise CannotCompare(
            f"the metric definitions differ: version {ours} in the run, {theirs} in the baseline; "
            "evaluate both with one version of cxr-bench."
        )


def _check_population(candidate: Scored, baseline: Scored, *, same: bool) -> None:
    """Images of equal ids may be rendered otherwise; other cases must be of one population."""
    ours, theirs = dict(candidate.notes), dict(baseline.notes)
    keys = [notes.pop(KEY_NOTE, None) for notes in (ours, theirs)]
    if all(keys) and keys[0] != keys[1]:
        raise CannotCompare(
            f"the ids of the cases were keyed with {keys[0]} in the run and {keys[1]} in the "
            "baseline; set $CXR_BENCH_KEY to one key and make one of them anew."
        )
    if not same:
        ours, theirs = ours | candidate.population, theirs | baseline.population
    for name in (*ours, *theirs):
        if ours.get(name) != theirs.get(name):
            raise CannotCompare(
                f"the cases are of another kind: {name} is {ours.get(name) or 'not told'} in the "
                f"run, {theirs.get(name) or 'not told'} in the baseline; test both on the same "
                "collection."
            )


def _check_patients(
    candidate: Scored, baseline: Scored, ours: NDArray[Any], theirs: NDArray[Any]
) -> None:
    moved = int((candidate.patient[ours] != baseline.patient[theirs]).sum())
    if moved:
        raise CannotCompare(
            f"{moved} test cases belong to another patient in the run than in the baseline; "
            "mend the patient ids of one of them."
        )


def _changed_labels(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> int:
    return int(((ours != theirs) & ~(np.isnan(ours) & np.isnan(theirs))).sum())


def _check_labels(
    candidate: Scored, baseline: Scored, changed: int, shared: int, labels: str | None
) -> None:
    if changed and labels is None:
        raise CannotCompare(
            f"{changed} report labels of the test cases differ ({_labelers(candidate, baseline)}); "
            "score both runs by one set with --labels candidate or --labels baseline."
        )
    if not shared and _labeler(candidate) != _labeler(baseline):
        raise CannotCompare(
            f"the labels were made otherwise ({_labelers(candidate, baseline)}) and no test case "
            "is in both; label and test both runs anew with one labeler."
        )


def _labeler(scored: Scored) -> str:
    source, version = scored.recipe.get("label source", "none"), scored.recipe.get("labeler")
    return source if version in (None, "none") else f"{source}, labeler {version}"


def _labelers(candidate: Scored, baseline: Scored) -> str:
    ours, theirs = _labeler(candidate), _labeler(baseline)
    if ours == theirs:
        return f"both say {ours}"
    return f"run: {ours}; baseline: {theirs}"


def _with_labels(candidate: Scored, baseline: Scored, labels: str) -> tuple[Scored, Scored]:
    chosen = candidate.labels if labels == "candidate" else baseline.labels
    return (
        Scored(**{**vars(candidate), "labels": chosen}),
        Scored(**{**vars(baseline), "labels": chosen}),
    )


def _label_words(changed: int, labels: str, shared: int, *, same: bool) -> tuple[str, ...]:
    whose = "run" if labels == "candidate" else "baseline"
    words = f"{changed} labels differ; both runs are scored against the {whose}'s"
    return (f"{words}." if same else f"{words}, on the {shared} cases that are in both.",)


def _case_words(candidate: Scored, baseline: Scored, shared: int) -> tuple[str, ...]:
    words = (
        f"The test cases differ: {len(candidate.image) - shared} are in the run alone, "
        f"{len(baseline.image) - shared} in the baseline alone and {shared} in both. The test is "
        "unpaired: it takes both sets for samples of one population, which sees less than the "
        "same cases would."
    )
    if not shared and candidate.restricted:
        words += " If they are the same cases, their ids were keyed with another $CXR_BENCH_KEY."
    return (words,)


def _networks(
    candidate: Scored, baseline: Scored, chosen: Sequence[tuple[str, str]]
) -> tuple[tuple[tuple[Network, Network], ...], tuple[str, ...]]:
    """Which networks are held against each other; every name of the baseline needs a partner."""
    ours, theirs = _seeds(candidate), _seeds(baseline)
    for name, known, whose in [
        *((name, ours, "run") for name, _ in chosen),
        *((name, theirs, "baseline") for _, name in chosen),
    ]:
        if name not in known:
            raise CannotCompare(f"the {whose} has no network '{name}'; it has {_listed(known)}.")
    if not chosen:
        lost = [name for name in theirs if name not in ours]
        if lost:
            raise CannotCompare(
                f"the run lacks {_listed(lost)} of the baseline and has {_listed(ours)}; say what "
                f"to hold against what with --network NAME={lost[0]}."
            )
        chosen = [(name, name) for name in theirs]
    pairs = [
        ((name, seed), (other, twin))
        for name, other in chosen
        for seed, twin in _paired_seeds(ours[name], theirs[other])
    ]
    used = {one for one, _ in pairs}
    alone = [one for one in candidate.logits if one not in used]
    words: tuple[str, ...] = ()
    if alone:
        names = _listed([f"{name} seed {seed}" for name, seed in alone])
        words = (f"Not compared, for want of a counterpart in the baseline: {names}.",)
    return tuple(pairs), words


def _seeds(scored: Scored) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for name, seed in scored.logits:
        found.setdefault(name, []).append(seed)
    return found


def _paired_seeds(ours: list[int], theirs: list[int]) -> list[tuple[int, int]]:
    """Equal seeds; where none is, in their order."""
    equal = [(seed, seed) for seed in ours if seed in theirs]
    return equal or list(zip(sorted(ours), sorted(theirs), strict=False))


def _recipe(
    candidate: Scored, baseline: Scored, pairs: Sequence[tuple[Network, Network]]
) -> tuple[tuple[str, str, str], ...]:
    ours, theirs = dict(candidate.recipe), dict(baseline.recipe)
    for one, other in pairs:
        name = f"{one[0]} seed {one[1]}"
        ours |= {name: name} | {
            f"{name}, {key}": value for key, value in candidate.weights.get(one, {}).items()
        }
        theirs |= {name: f"{other[0]} seed {other[1]}"} | {
            f"{name}, {key}": value for key, value in baseline.weights.get(other, {}).items()
        }
    threshold = "operating point"
    ours[threshold], theirs[threshold] = (
        f"{one.protocol['threshold']:g}" for one in (candidate, baseline)
    )
    return tuple(
        (key, theirs.get(key, "none"), ours.get(key, "none"))
        for key in dict.fromkeys((*theirs, *ours))
        if theirs.get(key, "none") != ours.get(key, "none")
    )


def _listed(names: Sequence[str] | dict[str, Any]) -> str:
    return ", ".join(names)
