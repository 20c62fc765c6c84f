"""How often two samples of one population are told apart by mistake."""

from benchmark.config import EvaluationConfig
from benchmark.evaluation.transfer import Sample, transfer
from tests.score_tables import make_cases, make_logits

SETTINGS = EvaluationConfig()
TRIALS = 200


def _sample(seed: int, mark: str) -> Sample:
    cases = make_cases(patients=100, seed=seed)
    cases["patient_id"] = mark + cases["patient_id"]
    return Sample(cases, make_logits(cases, strength=1.5, seed=10**6 + seed))


def test_two_samples_of_one_population_seldom_differ() -> None:
    """The macro mean differs at 5 % in about 5 % of trials, any observation after Holm likewise."""
    macro = observed = 0
    for trial in range(TRIALS):
        found = transfer(_sample(2 * trial, "a"), _sample(2 * trial + 1, "b"), SETTINGS)
        macro += found["macro"]["p"] < 0.05
        observed += any(
            entry["p_holm"] is not None and entry["p_holm"] < 0.05
            for entry in found["observations"].values()
        )
    assert 0.01 <= macro / TRIALS <= 0.09
    assert observed / TRIALS <= 0.09
