"""Planned widths, errors and power are those of simulated, clustered test sets."""

import numpy as np
import pytest

from cxr.statistics import (
    Sampling,
    area_width,
    auroc_interval,
    clustered_aurocs,
    difference_power,
    paired_area_difference,
    two_sided_p,
)
from cxr.statistics.planning import difference_error
from tests.slow.coverage_model import CLUSTERING, IMAGES, PERSISTENCE, SHARED, draw

EACH = IMAGES * PERSISTENCE + (1 - PERSISTENCE) * np.exp(-(IMAGES - 1) * PERSISTENCE)
"""Positive images of a positive patient in the coverage model: one is forced."""
SETS = 400


@pytest.mark.parametrize(("positives", "patients"), [(20, 400), (100, 400), (60, 120)])
def test_the_plan_is_what_comes_out(positives: int, patients: int) -> None:
    """Mean width, spread of the difference and share of tests that see it agree with the plan.

    The plan leaves out what positive and negative images of one patient have in common, so it
    may ask for up to some 10 % too much; it must not promise more than comes out.
    """
    sampling = Sampling(
        positives * EACH / (IMAGES * patients),
        IMAGES,
        CLUSTERING,
        float((EACH - 1) / (IMAGES - 1)),
    )
    rng = np.random.default_rng(positives)
    widths, differences, seen = [], [], []
    for _ in range(SETS):
        one = draw(
            rng, positives=positives, patients=patients, aurocs=(0.8, 0.86), fixed=False, missed=0
        )
        ends = auroc_interval(clustered_aurocs(one.present, one.scores, one.patient))
        found = paired_area_difference(one.present, *one.scores.T, one.patient)
        widths.append(ends.high - ends.low)
        differences.append(found.value)
        seen.append(two_sided_p(found.value, found.error, found.freedom) < 0.05)
    assert area_width(0.8, patients, sampling) / np.mean(widths) == pytest.approx(1.02, abs=0.08)
    error = difference_error(0.8, 0.06, SHARED, patients, sampling)
    assert 0.93 < error / np.std(differences) < 1.17  # 400 sets know the spread to 3.5 %
    power = difference_power(0.8, 0.06, patients, sampling, between=SHARED)
    assert -0.13 < power - np.mean(seen) < 0.06  # 400 sets know a share to 2.5 %
