"""Agreement between readers against published examples and independent code."""

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from cxr.agreement import (
    MISSING,
    Ratings,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    percent_agreement,
)

NONE = MISSING


def ratings(values: list[list[int]] | np.ndarray, categories: int, **given: object) -> Ratings:
    """Return ratings, each case of a patient of its own and of weight 1 unless given."""
    array = np.asarray(values)
    return Ratings(
        array,
        categories,
        np.asarray(given.get("patients", np.arange(len(array)))),
        np.asarray(given.get("weights", np.ones(len(array))), float),
    )


# Gwet, Handbook of Inter-Rater Reliability (4th ed. 2014): 12 units, 4 raters, 5 categories.
GWET = [
    [0, 0, NONE, 0], [1, 1, 2, 1], [2, 2, 2, 2], [2, 2, 2, 2], [1, 1, 1, 1], [0, 1, 2, 3],
    [3, 3, 3, 3], [0, 0, 1, 0], [1, 1, 1, 1], [NONE, 4, 4, 4], [NONE, NONE, 0, 0],
    [NONE, NONE, 2, NONE],
]  # fmt: skip


@pytest.mark.parametrize(
    ("coefficient", "value", "error"),
    [(gwet_ac1, 0.77544, 0.14295), (fleiss_kappa, 0.76117, 0.15302)],
)
def test_four_raters_with_gaps_give_the_published_coefficients(
    coefficient: object, value: float, error: float
) -> None:
    """AC1 and Fleiss' kappa of Gwet's example, with gaps, have his values and standard errors."""
    found = coefficient(ratings(GWET, 5))  # type: ignore[operator]
    assert found.estimate == pytest.approx(value, abs=5e-6)
    assert found.low == pytest.approx(value - 2.200985 * error, abs=5e-5)
    assert found.high == 1.0


def test_percent_agreement_is_the_published_one() -> None:
    """The share of agreeing pairs in Gwet's example is 0.81818."""
    assert percent_agreement(ratings(GWET, 5)).estimate == pytest.approx(0.8181818)


# Fleiss, Psychological Bulletin 1971;76:378: 30 patients, 6 raters, 5 diagnoses.
FLEISS = [
    (0, 0, 0, 6, 0), (0, 3, 0, 0, 3), (0, 1, 4, 0, 1), (0, 0, 0, 0, 6), (0, 3, 0, 3, 0),
    (2, 0, 4, 0, 0), (0, 0, 4, 0, 2), (2, 0, 3, 1, 0), (2, 0, 0, 4, 0), (0, 0, 0, 0, 6),
    (1, 0, 0, 5, 0), (1, 1, 0, 4, 0), (0, 3, 3, 0, 0), (1, 0, 0, 5, 0), (0, 2, 0, 3, 1),
    (0, 0, 5, 0, 1), (3, 0, 0, 1, 2), (5, 1, 0, 0, 0), (0, 2, 0, 4, 0), (1, 0, 2, 0, 3),
    (0, 0, 0, 0, 6), (0, 1, 0, 5, 0), (0, 2, 0, 1, 3), (2, 0, 0, 4, 0), (1, 0, 0, 4, 1),
    (0, 5, 0, 1, 0), (4, 0, 0, 0, 2), (0, 2, 0, 4, 0), (1, 0, 5, 0, 0), (0, 0, 0, 0, 6),
]  # fmt: skip


def test_fleiss_own_example_gives_his_kappa() -> None:
    """The 30 patients and 6 raters of Fleiss' paper have kappa 0.430."""
    rows = [[c for c, n in enumerate(counts) for _ in range(n)] for counts in FLEISS]
    assert fleiss_kappa(ratings(rows, 5)).estimate == pytest.approx(0.430, abs=5e-4)


def sample(seed: int, cases: int = 80, categories: int = 3) -> np.ndarray:
    """Return two readers who agree half of the time."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, categories, cases)
    second = np.where(rng.random(cases) < 0.5, first, rng.integers(0, categories, cases))
    return np.stack([first, second], axis=1)


def large_sample_error(table: np.ndarray) -> float:
    """Standard error of Cohen's kappa by Fleiss, Cohen & Everitt (1969), from a table of counts."""
    n = table.sum()
    p = table / n
    row, column = p.sum(axis=1), p.sum(axis=0)
    seen, chance = np.trace(p), row @ column
    kappa = (seen - chance) / (1 - chance)
    inner = 0.0
    for i, j in itertools.product(range(len(p)), repeat=2):
        if i == j:
            inner += p[i, i] * (1 - (row[i] + column[i]) * (1 - kappa)) ** 2
        else:
            inner += p[i, j] * (1 - kappa) ** 2 * (column[i] + row[j]) ** 2
    inner -= (kappa - chance * (1 - kappa)) ** 2
    return math.sqrt(inner / (n * (1 - chance) ** 2))


