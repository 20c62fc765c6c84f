"""How uncertain and blank labels become training targets: the label policy, in one place.

"positive" for uncertain labels is U-Ones, "negative" U-Zeros, "ignore" U-Ignore (Irvin et al.
2019, AAAI 33:590-597, section 4). "positive-smoothed" and "negative-smoothed" draw each
uncertain target between two bounds: U-Ones+LSR and U-Zeros+LSR (Pham et al. 2021,
Neurocomputing 437:186-194, section 3.3). The study counts uncertain as positive, blank as
negative.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import numpy as np

from cxr.observations import NEGATIVE, POSITIVE, UNCERTAIN

Uncertain: TypeAlias = Literal[
    "positive", "negative", "ignore", "positive-smoothed", "negative-smoothed"
]
Blank: TypeAlias = Literal["negative", "ignore"]

SMOOTHED: Mapping[str, tuple[float, float]] = {
    "positive": (1.0, 1.0),
    "negative": (0.0, 0.0),
    "ignore": (0.0, 0.0),
    "positive-smoothed": (0.55, 0.85),
    "negative-smoothed": (0.0, 0.3),
}
"""Policy -> the bounds between which an uncertain label's target lies."""


def targets(
    labels: np.ndarray,
    *,
    uncertain: Uncertain = "positive",
    blank: Blank = "negative",
    rng: np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn labels into targets and say which of them count.

    Args:
        labels: (n, 14) float; 1, 0, -1 (uncertain) or NaN (blank).
        uncertain: what -1 becomes.
        blank: what NaN becomes.
        rng: where smoothed targets are drawn from; the other policies need none.

    Returns:
        targets: float32 of the same shape; in [0, 1], and 0 where a label does not count.
        counted: bool of the same shape; False where the policy ignores the label.

    Raises:
        ValueError: a label of another value, an unknown policy, or smoothing without `rng`.

    Example:
        >>> values, counted = targets(np.array([[1.0, -1.0, np.nan]]), uncertain="ignore")
        >>> values.tolist(), counted.tolist()
        ([[1.0, 0.0, 0.0]], [[True, False, True]])
    """
    if uncertain not in SMOOTHED:
        raise ValueError(f"uncertain is {uncertain!r}; choose {_choices(Uncertain)}.")
    if blank not in get_args(Blank):
        raise ValueError(f"blank is {blank!r}; choose {_choices(Blank)}.")
    values = np.asarray(labels, dtype=float)
    is_blank = np.isnan(values)
    is_uncertain = values == UNCERTAIN
    known = is_blank | is_uncertain | (values == POSITIVE) | (values == NEGATIVE)
    if not known.all():
        raise ValueError(f"a label is {values[~known][0]}; labels are 1, 0, -1 or NaN.")
    wanted = np.where(is_uncertain, _hedged(values.shape, uncertain, rng), values == POSITIVE)
    ignored = (is_uncertain & (uncertain == "ignore")) | (is_blank & (blank == "ignore"))
    return wanted.astype(np.float32), ~ignored


def _hedged(
    shape: tuple[int, ...], uncertain: Uncertain, rng: np.random.Generator | None
) -> np.ndarray | float:
    """Return what uncertain labels become, one value for each label of an array."""
    low, high = SMOOTHED[uncertain]
    if low == high:
        return low
    if rng is None:
        raise ValueError(f"uncertain is {uncertain!r}, whose targets are drawn; give rng.")
    return rng.uniform(low, high, shape)


def _choices(literal: object) -> str:
    *others, last = get_args(literal)
    return f"{', '.join(others)} or {last}"
