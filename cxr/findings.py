"""Predictions in words: a short findings text that our own labeler reads back unchanged.

What is called present is stated with its place, what lies near its operating point is stated as
possible, what is called absent is denied; what was not judged is not named. No Finding has no
sentence of its own: it is what follows where nothing but devices is present or possible (C14 of
`cxr/labeling/CONVENTIONS.md`), and so it is for `label_report`, which returns for the text
exactly the values that it was written from.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from cxr.observations import (
    BLANK,
    NEGATIVE,
    NO_FINDING,
    OBSERVATIONS,
    POSITIVE,
    SUPPORT_DEVICES,
    UNCERTAIN,
)
from cxr.regions import Region, describe_region

NOTICE = "Machine-written from the scores of a network. Not for clinical use."

_PHRASES: dict[str, str] = {
    "Enlarged Cardiomediastinum": "widened mediastinum",
    "Cardiomegaly": "cardiomegaly",
    "Lung Opacity": "lung opacity",
    "Lung Lesion": "lung lesion",
    "Edema": "pulmonary edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural effusion",
    "Pleural Other": "other pleural abnormality",
    "Fracture": "fracture",
    "Support Devices": "support device",
}
_CLOSING = "Nothing else abnormal is called."


def call_observations(
    scores: ArrayLike, points: ArrayLike, *, doubt: float = 1.0
) -> NDArray[np.float64]:
    """Turn scores into the values of a label, consistent with one another.

    Args:
        scores: (14,) float in [0, 1]; NaN where there is none.
        points: operating points, (14,) or one for all; an observation is called where its score
            reaches its own. NaN where there is none.
        doubt: a score whose odds differ from the operating point's by less than this factor is
            possible, neither called nor denied; 1 for none. A factor, because 0.05 is little
            beside 0.5 and much beside 0.04.

    Returns:
        (14,) float: 1, 0, -1 (possible) or NaN (not judged). No Finding is 1 where nothing but
        devices is 1 or -1, else NaN, whatever the network scores for it.

    Raises:
        ValueError: not 14 scores or points, one outside [0, 1], or a doubt below 1.

    Example:
        >>> values = call_observations(np.full(14, 0.2), 0.5)
        >>> values[0], values[1]
        (np.float64(1.0), np.float64(0.0))
    """
    given = np.asarray(scores, dtype=float)
    limits = np.broadcast_to(np.asarray(points, dtype=float), given.shape)
    if given.shape != (len(OBSERVATIONS),):
        raise ValueError(f"scores have shape {given.shape}; expected ({len(OBSERVATIONS)},).")
    if doubt < 1 or any(((part < 0) | (part > 1)).any() for part in (given, limits)):
        raise ValueError("scores and operating points are from 0 to 1, and doubt is 1 or more.")
    values = np.where(given >= limits, POSITIVE, NEGATIVE)
    with np.errstate(invalid="ignore"):  # both scores at 0, or both at 1
        apart = np.abs(logit(given) - logit(limits))
    values[apart < np.log(doubt)] = UNCERTAIN
    values[np.isnan(given) | np.isnan(limits)] = BLANK
    return _consistent(values)


def findings_text(
    values: Sequence[float] | NDArray[np.float64],
    *,
    regions: Mapping[str, Sequence[Region]] | None = None,
    scores: ArrayLike | None = None,
    points: ArrayLike | None = None,
) -> str:
    """Write the findings that a prediction amounts to.

    Args:
        values: (14,) of 1, 0, -1 or NaN, as `call_observations` returns them.
        regions: observation -> where its evidence lies; for what is present or possible.
        scores: (14,) float, printed beside what is present or possible.
        points: operating points, (14,) or one for all, printed beside the scores.

    Returns:
        Lines under a notice that a machine wrote them. `label_report` of the text returns
        `values`.

    Raises:
        ValueError: not 14 values, another value, or No Finding that contradicts the others.

    Example:
        >>> values = call_observations([0] * 10 + [0.9] + [0] * 3, 0.5)
        >>> print(findings_text(values).splitlines()[3])
        Pleural effusion.
    """
    given = np.asarray(values, dtype=float)
    _check(given)
    named = [(i, name) for i, name in enumerate(OBSERVATIONS) if name != NO_FINDING]
    numbers = _numbers(scores, points)
    lines = []
    for value, start in ((POSITIVE, ""), (UNCERTAIN, "Possible ")):
        for index, name in named:
            if given[index] == value:
                places = [describe_region(r) for r in (regions or {}).get(name, ())]
                words = start + _PHRASES[name] + (f": {'; '.join(places)}" if places else "")
                lines.append(f"{words[0].upper()}{words[1:]}{numbers[index]}.")
    absent = [_PHRASES[name] for index, name in named if given[index] == NEGATIVE]
    if absent:
        lines.append(f"No {_listed(absent)}.")
    judged = [index for index, _ in named if not np.isnan(given[index])]
    if len(judged) < len(named):
        lines.append(f"Not judged: {len(named) - len(judged)} of {len(named)} observations.")
    elif given[OBSERVATIONS.index(NO_FINDING)] == POSITIVE:
        lines.append(_CLOSING)
    return "\n".join([NOTICE, "", "FINDINGS:", *lines, ""])


def _consistent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    pathology = [
        i for i, name in enumerate(OBSERVATIONS) if name not in (NO_FINDING, SUPPORT_DEVICES)
    ]
    clear = not np.isin(values[pathology], (POSITIVE, UNCERTAIN)).any()
    result = values.copy()
    result[OBSERVATIONS.index(NO_FINDING)] = POSITIVE if clear else BLANK
    return result


def _check(values: NDArray[np.float64]) -> None:
    if values.shape != (len(OBSERVATIONS),):
        raise ValueError(f"values have shape {values.shape}; expected ({len(OBSERVATIONS)},).")
    known = np.isnan(values) | np.isin(values, (POSITIVE, NEGATIVE, UNCERTAIN))
    if not known.all():
        raise ValueError(f"a value is {values[~known][0]}; values are 1, 0, -1 or NaN.")
    if not np.array_equal(values, _consistent(values), equal_nan=True):
        raise ValueError(
            f"{NO_FINDING} is {values[OBSERVATIONS.index(NO_FINDING)]:g}; it is 1 where nothing "
            "but devices is present or possible, and NaN elsewhere."
        )


def _numbers(scores: ArrayLike | None, points: ArrayLike | None) -> list[str]:
    """Return what is printed behind each observation: its score and operating point."""
    if scores is None:
        return [""] * len(OBSERVATIONS)
    given = np.asarray(scores, dtype=float)
    if points is None:
        return [f" (score {score:.2f})" for score in given]
    limits = np.broadcast_to(np.asarray(points, dtype=float), given.shape)
    return [
        f" (score {score:.2f}, operating point {limit:.2f})"
        for score, limit in zip(given, limits, strict=True)
    ]


def _listed(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
