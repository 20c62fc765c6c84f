import numpy as np
import pandas as pd
import pytest

from benchmark.config import EvaluationConfig
from benchmark.explanation.elsewhere import elsewhere_document, mark_words
from cxr.estimates import Estimate
from cxr.observations import OBSERVATIONS

COUNT, SIDE = 40, 64
MARK = np.zeros((SIDE, SIDE), bool)
MARK[58:62, 2:12] = True


def look_at(place: np.ndarray, leans: bool = False) -> dict:
    """The document of maps with all their evidence on one place, half the images marked.

    A network that leans on marks loses a logit without them, and half of it on the other side.
    """
    cases = pd.DataFrame(
        {
            "image_id": [f"i{i}" for i in range(COUNT)],
            "patient_id": [f"p{i}" for i in range(COUNT)],
            "split": "test",
        }
    )
    called = np.zeros((COUNT, 14), bool)
    called[:30, OBSERVATIONS.index("Atelectasis")] = True
    called[:, 0] = True
    maps = np.broadcast_to(place.astype(np.float32), (14, SIDE, SIDE))
    return elsewhere_document(
        cases,
        called,
        {f"i{i}": {"mark": MARK} for i in range(20)},
        lambda rows: np.broadcast_to(maps, (len(rows), 14, SIDE, SIDE)),
        lambda given, size: given,
        EvaluationConfig(replicates=200),
        spacing=0.1,
        falls_of=lambda rows, lost: (
            np.repeat(lost[:, :, :32].any((1, 2)) / 2.0 + 0.5, 14).reshape(-1, 14)
            if leans
            else np.ones((len(rows), 14))
        ),
        field=(SIDE, SIDE),
    )


def test_evidence_on_the_mark_is_told():
    """Maps that look at the mark alone have all their evidence on it, outside the lungs."""
    document = look_at(MARK)
    assert list(document) == ["Atelectasis"]  # No Finding has no place, nothing else is called
    found = document["Atelectasis"]
    assert (found["images"], found["marked"]) == (30, 20)
    assert found["outside"]["estimate"] == 1
    assert found["on_marks"]["estimate"] == 1
    assert found["words"] == "the maps look at the mark: a shortcut"


def test_even_evidence_lies_by_area():
    """Evidence spread evenly has the area's share outside and on marks, and no shortcut."""
    found = look_at(np.ones((SIDE, SIDE)))["Atelectasis"]
    assert found["outside"]["estimate"] == pytest.approx(found["outside_area"])
    # the mark of 4 x 10 pixels with a tenth of the side, 6 or 7 pixels, about it in all
    assert found["marks_area"] == pytest.approx((4 + 5) * (10 + 5) / SIDE**2, rel=0.1)
    assert found["on_marks"]["estimate"] == pytest.approx(found["marks_area"])
    assert found["words"] == "no shortcut shown"
    assert found["fall_without_marks"]["estimate"] == 0


def test_evidence_in_the_lungs_is_not_elsewhere():
    """Maps that look between the lungs' edges have nothing outside."""
    inside = np.zeros((SIDE, SIDE))
    inside[20:40, 20:40] = 1
    found = look_at(inside)["Atelectasis"]
    assert found["outside"]["estimate"] == 0
    assert found["on_marks"]["estimate"] == 0


def test_blank_maps_are_no_evidence():
    """Where all maps are blank nothing is estimable."""
    found = look_at(np.zeros((SIDE, SIDE)))["Atelectasis"]
    assert found["images"] == 0
    assert found["outside"]["estimate"] is None
    assert found["words"] == "too few marked images to tell"


def test_a_score_that_falls_without_the_mark_is_told():
    """Where maps can't tell, taking the mark away does: beside the same place opposite."""
    found = look_at(np.ones((SIDE, SIDE)), leans=True)["Atelectasis"]
    assert found["fall_without_marks"]["estimate"] == 0.5
    assert found["words"] == "the score falls without the mark: a shortcut"


def test_words_follow_the_intervals():
    """A shortcut is told where a whole interval is above nothing."""
    above, about = Estimate(0.1, 0.01, 0.2, ""), Estimate(0.1, -0.01, 0.2, "")
    both = "the maps look at the mark and the score falls without the mark: a shortcut"
    assert mark_words(above, above) == both
    assert mark_words(about, about) == "no shortcut shown"
    assert mark_words(above, Estimate.missing("few")) == "too few marked images to tell"
