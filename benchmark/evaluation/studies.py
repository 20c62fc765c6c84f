"""From images to studies: a study's scores are the mean, or the largest, of its images'.

A radiologist reports a study and not an image, and labels from reports are of studies; a study
with many images counts once here and not many times.
"""

from typing import Literal

import numpy as np
import pandas as pd

from benchmark.evaluation.documents import scored_columns
from cxr.observations import NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN

Pooling = Literal["mean", "max"]
LEVELS: dict[Pooling, str] = {
    "mean": "study, mean logit of its images",
    "max": "study, largest logit of its images",
}


def by_study(
    cases: pd.DataFrame, logits: np.ndarray, pooling: Pooling
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return one row for each study, and its scores.

    Args:
        cases: one row per image; image_id, study_id, patient_id and labels. An image without a
            study is one of its own.
        logits: (cases, 14) float.
        pooling: how a study's scores come from its images'.

    Returns:
        Cases with the first image's columns of each study, image_id being the study's, a label
        being present where any image's is, else hedged, else absent, else blank, and true where
        any image's is; and (studies, 14) float.
    """
    study = cases["study_id"].where(cases["study_id"] != "", cases["image_id"]).to_numpy(str)
    names, place = np.unique(study, return_inverse=True)
    first = np.full(len(names), len(cases))
    np.minimum.at(first, place, np.arange(len(cases)))
    frame = cases.iloc[first].reset_index(drop=True).assign(image_id=names)
    for name in OBSERVATIONS:
        labels = cases[f"label:{name}"].to_numpy(float)
        frame[f"label:{name}"] = np.select(
            [_any(labels == value, place, len(names)) for value in (POSITIVE, UNCERTAIN, NEGATIVE)],
            [POSITIVE, UNCERTAIN, NEGATIVE],
            np.nan,
        )
        if f"truth:{name}" in cases:
            truth = cases[f"truth:{name}"].to_numpy() == 1
            frame[f"truth:{name}"] = _any(truth, place, len(names))
    pooled = np.full((len(names), logits.shape[1]), -np.inf if pooling == "max" else 0.0)
    if pooling == "max":
        np.maximum.at(pooled, place, logits)
    else:
        np.add.at(pooled, place, logits.astype(float))
        pooled /= np.bincount(place)[:, None]
    return frame, np.where(scored_columns(logits), pooled, np.nan)


def _any(chosen: np.ndarray, place: np.ndarray, size: int) -> np.ndarray:
    return np.bincount(place[chosen], minlength=size) > 0
