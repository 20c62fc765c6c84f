import numpy as np
import pytest

from cxr.observations import OBSERVATIONS
from cxr.policy import propagate, targets

LABELS = np.array([[1.0, 0.0, -1.0, np.nan]])


@pytest.mark.parametrize(
    ("uncertain", "blank", "expected", "counted"),
    [
        ("positive", "negative", [1, 0, 1, 0], [True, True, True, True]),
        ("negative", "negative", [1, 0, 0, 0], [True, True, True, True]),
        ("ignore", "negative", [1, 0, 0, 0], [True, True, False, True]),
        ("class", "negative", [1, 0, -1, 0], [True, True, True, True]),
        ("positive", "ignore", [1, 0, 1, 0], [True, True, True, False]),
        ("ignore", "ignore", [1, 0, 0, 0], [True, True, False, False]),
    ],
)
def test_each_policy_does_what_its_name_says(uncertain, blank, expected, counted):
    """U-Ones, U-Zeros, U-Ignore and U-MultiClass, and blank as negative or ignored."""
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


def test_an_observation_may_have_its_own_policy():
    """Those named in the table follow it, the others the general policy."""
    labels = np.full((1, 14), -1.0)
    table = {"Edema": "negative", "Consolidation": "ignore", "Cardiomegaly": "class"}
    values, counted = targets(labels, per_observation=table)
    by_name = dict(zip(OBSERVATIONS, zip(values[0], counted[0], strict=True), strict=True))
    assert by_name.pop("Edema") == (0, True)
    assert by_name.pop("Consolidation") == (0, False)
    assert by_name.pop("Cardiomegaly") == (-1, True)
    assert set(by_name.values()) == {(1, True)}


NAN = np.nan


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # a child, what it is, its parent before and after
        (("Pneumonia", 1.0, "Consolidation", NAN), 1.0),
        (("Pneumonia", 1.0, "Consolidation", 0.0), 1.0),
        (("Pneumonia", 1.0, "Consolidation", -1.0), 1.0),
        (("Edema", -1.0, "Lung Opacity", NAN), -1.0),
        (("Edema", -1.0, "Lung Opacity", 0.0), -1.0),
        (("Edema", -1.0, "Lung Opacity", 1.0), 1.0),
        (("Cardiomegaly", 0.0, "Enlarged Cardiomediastinum", NAN), NAN),
        (("Cardiomegaly", 0.0, "Enlarged Cardiomediastinum", -1.0), -1.0),
        (("Cardiomegaly", NAN, "Enlarged Cardiomediastinum", 0.0), 0.0),
        # over two steps, and between those that are no kin
        (("Pneumonia", 1.0, "Lung Opacity", NAN), 1.0),
        (("Pneumothorax", 1.0, "Lung Opacity", NAN), NAN),
    ],
)
def test_a_parent_is_at_least_as_present_as_its_kinds(given, expected):
    """Presence and doubt rise from child to parent; absence does not, and nothing is lowered."""
    child, value, parent, before = given
    labels = np.full((1, 14), np.nan)
    labels[0, OBSERVATIONS.index(child)] = value
    labels[0, OBSERVATIONS.index(parent)] = before
    raised = propagate(labels)
    np.testing.assert_equal(raised[0, OBSERVATIONS.index(parent)], expected)
    np.testing.assert_equal(raised[0, OBSERVATIONS.index(child)], value)
    assert targets(labels, hierarchy=True)[0][0, OBSERVATIONS.index(parent)] == (
        1 if expected in (1, -1) else 0
    )


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


@pytest.mark.parametrize(
    "options",
    [
        {"uncertain": "maybe"},
        {"blank": "positive"},
        {"per_observation": {"Edema": "maybe"}},
        {"per_observation": {"Oedema": "ignore"}},
    ],
)
def test_an_unknown_policy_is_refused(options):
    """A policy or observation that is not known raises, with the choices."""
    with pytest.raises(ValueError, match="choose"):
        targets(np.zeros((1, 14)), **options)
