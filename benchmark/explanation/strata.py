"""How hits depend on the size and the number of lesions: a part of localization.json."""

from typing import Any

import numpy as np
import pandas as pd

from benchmark.config import EvaluationConfig
from benchmark.explanation.pointing import Pairs
from cxr.localization import mean_estimate
from cxr.statistics import resample_patients

SIZES: tuple[tuple[float, float, str], ...] = (
    (0.0, 0.01, "below 1 % of the picture"),
    (0.01, 0.05, "1 % to 5 %"),
    (0.05, np.inf, "5 % or more"),
)
"""Classes of lesions by their share of the picture."""


def strata_document(
    cases: pd.DataFrame, pairs: Pairs, settings: EvaluationConfig
) -> list[dict[str, Any]]:
    """Return the "strata" of localization.json: hits by size and number of lesions.

    All observations of the test images together, each image and observation counting once.

    Args:
        cases: image_id, patient_id and split, in the order that `pairs` counts in.
        pairs: what `measure_pairs` returned for `cases`.
        settings: replicates, their seed, and the smallest support.
    """
    tests = np.flatnonzero((cases["split"] == "test").to_numpy()[pairs.row])
    if not len(tests):
        return []
    patients = cases["patient_id"].to_numpy(str)[pairs.row[tests]]
    rng = np.random.default_rng(settings.seed)
    draws = resample_patients(patients, replicates=settings.replicates, rng=rng)
    area, parts = pairs.scores["map"].area[tests], pairs.parts[tests]
    groups = [("size", words, (area >= low) & (area < high)) for low, high, words in SIZES] + [
        ("number", "one part", parts == 1),
        ("number", "two parts or more", parts > 1),
    ]
    entries = []
    for kind, words, belongs in groups:

        def mean(values: np.ndarray, belongs: np.ndarray = belongs) -> dict[str, Any]:
            support = settings.min_patients
            counted = np.where(belongs, values, np.nan)
            return mean_estimate(counted, draws, min_patients=support).as_json()

        entries.append(
            {
                "kind": kind,
                "words": words,
                "pairs": int(belongs.sum()),
                "patients": len(np.unique(patients[belongs])),
                "hit_rate": mean(pairs.scores["map"].hit[tests]),
                "random": mean(area),
                "pixel_precision": mean(pairs.pixel_precision[tests]),
            }
        )
    return entries
