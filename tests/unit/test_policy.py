import numpy as np
import pytest

from cxr.policy import targets

LABELS = np.array([[1.0, 0.0, -1.0, np.nan]])


@pytest.mark.parametrize(
    ("uncertain", "blank", "expected", "counted"),
    [
        ("positive", "negative", [1, 0, 1, 0], [True, True, True, True]),
        ("negative", "negative", [1, 0, 0, 0], [True, True, True, True]),
        ("ignore", "negative", [1, 0, 0, 0], [True, True, False, True]),
        ("positive", "ignore", [1, 0, 1, 0], [True, True, True, False]),
    ],
)
def test_each_policy_does_what_its_name_says(uncertain, blank, expected, counted):
    """U-Ones, U-Zeros and U-Ignore, and blank as negative or ignored."""
    values, counts = targets(LABELS, uncertain=uncertain, blank=blank)
    assert values.tolist() == [expected]
    assert counts.tolist() == [counted]
    assert (values.dtype, counts.dtype) == (np.float32, bool)


@pytest.mark.parametrize(
    ("uncertain", "low", "high"),
    [("positive-smoothed", 0.55, 0.85), ("negative-smoothed", 0.0, 0.3)],
)
def test_smoothed_targets_fill_their_range_and_leave_stated_labels(uncertain, low, high):
    """Label smoothing draws uncertain targets evenly between its bounds, and nothing else."""
    labels = np.tile(LABELS, (4000, 1))
    values, counted = targets(labels, uncertain=uncertain, rng=np.random.default_rng(0))
    assert counted.all()
    assert (values[:, [0, 1, 3]] == [1, 0, 0]).all()
    drawn = values[:, 2]
    assert low <= drawn.min() < low + 0.01
    assert high - 0.01 < drawn.max() <= high
    assert drawn.mean() == pytest.approx((low + high) / 2, abs=0.01)


def test_smoothed_targets_come_from_the_generator_alone():
    """The same generator draws the same targets; without one, smoothing is refused."""
    labels = np.full((5, 14), -1.0)
    once, again, other = (
        targets(labels, uncertain="positive-smoothed", rng=np.random.default_rng(seed))[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(once, again)
    assert (once != other).all()
    with pytest.raises(ValueError, match="give rng"):
        targets(labels, uncertain="positive-smoothed")


def test_the_default_is_the_studys():
    """Uncertain counts as positive and blank as negative unless told otherwise."""
    values, counts = targets(LABELS)
    assert values.tolist() == [[1, 0, 1, 0]]
    assert counts.all()


def test_the_labels_are_not_changed():
    """The argument is left as it was."""
    labels = LABELS.copy()
    targets(labels, uncertain="ignore", blank="ignore")
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize("wrong", [2.0, 0.5, -2.0, np.inf])
def test_another_label_is_refused(wrong):
    """A value that is no label raises, with the value."""
    with pytest.raises(ValueError, match=str(wrong)):
        targets(np.array([[1.0, wrong]]))


@pytest.mark.parametrize("options", [{"uncertain": "maybe"}, {"blank": "positive"}])
def test_an_unknown_policy_is_refused(options):
    """A policy that is not known raises, with the choices."""
    with pytest.raises(ValueError, match="choose"):
        targets(LABELS, **options)
