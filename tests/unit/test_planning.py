"""Sample sizes: the formulas against independent ones, and what the command prints."""

import json
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from cxr.statistics import (
    Sampling,
    area_width,
    difference_power,
    expected_cases,
    patient_freedom,
    patients_for_difference,
    patients_for_width,
)
from cxr.statistics.intervals import binormal_variance
from cxr.statistics.planning import (
    binormal_covariance,
    design_effect,
    difference_error,
)
from tests.score_tables import make_cases, make_logits, write_run
from tests.tiny_run import command


def test_a_score_covaries_with_itself_by_its_variance() -> None:
    """The covariance of two perfectly correlated scores is the variance of one."""
    for area in (0.6, 0.8, 0.95):
        assert binormal_covariance(area, area, 1.0, 20, 50) == pytest.approx(
            binormal_variance(area, 20, 50), rel=1e-6
        )
        assert binormal_covariance(area, 0.7, 0.0, 20, 50) == pytest.approx(0.0, abs=1e-9)


def test_the_covariance_is_that_of_simulated_scores() -> None:
    """Areas of many drawn test sets covary as the formula says, to three standard errors."""
    rng = np.random.default_rng(0)
    first, second, between, positives, negatives, sets = 0.7, 0.85, 0.6, 15, 40, 3000
    shifts = np.sqrt(2) * norm.ppf([first, second])
    table = np.array([[1, between], [between, 1]])
    sick = rng.multivariate_normal([0, 0], table, size=(sets, positives)) + shifts
    well = rng.multivariate_normal([0, 0], table, size=(sets, negatives))
    areas = (sick[:, :, None, :] > well[:, None, :, :]).mean(axis=(1, 2))
    found = np.cov(areas.T)
    expected = binormal_covariance(first, second, between, positives, negatives)
    error = math.sqrt((found[0, 0] * found[1, 1] + expected**2) / sets)
    assert abs(found[0, 1] - expected) < 3 * error


def test_the_variance_is_hanley_and_mcneils_with_the_exact_integral() -> None:
    """The chance that one positive beats two negatives is integrated over its score."""
    area, positives, negatives = 0.8, 30, 70
    shift = math.sqrt(2) * norm.ppf(area)
    both, _ = quad(lambda x: norm.pdf(x - shift) * norm.cdf(x) ** 2, -9, 12)
    parts = area * (1 - area) + (positives + negatives - 2) * (both - area**2)
    assert binormal_variance(area, positives, negatives) == pytest.approx(
        parts / (positives * negatives), rel=1e-8
    )


def test_design_effect_on_hand_computed_sizes() -> None:
    """Lone images count fully; alike copies count once a patient of typical size."""
    assert design_effect(1.0, 0.9) == 1.0
    assert design_effect(3.0, 0.0) == 1.0
    sizes = 1 + np.random.default_rng(1).poisson(1.5, 400_000)
    typical = (sizes**2).sum() / sizes.sum()
    assert design_effect(2.5, 1.0) == pytest.approx(typical, rel=0.005)


def test_expected_cases_add_up() -> None:
    """Images, positives and positive patients follow from prevalence and persistence."""
    found = expected_cases(1000, Sampling(0.1, 3.0, correlation=0.0, persistence=0.5))
    assert (found.images, found.positives) == (3000, pytest.approx(300))
    assert found.positive_patients == pytest.approx(150)  # 1 + 2 x 0.5 images each
    assert found.effective_positives == pytest.approx(300)
    assert found.effective_negatives == pytest.approx(2700)


def test_freedom_is_that_of_the_patients_sizes() -> None:
    """The interval uses as many degrees of freedom as drawn sizes give on average."""
    from cxr.statistics.planning import _freedom

    sampling = Sampling(0.1, 2.5, persistence=1.0)
    found = expected_cases(2000, sampling)
    rng = np.random.default_rng(2)
    drawn = [
        patient_freedom(1 + rng.poisson(1.5, round(found.positive_patients))) for _ in range(200)
    ]
    assert _freedom(found, sampling) == pytest.approx(np.mean(drawn), rel=0.05)


@pytest.mark.parametrize("prevalence", [0.02, 0.2])
def test_the_fewest_patients_are_enough_and_one_less_is_not(prevalence: float) -> None:
    """The search ends exactly where the aim is first met."""
    sampling = Sampling(prevalence, 2.5)
    number = patients_for_width(0.1, 0.8, sampling)
    assert number is not None
    assert area_width(0.8, number, sampling) <= 0.1 < area_width(0.8, number - 1, sampling)
    told = {"between": 0.7, "tests": 14}
    number = patients_for_difference(0.8, -0.03, sampling, power=0.9, **told)
    assert number is not None
    assert difference_power(0.8, -0.03, number, sampling, **told) >= 0.9
    assert difference_power(0.8, -0.03, number - 1, sampling, **told) < 0.9


