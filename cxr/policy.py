"""How uncertain and blank labels become training targets: the label policy, in one place.

For uncertain labels "positive" is U-Ones, "negative" U-Zeros, "ignore" U-Ignore and "class"
U-MultiClass (Irvin et al. 2019, AAAI 33:590-597, section 4; there the best differed by
observation, so each may have its own). "positive-smoothed" and "negative-smoothed" draw each
uncertain target between two bounds: U-Ones+LSR and U-Zeros+LSR (Pham et al. 2021, Neurocomputing
437:186-194, section 3.3). The study counts uncertain as positive, blank as negative.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

import numpy as np

from cxr.observations import NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN

Uncertain: TypeAlias = Literal[
    "positive", "negative", "ignore", "positive-smoothed", "negative-smoothed", "class"
]
Blank: TypeAlias = Literal["negative", "ignore"]

OWN_CLASS = -1.0
"""The target that says: uncertain, and that is a class of its own."""

BOUNDS: Mapping[str, tuple[float, float]] = {
    "positive": (1.0, 1.0),
    "negative": (0.0, 0.0),
    "ignore": (0.0, 0.0),
    "positive-smoothed": (0.55, 0.85),
    "negative-smoothed": (0.0, 0.3),
    "class": (OWN_CLASS, OWN_CLASS),
}
"""Policy -> the bounds between which an uncertain label's target is drawn."""

PARENTS: Mapping[str, str] = {
    "Pneumonia": "Consolidation",
    "Consolidation": "Lung Opacity",
    "Atelectasis": "Lung Opacity",
    "Edema": "Lung Opacity",
    "Lung Lesion": "Lung Opacity",
    "Cardiomegaly": "Enlarged Cardiomediastinum",
}
"""Observation -> the one that it is a kind of (Irvin et al. 2019, figure 1); children first."""

_NONE: Mapping[str, Uncertain] = MappingProxyType({})


def targets(
    labels: np.ndarray,
    *,
    uncertain: Uncertain = "positive",
    blank: Blank = "negative",
    per_observation: Mapping[str, Uncertain] = _NONE,
    hierarchy: bool = False,
    rng: np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn labels into targets and say which of them count.

    Args:
        labels: (n, 14) float; 1, 0, -1 (uncertain) or NaN (blank). Without `per_observation`
            and `hierarchy`, any number of columns.
        uncertain: what -1 becomes.
        blank: what NaN becomes.
        per_observation: observations whose -1 becomes something else than `uncertain` says.
        hierarchy: first raise each parent to its children, as `propagate` does.
        rng: where smoothed targets are drawn from; the other policies need none.

    Returns:
        targets: float32 of the same shape; in [0, 1], `OWN_CLASS` where uncertain is a class of
            its own, and 0 where a label does not count.
        counted: bool of the same shape; False where the policy ignores the label.

    Raises:
        ValueError: a label of another value, an unknown policy or observation, or smoothing
            without `rng`.

    Example:
        >>> values, counted = targets(np.array([[1.0, -1.0, np.nan]]), uncertain="ignore")
        >>> values.tolist(), counted.tolist()
        ([[1.0, 0.0, 0.0]], [[True, False, True]])
    """
    if blank not in get_args(Blank):
        raise ValueError(f"blank is {blank!r}; choose {_choices(Blank)}.")
    values = np.array(labels, dtype=float)
    known = np.isnan(values) | np.isin(values, (UNCERTAIN, POSITIVE, NEGATIVE))
    if not known.all():
        raise ValueError(f"a label is {values[~known][0]}; labels are 1, 0, -1 or NaN.")
    if hierarchy:
        values = propagate(values)
    wanted = (values == POSITIVE).astype(np.float32)
    counted = ~np.isnan(values) | (blank == "negative")
    policies = _policies(values.shape[1], uncertain, per_observation)
    low, high = np.array([BOUNDS[policy] for policy in policies]).T
    hedged = values == UNCERTAIN
    wanted[hedged] = (low + (high - low) * _shares(values.shape, low, high, rng))[hedged]
    counted[hedged & (np.array(policies) == "ignore")] = False
    return wanted, counted


def propagate(labels: np.ndarray) -> np.ndarray:
    """Return labels in which each observation is at least as present as its kinds.

    A positive child makes its parent positive; an uncertain child makes a parent uncertain that
    is not positive. Nothing is ever lowered.

    Args:
        labels: (n, 14) float; 1, 0, -1 or NaN.
    """
    raised = labels.copy()
    for child, parent in PARENTS.items():
        given, above = raised[:, OBSERVATIONS.index(child)], raised[:, OBSERVATIONS.index(parent)]
        above[(given == UNCERTAIN) & (above != POSITIVE)] = UNCERTAIN
        above[given == POSITIVE] = POSITIVE
    return raised


def _policies(
    columns: int, uncertain: Uncertain, per_observation: Mapping[str, Uncertain]
) -> list[Uncertain]:
    policies = [uncertain] * columns
    for name, policy in per_observation.items():
        if name not in OBSERVATIONS:
            raise ValueError(f"{name!r} is no observation; choose from {', '.join(OBSERVATIONS)}.")
        policies[OBSERVATIONS.index(name)] = policy
    for policy in policies:
        if policy not in BOUNDS:
            raise ValueError(f"uncertain is {policy!r}; choose {_choices(Uncertain)}.")
    return policies


def _shares(
    shape: tuple[int, ...], low: np.ndarray, high: np.ndarray, rng: np.random.Generator | None
) -> np.ndarray:
    """Return where between its bounds each label's target lies, were it uncertain."""
    if (low == high).all():
        return np.zeros(shape)
    if rng is None:
        raise ValueError("uncertain is smoothed, and its targets are drawn; give rng.")
    return rng.random(shape)


def _choices(literal: object) -> str:
    *others, last = get_args(literal)
    return f"{', '.join(others)} or {last}"
