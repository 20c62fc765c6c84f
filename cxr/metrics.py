"""Classification metrics: arrays in, numbers out.

Conventions: `y_true` is (n,) bool or 0/1, one entry per case; `score` is (n,) float, higher means
more likely, any scale; `probability` is (n,) float in [0, 1]; `weight` is (n,) float >= 0.
`*_score` is better up, `*_loss` better down. What is undefined, such as the AUROC of one class or
the precision of no positive call, is NaN and never 0 or 0.5. Arguments that make no sense raise
ValueError. Rates of a confusion table take a `Confusion`, whose entries may be arrays, so that
one formula serves the data and every bootstrap replicate.

Sources: Hanley & McNeil 1982, Radiology 143:29-36 (AUROC); McClish 1989, Med Decis Making
9:190-195 (partial AUROC); Davis & Goadrich 2006, ICML 233-240 (why average precision is a sum of
steps); Matthews 1975, BBA 405:442-451.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Confusion:
    """Counts of calls against truth; each entry a number or an array of one shape.

    Attributes:
        tp, fp, fn, tn: true positives, false positives, false negatives, true negatives.
    """

    tp: Any
    fp: Any
    fn: Any
    tn: Any


def confusion(y_true: ArrayLike, call: ArrayLike, *, weight: ArrayLike | None = None) -> Confusion:
    """Count calls against truth.

    Args:
        y_true: (n,) bool; the finding is present.
        call: (n,) bool; the finding is called.
        weight: (n,) how often each case counts; once where not given.
    """
    truth, called = _binary(y_true, "y_true"), _binary(call, "call")
    _same_length(truth, called, "call")
    counts = _weights(weight, truth)
    return Confusion(
        tp=float(counts[truth & called].sum()),
        fp=float(counts[~truth & called].sum()),
        fn=float(counts[truth & ~called].sum()),
        tn=float(counts[~truth & ~called].sum()),
    )


def precision_score(table: Confusion) -> Any:
    """Share of positive calls that are right; NaN without a positive call."""
    return _ratio(table.tp, table.tp + table.fp)


def recall_score(table: Confusion) -> Any:
    """Share of present findings that are called (sensitivity); NaN without a positive."""
    return _ratio(table.tp, table.tp + table.fn)


def specificity_score(table: Confusion) -> Any:
    """Share of absent findings that are not called; NaN without a negative."""
    return _ratio(table.tn, table.tn + table.fp)


def negative_predictive_value_score(table: Confusion) -> Any:
    """Share of negative calls that are right; NaN without a negative call."""
    return _ratio(table.tn, table.tn + table.fn)


def accuracy_score(table: Confusion) -> Any:
    """Share of calls that are right."""
    return _ratio(table.tp + table.tn, table.tp + table.fp + table.fn + table.tn)


def f1_score(table: Confusion) -> Any:
    """Harmonic mean of precision and recall, as 2 tp / (2 tp + fp + fn).

    0 where positives stand and none is found; NaN where there is neither a positive nor a
    positive call.
    """
    return _ratio(2 * table.tp, 2 * table.tp + table.fp + table.fn)


def balanced_accuracy_score(table: Confusion) -> Any:
    """Mean of recall and specificity; NaN without both classes."""
    return (recall_score(table) + specificity_score(table)) / 2


def matthews_score(table: Confusion) -> Any:
    """Matthews correlation of calls and truth, in [-1, 1]; NaN where a margin is empty."""
    tp, fp, fn, tn = (
        np.asarray(value, float) for value in (table.tp, table.fp, table.fn, table.tn)
    )
    margins = np.sqrt((tp + fp) * (tp + fn)) * np.sqrt((tn + fp) * (tn + fn))
    return _ratio(tp * tn - fp * fn, margins)


def auroc_score(y_true: ArrayLike, score: ArrayLike, *, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve: how often a positive case scores above a negative one.

    Returns:
        float in [0, 1], a tie counts one half; NaN where only one class is present.

    Raises:
        ValueError: lengths differ, y_true holds anything but 0 and 1, a score is not finite.

    Source: Hanley & McNeil 1982.

    Example:
        >>> auroc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    positive, negative = _tie_groups(y_true, score, weight)
    above = np.cumsum(positive) - positive
    pairs = positive.sum() * negative.sum()
    return float(_ratio((negative * (above + positive / 2)).sum(), pairs))


def partial_auroc_score(
    y_true: ArrayLike, score: ArrayLike, *, max_fpr: float, weight: ArrayLike | None = None
) -> float:
    """AUROC up to a false positive rate, standardised so that chance is 0.5 and perfection 1.

    Raises:
        ValueError: max_fpr is not in (0, 1], or as for `auroc_score`.

    Source: McClish 1989.
    """
    if not 0 < max_fpr <= 1:
        raise ValueError(f"max_fpr is {max_fpr!r}; it must lie in (0, 1].")
    fpr, tpr, _ = roc_curve(y_true, score, weight=weight)
    if np.isnan(fpr).any() or np.isnan(tpr).any():
        return float("nan")
    if max_fpr == 1:
        return auroc_score(y_true, score, weight=weight)
    stop = int(np.searchsorted(fpr, max_fpr, side="right"))
    height = np.interp(max_fpr, fpr[stop - 1 : stop + 1], tpr[stop - 1 : stop + 1])
    area = float(np.trapezoid(np.append(tpr[:stop], height), np.append(fpr[:stop], max_fpr)))
    chance = max_fpr**2 / 2
    return 0.5 * (1 + (area - chance) / (max_fpr - chance))


def partial_auroc_influences(y_true: ArrayLike, score: ArrayLike, *, max_fpr: float) -> Floats:
    """Return what each case moves the partial AUROC by, to first order.

    Resampled means of these, added to `partial_auroc_score`, are its bootstrap replicates without
    a pass over the ranking for each.

    Args:
        y_true: (n,) bool.
        score: (n,) float.
        max_fpr: in (0, 1].

    Returns:
        (n,) float, mean 0; NaN where only one class is present.

    Source: Dodd & Pepe 2003, Biometrics 59:614-623 (the partial area as an expectation over the
    negatives above a quantile), differentiated, the quantile included.
    """
    truth, values = _binary(y_true, "y_true"), np.asarray(score, dtype=np.float64)
    _same_length(truth, values, "score")
    positive, negative = np.sort(values[truth]), np.sort(values[~truth])
    if not len(positive) or not len(negative):
        return np.full(len(truth), np.nan)
    cut = np.quantile(negative, 1 - max_fpr)
    gained = np.maximum(0.0, max_fpr - _share_above(negative, values[truth]))
    first = _share_above(negative, values[~truth]) < max_fpr
    height = float(_share_above(positive, np.array([cut]))[0])
    lost = np.where(first, _share_above(positive, values[~truth]) - height, 0.0)
    moved = np.empty(len(truth))
    moved[truth] = (gained - gained.mean()) / len(positive)
    moved[~truth] = (lost - lost.mean()) / len(negative)
    return moved * len(truth) * 0.5 / (max_fpr - max_fpr**2 / 2)


def _share_above(ordered: Floats, values: Floats) -> Floats:
    """Share of `ordered` above each value; a tie counts one half."""
    ends = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(1 - ends / (2 * len(ordered)))


def average_precision_score(
    y_true: ArrayLike, score: ArrayLike, *, weight: ArrayLike | None = None
) -> float:
    """Mean precision over the positives, each at its own score; no interpolation.

    Returns:
        float in [0, 1]; NaN without a positive. Chance is the prevalence.

    Source: the sum of steps, see Davis & Goadrich 2006 on why not trapezoids.
    """
    positive, negative = _tie_groups(y_true, score, weight)
    found = np.cumsum(positive)
    precision = np.divide(
        found, found + np.cumsum(negative), out=np.zeros_like(found), where=found > 0
    )
    return float(_ratio((positive * precision).sum(), positive.sum()))


def average_precision_lift_score(
    y_true: ArrayLike, score: ArrayLike, *, weight: ArrayLike | None = None
) -> float:
    """Average precision over prevalence: 1 is chance; NaN without a positive."""
    truth = _binary(y_true, "y_true")
    counts = _weights(weight, truth)
    prevalence = _ratio(counts[truth].sum(), counts.sum())
    return float(_ratio(average_precision_score(truth, score, weight=weight), prevalence))


def brier_loss(
    y_true: ArrayLike, probability: ArrayLike, *, weight: ArrayLike | None = None
) -> float:
    """Mean squared distance of probability from truth, in [0, 1]."""
    return _mean(squared_errors(y_true, probability), weight)


def log_loss(
    y_true: ArrayLike, probability: ArrayLike, *, weight: ArrayLike | None = None
) -> float:
    """Mean negative log likelihood in nats; probabilities are kept off 0 and 1 by 2.2e-16."""
    return _mean(log_errors(y_true, probability), weight)


def squared_errors(y_true: ArrayLike, probability: ArrayLike) -> Floats:
    """Return (n,) squared distances, whose mean is `brier_loss`."""
    truth, chance = _probabilities(y_true, probability)
    return (chance - truth) ** 2


def log_errors(y_true: ArrayLike, probability: ArrayLike) -> Floats:
    """Return (n,) negative log likelihoods in nats, whose mean is `log_loss`."""
    truth, chance = _probabilities(y_true, probability)
    margin = np.finfo(float).eps
    kept = np.clip(chance, margin, 1 - margin)
    return -np.where(truth, np.log(kept), np.log1p(-kept))


def subset_accuracy_score(y_true: ArrayLike, call: ArrayLike) -> float:
    """Share of cases with every label right.

    Args:
        y_true: (n, k) bool labels.
        call: (n, k) bool calls.
    """
    truth, called = np.asarray(y_true, bool), np.asarray(call, bool)
    if truth.ndim != 2 or truth.shape != called.shape:
        raise ValueError(
            f"y_true and call have shapes {truth.shape} and {called.shape}; "
            "both must be (cases, labels)."
        )
    return float((truth == called).all(axis=1).mean()) if len(truth) else float("nan")


def roc_curve(
    y_true: ArrayLike, score: ArrayLike, *, weight: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """Corners of the ROC curve, from (0, 0) to (1, 1).

    Returns:
        False positive rates, true positive rates and thresholds, each (distinct scores + 1,); a
        case is called where its score reaches the threshold, the first of which is infinite. The
        rates of a class that is not there are NaN.
    """
    positive, negative = _tie_groups(y_true, score, weight)
    thresholds = np.unique(np.asarray(score, float))[::-1]
    found = np.concatenate([[0.0], np.cumsum(positive)])
    false = np.concatenate([[0.0], np.cumsum(negative)])
    return (
        _ratio(false, false[-1]),
        _ratio(found, found[-1]),
        np.concatenate([[np.inf], thresholds]),
    )


def precision_recall_curve(
    y_true: ArrayLike, score: ArrayLike, *, weight: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """Precision and recall at every distinct score, from the highest down.

    Returns:
        Precision, recall and threshold, each (distinct scores,).
    """
    positive, negative = _tie_groups(y_true, score, weight)
    found = np.cumsum(positive)
    thresholds = np.unique(np.asarray(score, float))[::-1]
    total = found[-1] if len(found) else 0.0
    return _ratio(found, found + np.cumsum(negative)), _ratio(found, total), thresholds


def choose_threshold(
    y_true: ArrayLike, score: ArrayLike, criterion: Callable[[Confusion], Any]
) -> float:
    """The score at which `criterion` is best; the highest of equals.

    Meant for validation data: the threshold is then applied to the test set unseen.

    Args:
        y_true: (n,) bool.
        score: (n,) float.
        criterion: a rate of a `Confusion`, such as `f1_score`, or `youden_score`.

    Returns:
        A threshold on the scale of `score`; NaN where the criterion is undefined everywhere.
    """
    positive, negative = _tie_groups(y_true, score, None)
    thresholds = np.unique(np.asarray(score, float))[::-1]
    tp, fp = np.cumsum(positive), np.cumsum(negative)
    value = np.asarray(
        criterion(Confusion(tp, fp, positive.sum() - tp, negative.sum() - fp)), float
    )
    if not len(value) or np.isnan(value).all():
        return float("nan")
    return float(thresholds[int(np.nanargmax(value))])


def youden_score(table: Confusion) -> Any:
    """Recall + specificity - 1 (Youden 1950, Cancer 3:32-35)."""
    return recall_score(table) + specificity_score(table) - 1


def _tie_groups(
    y_true: ArrayLike, score: ArrayLike, weight: ArrayLike | None
) -> tuple[Floats, Floats]:
    """Weight of positives and of negatives at each distinct score, highest score first."""
    truth = _binary(y_true, "y_true")
    values = np.asarray(score, dtype=np.float64)
    _same_length(truth, values, "score")
    if not np.isfinite(values).all():
        raise ValueError(
            f"score[{int(np.flatnonzero(~np.isfinite(values))[0])}] is not finite; "
            "metrics need finite scores."
        )
    counts = _weights(weight, truth)
    levels, group = np.unique(-values, return_inverse=True)
    size = len(levels)
    positive = np.bincount(group[truth], weights=counts[truth], minlength=size).astype(float)
    negative = np.bincount(group[~truth], weights=counts[~truth], minlength=size).astype(float)
    return positive, negative


def _binary(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; it must have one axis, the cases.")
    if array.dtype == bool:
        return array
    wrong = ~np.isin(array, (0, 1))
    if wrong.any():
        raise ValueError(
            f"{name}[{int(np.flatnonzero(wrong)[0])}] is {array[wrong][0]!r}; "
            "only 0 and 1 are allowed."
        )
    return array.astype(bool)


def _weights(weight: ArrayLike | None, like: NDArray[np.bool_]) -> Floats:
    if weight is None:
        return np.ones(len(like))
    counts = np.asarray(weight, dtype=np.float64)
    _same_length(like, counts, "weight")
    if not (np.isfinite(counts).all() and (counts >= 0).all()):
        raise ValueError("weight must hold finite numbers, none below 0.")
    return counts


def _probabilities(y_true: ArrayLike, probability: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    truth = _binary(y_true, "y_true")
    chance = np.asarray(probability, dtype=np.float64)
    _same_length(truth, chance, "probability")
    if not ((chance >= 0) & (chance <= 1)).all():
        raise ValueError("probability must lie in [0, 1]; turn logits into probabilities first.")
    return truth, chance


def _same_length(first: NDArray[Any], second: NDArray[Any], name: str) -> None:
    if first.shape != second.shape:
        raise ValueError(f"{name} has shape {second.shape}; y_true has {first.shape}.")


def _mean(errors: Floats, weight: ArrayLike | None) -> float:
    counts = np.ones(len(errors)) if weight is None else np.asarray(weight, float)
    return float(_ratio((errors * counts).sum(), counts.sum()))


def _ratio(part: Any, whole: Any) -> Any:
    """`part / whole`, NaN where `whole` is 0; a float for numbers, an array for arrays."""
    top, bottom = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    result = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
    return result if result.ndim else float(result)