def test_power_is_that_of_a_z_test_where_patients_are_many() -> None:
    """With very many patients the t quantile is the normal's, and the power is the textbook's."""
    sampling = Sampling(0.3)
    error = difference_error(0.8, 0.01, 0.7, 20_000, sampling)
    wanted = norm.cdf(0.01 / error - norm.ppf(0.975))
    found = difference_power(0.8, 0.01, 20_000, sampling, between=0.7)
    assert found == pytest.approx(wanted, abs=1e-3)


def test_more_of_anything_that_helps_needs_fewer_patients() -> None:
    """Rarer findings, clustering, more tests and less alike networks ask for more patients."""

    def needed(between: float = 0.7, tests: int = 1, **sampling: float) -> int:
        found = patients_for_difference(
            0.8,
            -0.05,
            Sampling(**{"prevalence": 0.1, "images_per_patient": 2.0, **sampling}),
            power=0.8,
            between=between,
            tests=tests,
        )
        assert found is not None
        return found

    base = needed()
    assert needed(prevalence=0.05) > base > needed(prevalence=0.2)
    assert needed(correlation=0.9) > base > needed(correlation=0.1)
    assert needed(between=0.4) > base > needed(between=0.9)
    assert needed(tests=14) > base
    assert needed(images_per_patient=1.0) > base


def test_the_impossible_is_none_or_refused() -> None:
    """Ten million patients that are not enough give None; values without sense are refused."""
    assert patients_for_width(1e-6, 0.8, Sampling(0.001)) is None
    for wrong in ({"prevalence": 0}, {"prevalence": 1}, {"images_per_patient": 0.5}):
        with pytest.raises(ValueError, match="it must be"):
            Sampling(**{"prevalence": 0.1, **wrong})
    with pytest.raises(ValueError, match="more positive patients than there"):
        expected_cases(100, Sampling(0.9, 3.0, persistence=0.0))


def test_bivariate_normal_by_another_way() -> None:
    """The joint chance in the covariance is scipy's bivariate normal at the areas' quantiles."""
    ends = norm.ppf([0.7, 0.8])
    both = multivariate_normal.cdf(ends, cov=[[1, 0.35], [0.35, 1]]) - 0.56
    found = binormal_covariance(0.7, 0.8, 0.7, 1e6, 1e6)
    assert found == pytest.approx(2 * both / 1e6, rel=1e-4)


def test_the_command_prints_a_row_for_each_prevalence() -> None:
    """Rows for the prevalences asked for, and the assumptions in a sentence."""
    told = command("plan", "--width", "0.1", "--prevalence", "0.05", "--prevalence", "0.2")
    assert told.code == 0
    assert told.out.startswith("Needed for a 95 % interval of the AUROC at most 0.1 wide:")
    assert [line.split()[:2] for line in told.out.splitlines() if line.startswith("prev")] == [
        ["prevalence", "0.05"],
        ["prevalence", "0.2"],
    ]
    assert "Assumed: one image a patient; scores are normal" in told.out
    rows = json.loads(command("plan", "--difference", "0.05", "--prevalence", "0.1", "--json").out)[
        "needs"
    ]
    assert rows[0]["patients"] == patients_for_difference(
        0.8, -0.05, Sampling(0.1), power=0.8, between=0.7
    )


def test_a_run_tells_what_to_plan_from(tmp_path) -> None:
    """--from takes prevalence, images a patient and AUROC of each estimable observation."""
    cases = make_cases()
    run = write_run(tmp_path / "run", cases, {"densenet121": make_logits(cases)}, whole=False)
    rows = json.loads(command("plan", "--width", "0.1", "--from", run, "--json").out)["needs"]
    found = {row["finding"]["name"]: row["finding"] for row in rows}
    assert "Pleural Other" not in found
    labels = cases["label:Edema"].isin((1.0, -1.0))
    sampling = found["Edema"]["sampling"]
    assert sampling["prevalence"] == pytest.approx(labels.mean())
    assert sampling["images_per_patient"] == pytest.approx(len(cases) / 120)
    each = labels.sum() / cases.loc[labels, "patient_id"].nunique()
    assert 1 + (len(cases) / 120 - 1) * sampling["persistence"] == pytest.approx(each)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give one of --width and --difference"),
        (("--width", "0.1", "--difference", "0.1"), "give one of --width and --difference"),
        (("--width", "1.5"), "is not in the range"),
        (("--difference", "0.9"), "0.9 below 0.8 is no AUROC; ask for a smaller difference"),
        (("--width", "0.1", "--from", "nowhere"), "nowhere is no folder"),
        (
            ("--width", "0.1", "--prevalence", "0.99", "--images-per-patient", "4"),
            "more positive patients than there are patients",
        ),
    ],
)
def test_a_plan_without_sense(options: tuple[str, ...], message: str) -> None:
    """Each mistake is a sentence and exit code 2."""
    told = command("plan", *options)
    assert told.code == 2
    assert message in told.err
