"""The findings text says what was predicted, as our own labeler reads it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.findings import call_observations, findings_text
from cxr.labeling import label_report
from cxr.observations import OBSERVATIONS
from cxr.regions import ZONES, Region

PATHOLOGY = len(OBSERVATIONS) - 2

states = st.sampled_from([1.0, 0.0, -1.0, np.nan])
shares = st.floats(0, 1)
regions = st.builds(
    Region,
    side=st.sampled_from(["right", "left", "central", "anterior", "posterior", ""]),
    zones=st.lists(st.sampled_from(ZONES), unique=True, max_size=3).map(tuple),
    inside=st.booleans(),
    area=shares,
    evidence=shares,
    box=st.just((0.0, 0.0, 1.0, 1.0)),
)


@st.composite
def predictions(draw):
    """Consistent values: No Finding is 1 where nothing but devices is present or possible."""
    rest = draw(st.lists(states, min_size=13, max_size=13))
    clear = not any(value in (1.0, -1.0) for value in rest[:PATHOLOGY])
    return np.array([1.0 if clear else np.nan, *rest])


@settings(max_examples=150, deadline=None)
@given(
    predictions(),
    st.dictionaries(st.sampled_from(OBSERVATIONS), st.lists(regions, max_size=3)),
    st.none() | st.lists(shares, min_size=14, max_size=14),
    st.none() | shares,
)
def test_the_labeler_reads_back_what_was_predicted(values, places, scores, point):
    """Present, possible, absent and unjudged observations are read as what they are."""
    text = findings_text(values, regions=places, scores=scores, points=point)
    np.testing.assert_array_equal(label_report(text).values, values)


@given(
    st.lists(shares, min_size=14, max_size=14),
    st.lists(shares, min_size=14, max_size=14),
    st.floats(1, 3),
)
def test_thresholded_scores_are_read_back(scores, points, doubt):
    """A text written from scores and operating points has exactly their calls as its labels."""
    values = call_observations(scores, points, doubt=doubt)
    text = findings_text(values, scores=scores, points=points)
    np.testing.assert_array_equal(label_report(text).values, values)
