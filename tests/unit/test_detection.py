import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from cxr.detection import BOX_LIMITS, BoxScore, box_overlaps, box_score, mask_boxes, pixel_precision


def box(top: int, bottom: int, left: int, right: int, size: int = 20) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[top:bottom, left:right] = True
    return mask


def score_of(predicted: np.ndarray, mask: np.ndarray) -> BoxScore:
    return box_score(mask_boxes(predicted), mask_boxes(mask))


def test_isolated_parts_have_boxes():
    """Each part has a box; parts that touch at a corner are one."""
    mask = box(2, 5, 3, 9) | box(10, 12, 0, 1) | box(12, 14, 1, 3)
    np.testing.assert_array_equal(mask_boxes(mask), [[3, 2, 9, 5], [0, 10, 3, 14]])
    assert mask_boxes(box(0, 0, 0, 0)).shape == (0, 4)


def test_overlaps_are_intersection_over_union():
    """Half shifted boxes share a third; apart or touching ones share nothing."""
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [0, 0, 5, 5]])
    np.testing.assert_allclose(box_overlaps(boxes[:1], boxes), [[1, 1 / 3, 0, 0.25]])


def test_a_box_counts_above_the_limit_that_it_exceeds():
    """An intersection over union of a third is right at 0.1, 0.2 and 0.3 and wrong beyond."""
    score = score_of(box(0, 10, 5, 15), box(0, 10, 0, 10))
    np.testing.assert_array_equal(score.found, [1, 1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(score.wrong, [0, 0, 0, 1, 1, 1, 1])
    equal = score_of(box(0, 10, 0, 10), box(0, 10, 0, 1))  # 0.1 is reached, not exceeded
    np.testing.assert_array_equal(equal.found, np.zeros(len(BOX_LIMITS)))


def test_several_lesions_and_several_boxes_are_counted_by_share():
    """One of two lesions found is a half, and boxes beside the lesions are wrong ones."""
    truth = box(0, 5, 0, 5) | box(10, 15, 10, 15)
    score = score_of(box(0, 5, 0, 5) | box(18, 20, 0, 2) | box(0, 2, 18, 20), truth)
    assert set(score.found) == {0.5}
    assert set(score.wrong) == {2.0}


def test_no_box_finds_nothing_and_is_not_wrong():
    """A blank map has no box."""
    score = score_of(box(0, 0, 0, 0), box(0, 5, 0, 5))
    assert not score.found.any()
    assert not score.wrong.any()


def test_an_empty_mask_is_refused():
    """Where nothing is to be found, nothing can be scored."""
    with pytest.raises(ValueError, match="there is no true box"):
        score_of(box(0, 5, 0, 5), box(0, 0, 0, 0))


def test_pixel_precision_equals_scikit_learn_and_chance_for_a_blank_map():
    """The ranking of pixels is scored as scikit-learn does; knowing nothing scores the area."""
    rng = np.random.default_rng(0)
    map_, mask = rng.random((20, 20)).round(1), box(3, 9, 2, 17)
    expected = average_precision_score(mask.ravel(), map_.ravel())
    assert pixel_precision(map_, mask) == pytest.approx(expected, abs=1e-12)
    assert pixel_precision(mask.astype(float), mask) == 1
    assert pixel_precision(np.zeros((20, 20)), mask) == pytest.approx(mask.mean())
