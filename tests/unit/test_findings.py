import numpy as np
import pytest

from cxr.findings import NOTICE, call_observations, findings_text
from cxr.observations import OBSERVATIONS
from cxr.regions import Region

PLACE = Region("left", ("mid", "lower"), True, 0.12, 0.8, (0.6, 0.5, 0.9, 0.8))


def values_of(**known):
    """14 values: those given (by name with underscores), else absent; No Finding follows."""
    values = np.zeros(len(OBSERVATIONS))
    for name, value in known.items():
        values[OBSERVATIONS.index(name.replace("_", " "))] = value
    pathology = values[1:13]
    values[0] = np.nan if np.isin(pathology, (1.0, -1.0)).any() else 1.0
    return values


def test_a_text_states_presence_doubt_and_absence():
    """What is present comes first with its place, then what is possible, then what is absent."""
    values = values_of(Pneumonia=-1.0, Pleural_Effusion=1.0)
    text = findings_text(
        values, regions={"Pleural Effusion": [PLACE]}, scores=np.full(14, 0.83), points=0.5
    )
    lines = text.splitlines()
    assert lines[0] == NOTICE
    assert lines[3] == (
        "Pleural effusion: left mid and lower zones, 12 % of the picture "
        "(score 0.83, operating point 0.50)."
    )
    assert lines[4] == "Possible pneumonia (score 0.83, operating point 0.50)."
    assert lines[5].startswith("No widened mediastinum, cardiomegaly, ")
    assert lines[5].endswith(" or support device.")
    assert len(lines) == 6


def test_what_is_not_judged_is_counted_and_not_named():
    """An observation without a score is not named, so that nobody reads it as absent."""
    text = findings_text(values_of(Fracture=np.nan, Edema=1.0))
    assert "fracture" not in text.lower()
    assert "Not judged: 1 of 13 observations." in text


def test_only_a_whole_judgement_calls_nothing_else_abnormal():
    """The closing sentence needs all observations judged and nothing but devices called."""
    closing = "Nothing else abnormal"
    assert closing in findings_text(values_of(Support_Devices=1.0))
    assert closing not in findings_text(values_of(Fracture=np.nan))
    assert closing not in findings_text(values_of(Fracture=-1.0))


def test_calls_follow_the_operating_points():
    """A score that reaches its operating point is called; one near it is possible."""
    scores = np.array([0.9, 0.5, 0.49, 0.3, 0.2, *[0.1] * 9])
    points = np.array([0.5, 0.5, 0.5, 0.25, np.nan, *[0.5] * 9])
    plain = call_observations(scores, points)
    np.testing.assert_array_equal(plain[:6], [np.nan, 1.0, 0.0, 1.0, np.nan, 0.0])
    doubtful = call_observations(scores, points, doubt=1.15)
    np.testing.assert_array_equal(doubtful[:6], [np.nan, -1.0, -1.0, 1.0, np.nan, 0.0])


def test_doubt_is_a_factor_of_the_odds():
    """A low operating point has a narrow band of doubt, and certain scores are never in doubt."""
    scores = [0.0, 0.035, 0.05, 0.02, 0.0, 1.0, 0.45, 0.55, *[0.1] * 6]
    points = [0.5, 0.04, 0.04, 0.04, 0.0, 1.0, 0.5, 0.5, *[0.5] * 6]
    values = call_observations(scores, points, doubt=1.25)
    np.testing.assert_array_equal(values[1:8], [-1.0, 1.0, 0.0, 1.0, 1.0, -1.0, -1.0])


def test_no_finding_follows_from_the_rest():
    """No Finding is called where nothing but devices is, whatever its own score."""
    scores = np.zeros(14)
    scores[13] = 0.9
    assert call_observations(scores, 0.5)[0] == 1.0
    scores[0], scores[9] = 0.99, 0.6
    assert np.isnan(call_observations(scores, 0.5)[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({0: 1.0}, "No Finding is 1; it is 1 where nothing but devices"),
        ({3: 0.5}, "a value is 0.5; values are 1, 0, -1 or NaN"),
    ],
)
def test_values_that_contradict_are_refused(change, message):
    """No Finding beside a finding, or a value that is no label, is refused."""
    values = values_of(Edema=1.0)
    for index, value in change.items():
        values[index] = value
    with pytest.raises(ValueError, match=message):
        findings_text(values)


@pytest.mark.parametrize(
    ("scores", "doubt"), [(np.zeros(13), 1), (np.full(14, 1.5), 1), (np.zeros(14), 0.9)]
)
def test_scores_of_another_kind_are_refused(scores, doubt):
    """14 scores from 0 to 1 are needed, and a factor of doubt of 1 or more."""
    with pytest.raises(ValueError, match="scores"):
        call_observations(scores, 0.5, doubt=doubt)