@pytest.mark.parametrize("seed", range(4))
def test_cohens_kappa_is_scikit_learns_with_the_large_sample_error(seed: int) -> None:
    """Value as scikit-learn's; error as Fleiss, Cohen & Everitt's with n - 1 for n."""
    values = sample(seed)
    found = cohen_kappa(ratings(values, 3))
    assert found.estimate == pytest.approx(cohen_kappa_score(values[:, 0], values[:, 1]))
    table = np.zeros((3, 3))
    np.add.at(table, (values[:, 0], values[:, 1]), 1)
    error = large_sample_error(table) * math.sqrt(80 / 79)
    assert found.high - found.estimate == pytest.approx(1.99045 * error, rel=1e-5)


def test_three_diagnoses_give_the_published_kappa() -> None:
    """Gwet's 100 pregnant women (two abstractors, three outcomes): kappa 0.7964, error 0.0589."""
    counts = {(0, 0): 13, (1, 1): 20, (1, 2): 7, (2, 1): 4, (2, 2): 56}
    found = cohen_kappa(ratings([list(pair) for pair, n in counts.items() for _ in range(n)], 3))
    assert found.estimate == pytest.approx(0.7964094, abs=1e-7)
    error = 0.05891072 * math.sqrt(100 / 99)  # his table divides by n
    assert found.high - found.estimate == pytest.approx(1.984217 * error, abs=1e-6)


def test_a_weight_of_two_counts_as_two_cases() -> None:
    """A case of weight 2 moves a coefficient as two such cases do."""
    values = sample(5, cases=20)
    doubled = np.concatenate([values, values[:7]])
    weights = np.where(np.arange(20) < 7, 2.0, 1.0)
    for coefficient in (cohen_kappa, fleiss_kappa, gwet_ac1, percent_agreement):
        once = coefficient(ratings(values, 3, weights=weights))
        twice = coefficient(ratings(doubled, 3))
        assert once.estimate == pytest.approx(twice.estimate)


def test_images_of_one_patient_are_no_new_witnesses() -> None:
    """Cases repeated within their patients leave the interval as wide as it was."""
    values = sample(6, cases=30)
    repeated = ratings(np.repeat(values, 3, axis=0), 3, patients=np.repeat(np.arange(30), 3))
    for coefficient in (cohen_kappa, fleiss_kappa, gwet_ac1, percent_agreement):
        once, often = coefficient(ratings(values, 3)), coefficient(repeated)
        assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_rare_findings_leave_ac1_high_where_kappa_falls() -> None:
    """18 of 20 cases absent for both, one said present by each alone: kappa below 0, AC1 high."""
    values = [[0, 0]] * 18 + [[0, 1], [1, 0]]
    assert cohen_kappa(ratings(values, 2)).estimate == pytest.approx(-0.0526, abs=1e-4)
    assert gwet_ac1(ratings(values, 2)).estimate == pytest.approx(0.8895, abs=1e-4)


def test_what_can_not_be_said_has_a_reason() -> None:
    """One reader, one patient, one answer, no difference: each has its reason."""
    assert gwet_ac1(ratings([[0], [1]], 2)).reason == "no case was read by two readers"
    assert cohen_kappa(ratings([[0, 0], [0, 0]], 2)).reason == "every answer is the same"
    assert gwet_ac1(ratings([[0, 1]], 2)).reason == "one patient"
    same = fleiss_kappa(ratings([[0, 0], [1, 1]], 2))
    assert (same.estimate, same.reason) == (1.0, "the readers never differed")
    assert math.isnan(same.low)


@pytest.mark.parametrize(
    ("values", "given", "words"),
    [
        ([[0, 2]], {}, "must be -1 to 1"),
        ([[0, 1]], {"weights": [0.0]}, "above 0"),
        ([[0, 1]], {"patients": [1, 2]}, "of patients"),
    ],
)
def test_ratings_that_make_no_sense_are_refused(
    values: list[list[int]], given: dict[str, object], words: str
) -> None:
    """An unknown category, a weight of 0, or patients of other cases raise ValueError."""
    with pytest.raises(ValueError, match=words):
        ratings(values, 2, **given)
    with pytest.raises(ValueError, match="two readers, not 3"):
        cohen_kappa(ratings([[0, 1, 0]], 2))
