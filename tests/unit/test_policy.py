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
