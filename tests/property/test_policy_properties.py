from typing import get_args

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cxr.policy import Blank, Uncertain, propagate, targets

LABELS = npst.arrays(
    float,
    st.tuples(st.integers(0, 8), st.just(14)),
    elements=st.sampled_from([1.0, 0.0, -1.0, np.nan]),
)
UNCERTAIN = st.sampled_from(get_args(Uncertain))
BLANK = st.sampled_from(get_args(Blank))


@given(labels=LABELS, uncertain=UNCERTAIN, blank=BLANK)
def test_stated_labels_are_never_changed(labels, uncertain, blank):
    """Labels stated present or absent always count, as what they are."""
    values, counted = targets(
        labels, uncertain=uncertain, blank=blank, rng=np.random.default_rng(0)
    )
    stated = np.isin(labels, (0.0, 1.0))
    assert counted[stated].all()
    assert (values[stated] == labels[stated]).all()


@given(labels=LABELS, uncertain=UNCERTAIN, blank=BLANK)
def test_targets_are_shares_and_0_where_ignored(labels, uncertain, blank):
    """Targets lie between 0 and 1 or name a class of their own; 0 where they do not count."""
    values, counted = targets(
        labels, uncertain=uncertain, blank=blank, rng=np.random.default_rng(0)
    )
    assert (((values >= 0) & (values <= 1)) | (values == -1)).all()
    assert (values[~counted] == 0).all()
    assert values.shape == counted.shape == labels.shape


@given(labels=LABELS)
def test_propagation_only_raises_and_ends_after_once(labels):
    """In the order blank or absent, uncertain, present, no label falls; twice is as once."""
    height = {1.0: 2, -1.0: 1}
    raised = propagate(labels)
    for before, after in zip(labels.flat, raised.flat, strict=True):
        assert height.get(after, 0) >= height.get(before, 0)
    np.testing.assert_array_equal(propagate(raised), raised)


@given(labels=LABELS, blank=BLANK)
def test_policies_differ_only_on_uncertain_labels(labels, blank):
    """U-Ones and U-Zeros agree wherever the label is not uncertain."""
    ones, _ = targets(labels, uncertain="positive", blank=blank)
    zeros, _ = targets(labels, uncertain="negative", blank=blank)
    np.testing.assert_array_equal(ones != zeros, labels == -1)
