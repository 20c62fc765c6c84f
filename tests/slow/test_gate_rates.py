"""The baseline gate lets noise pass as noise and catches what it can."""

from tests.slow.gate_model import Design, rates


def test_another_seed_is_no_regression() -> None:
    """The same network trained with another seed fails in at most one of twenty trials."""
    assert rates(80, Design("same", 0.0, 0.05))["fail"] <= 9  # 4 expected at most; P < 0.7 %


def test_another_sample_is_no_regression() -> None:
    """The same network on other patients fails in at most one of twenty trials."""
    assert rates(80, Design("other", 0.0, 0.0))["fail"] <= 9


def test_a_drop_well_beyond_the_margin_is_caught() -> None:
    """A drop of 0.10 in macro AUROC fails at a margin of 0.05 far more often than not."""
    assert rates(40, Design("same", 0.1, 0.05))["fail"] >= 24
