from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cxr.localization import RULES, binarize, dice_score, hit_score, iou_score, overlap

shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9)
masks = shapes.flatmap(lambda shape: hnp.arrays(bool, shape)).filter(np.any)
rules = st.sampled_from(RULES)


@st.composite
def maps_with_masks(draw) -> tuple[np.ndarray, np.ndarray]:
    mask = draw(masks)
    levels = hnp.arrays(np.float64, mask.shape, elements=st.integers(0, 20).map(float))
    return draw(levels), mask


@given(maps_with_masks(), rules)
def test_scores_stay_between_zero_and_one(pair, rule):
    """Hit, IoU and Dice of any map and mask lie in [0, 1], and IoU is never above Dice."""
    map_, mask = pair
    result = overlap([map_], [mask], [rule])
    for values in (result.hit, result.iou, result.dice):
        assert 0 <= values.item() <= 1
    assert result.iou.item() <= result.dice.item()


@given(maps_with_masks(), rules, st.floats(0.001, 1000))
def test_a_map_of_another_scale_scores_the_same(pair, rule, factor):
    """Multiplying a map changes neither its hit nor the pixels that it marks."""
    map_, mask = pair
    factor = 2.0 ** round(np.log2(factor))  # exact in floating point
    assert hit_score(map_ * factor, mask) == hit_score(map_, mask)
    np.testing.assert_array_equal(binarize(map_ * factor, rule), binarize(map_, rule))


@given(masks, rules)
def test_a_perfect_map_scores_one(mask, rule):
    """A map that is the mask hits with certainty and overlaps wholly, by any threshold."""
    result = overlap([mask.astype(float)], [mask], [rule])
    assert result.hit.item() == 1
    if not mask.all() or rule != "otsu":  # one level has no threshold between levels
        assert result.iou.item() == result.dice.item() == 1


@settings(max_examples=25, deadline=None)
@given(masks, st.integers(0, 2**32 - 1))
def test_a_random_map_hits_by_the_lesions_share_of_the_area(mask, seed):
    """The hit rate of random maps is the mask's area share, within five standard errors."""
    rng = np.random.default_rng(seed)
    hits = [hit_score(rng.random(mask.shape), mask) for _ in range(400)]
    share = mask.mean()
    error = np.sqrt(max(share * (1 - share), 1e-9) / len(hits))
    assert abs(np.mean(hits) - share) <= 5 * error


@given(masks, st.floats(0.1, 9))
def test_a_flat_map_hits_by_the_lesions_share_of_the_area(mask, level):
    """A map of one level points everywhere at once: it hits by the mask's area share."""
    assert hit_score(np.full(mask.shape, level), mask) == mask.mean()


@given(masks)
def test_overlap_is_symmetric(mask):
    """IoU and Dice do not tell which of two masks is the prediction."""
    other = np.roll(mask, 1, axis=0)
    assert iou_score(mask, other) == iou_score(other, mask)
    assert dice_score(mask, other) == dice_score(other, mask)


@given(maps_with_masks())
def test_a_higher_threshold_marks_a_subset(pair):
    """Raising the threshold never adds a pixel."""
    map_, _ = pair
    shares = [rule for rule in RULES if rule != "otsu"]
    marked = [binarize(map_, share) for share in shares]
    for low, high in pairwise(marked):
        assert not np.any(high & ~low)
