"""How often the interval of a difference of architectures holds the truth, over seeds and patients.

The model: a network's seeds have areas around its own, normal with a given spread; scores are
binormal, with a part that all scores of a patient share, a part of the image and a part of the
seed. Patients have one to four images.
"""

import math

import numpy as np
import pytest
from scipy.stats import norm

from cxr.statistics import (
    EXTRA_FREEDOM,
    Interval,
    area_freedom,
    clustered_aurocs,
    difference_interval,
    pooled_freedom,
    seed_variance,
)

TRIALS = 300
AREA, PREVALENCE = 0.8, 0.15


def _scores(rng: np.random.Generator, seeds: int, patients: int, spread: float):
    patient = np.repeat(np.arange(patients), rng.integers(1, 5, patients))
    sick = (rng.random(patients) < PREVALENCE)[patient]
    shared = math.sqrt(0.5) * rng.normal(size=patients)[patient]
    shared = shared + math.sqrt(0.2) * rng.normal(size=len(patient))
    areas = np.clip(AREA + spread * rng.normal(size=2 * seeds), 0.55, 0.99)
    own = math.sqrt(0.3) * rng.normal(size=(len(patient), 2 * seeds))
    return sick, math.sqrt(2) * norm.ppf(areas) * sick[:, None] + shared[:, None] + own, patient


def _intervals(
    rng: np.random.Generator, seeds: int, patients: int, spread: float
) -> tuple[Interval, Interval]:
    """The interval over patients alone, and the one that holds both, of a true difference of 0."""
    areas = clustered_aurocs(*_scores(rng, seeds, patients, spread))
    signs = np.repeat([-1.0, 1.0], seeds) / seeds
    value, variance = float(areas.auroc @ signs), float(signs @ areas.covariance @ signs)
    freedom = area_freedom(areas, areas.influence @ signs) + EXTRA_FREEDOM
    more, few = seed_variance([areas.auroc[:seeds], areas.auroc[seeds:]])
    pooled = pooled_freedom(np.array([variance, more]), np.array([freedom, few]))
    return (
        difference_interval(value, math.sqrt(variance), freedom),
        difference_interval(value, math.sqrt(variance + more), pooled),
    )


@pytest.mark.parametrize(
    ("seeds", "patients", "spread"),
    [(2, 300, 0.01), (3, 300, 0.01), (3, 300, 0.03), (5, 300, 0.0), (5, 1000, 0.01)],
)
def test_both_spreads_are_in_the_interval(seeds: int, patients: int, spread: float) -> None:
    """Between 92 % and all intervals hold the truth; those over patients alone fall short."""
    rng = np.random.default_rng(seeds * patients)
    pairs = [_intervals(rng, seeds, patients, spread) for _ in range(TRIALS)]
    patients_alone, both = (
        np.mean([one.low <= 0 <= one.high for one in kind]) for kind in zip(*pairs, strict=True)
    )
    assert both >= 0.92
    assert both >= patients_alone
    if spread * patients >= 9:  # seeds then matter as much as patients do
        assert patients_alone < 0.85
