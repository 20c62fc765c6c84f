"""How uncertain and blank labels become training targets: the label policy, in one place.

"positive" for uncertain labels is U-Ones, "negative" U-Zeros, "ignore" U-Ignore (Irvin et al.
2019, AAAI 33:590-597, section 4). The study counts uncertain as positive, blank as negative.
"""

from typing import Literal

import numpy as np

from cxr.observations import NEGATIVE, POSITIVE, UNCERTAIN


def targets(
    labels: np.ndarray,
    *,
    uncertain: Literal["positive", "negative", "ignore"] = "positive",
    blank: Literal["negative", "ignore"] = "negative",
) -> tuple[np.ndarray, np.ndarray]:
    """Turn labels into targets and say which of them count.

    Args:
        labels: (n, 14) float; 1, 0, -1 (uncertain) or NaN (blank).
        uncertain: what -1 becomes.
        blank: what NaN becomes.

    Returns:
        targets: float32 of the same shape; 0 or 1, and 0 where a label does not count.
        counted: bool of the same shape; False where the policy ignores the label.

    Raises:
        ValueError: a label of another value, or an unknown policy.

    Example:
        >>> values, counted = targets(np.array([[1.0, -1.0, np.nan]]), uncertain="ignore")
        >>> values.tolist(), counted.tolist()
        ([[1.0, 0.0, 0.0]], [[True, False, True]])
    """
    if uncertain not in ("positive", "negative", "ignore"):
        raise ValueError(f"uncertain is {uncertain!r}; choose positive, negative or ignore.")
    if blank not in ("negative", "ignore"):
        raise ValueError(f"blank is {blank!r}; choose negative or ignore.")
    values = np.asarray(labels, dtype=float)
    is_blank = np.isnan(values)
    is_uncertain = values == UNCERTAIN
    known = is_blank | is_uncertain | (values == POSITIVE) | (values == NEGATIVE)
    if not known.all():
        raise ValueError(f"a label is {values[~known][0]}; labels are 1, 0, -1 or NaN.")
    positive = (values == POSITIVE) | (is_uncertain & (uncertain == "positive"))
    ignored = (is_uncertain & (uncertain == "ignore")) | (is_blank & (blank == "ignore"))
    return positive.astype(np.float32), ~ignored
