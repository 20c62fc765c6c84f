import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from cxr.localization import (
    binarize,
    choose_rule,
    dice_score,
    hit_score,
    iou_score,
    mean_estimate,
    overlap,
    place_mask,
)
from cxr.statistics import resample_patients


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def block(rows: slice, columns: slice, shape: tuple[int, int] = (4, 4)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[rows, columns] = True
    return mask


def test_a_peak_on_the_lesion_is_a_hit():
    """The pointing game counts where the single highest pixel lies."""
    map_ = np.arange(16, dtype=float).reshape(4, 4)
    assert hit_score(map_, block(slice(3, 4), slice(3, 4))) == 1.0
    assert hit_score(map_, block(slice(0, 3), slice(0, 4))) == 0.0


def test_equal_peaks_count_by_their_share():
    """Of several highest pixels, the share on the lesion counts: no tie is broken by luck."""
    map_ = np.zeros((4, 4))
    map_[0, 0] = map_[0, 1] = map_[3, 3] = 2.0
    assert hit_score(map_, block(slice(0, 1), slice(0, 2))) == pytest.approx(2 / 3)


@pytest.mark.parametrize("value", [0.0, np.nan, -1.0])
def test_a_blank_map_misses(value):
    """A map without evidence, or with NaN, hits nothing and overlaps nothing."""
    map_ = np.full((4, 4), value)
    mask = block(slice(0, 4), slice(0, 4))
    assert hit_score(map_, mask) == 0.0
    assert iou_score(binarize(map_, 0.5), mask) == 0.0


def test_overlap_by_hand():
    """IoU and Dice of a known case equal the values worked out by hand."""
    map_ = np.zeros((4, 4))
    map_[:2, :2] = 1.0  # four pixels
    map_[0, 2] = 0.4
    mask = block(slice(1, 3), slice(0, 3))  # six pixels, two of them marked
    result = overlap([map_], [mask], [0.5])
    assert result.iou[0, 0] == pytest.approx(2 / 8)
    assert result.dice[0, 0] == pytest.approx(4 / 10)
    assert result.hit[0] == pytest.approx(2 / 4)
    assert result.area[0] == pytest.approx(6 / 16)


def test_overlap_agrees_with_scikit_learn(rng):
    """IoU and Dice equal scikit-learn's Jaccard and F1 of the pixels."""
    for _ in range(20):
        map_, mask = rng.random((9, 7)), rng.random((9, 7)) > 0.6
        predicted = binarize(map_, 0.5)
        truth, marked = mask.ravel(), predicted.ravel()
        assert iou_score(predicted, mask) == pytest.approx(jaccard_score(truth, marked))
        assert dice_score(predicted, mask) == pytest.approx(f1_score(truth, marked))


def test_otsu_parts_two_levels():
    """Otsu's threshold marks the bright one of two levels."""
    map_ = np.where(block(slice(1, 3), slice(1, 3)), 5.0, 1.0)
    np.testing.assert_array_equal(binarize(map_, "otsu"), map_ == 5.0)


def test_two_empty_masks_have_no_overlap_score():
    """Where nothing was marked and nothing is there, IoU and Dice are NaN."""
    nothing = np.zeros((2, 2), bool)
    assert np.isnan(iou_score(nothing, nothing))
    assert np.isnan(dice_score(nothing, nothing))


def test_the_threshold_is_the_best_of_those_tried():
    """`choose_rule` returns the rule whose mean IoU is highest."""
    map_ = np.tile(np.linspace(0.05, 1.0, 20), (20, 1))
    mask = map_ >= 0.7 - 1e-9
    assert choose_rule(overlap([map_], [mask]).iou) == 0.7
    with pytest.raises(ValueError, match=r"iou is \(0, 10\); expected \(cases, 10\)"):
        choose_rule(np.empty((0, 10)))


@pytest.mark.parametrize("rule", [0.0, 1.5, "mean", None])
def test_an_unknown_rule_is_refused(rule):
    """A threshold that is no share and not Otsu's is refused."""
    with pytest.raises(ValueError, match="rule is"):
        binarize(np.ones((2, 2)), rule)


def test_a_map_of_another_size_is_refused():
    """A map and a mask of different sizes are refused, and so is an empty mask."""
    with pytest.raises(ValueError, match=r"the map is \(4, 4\) and the mask \(2, 2\)"):
        hit_score(np.ones((4, 4)), np.ones((2, 2), bool))
    with pytest.raises(ValueError, match="the mask is empty"):
        hit_score(np.ones((4, 4)), np.zeros((4, 4), bool))


def test_the_mean_has_an_interval_over_patients(rng):
    """Many images of few patients give a wider interval than as many patients."""
    values = np.repeat(rng.random(20) > 0.5, 10).astype(float)
    few = resample_patients(np.repeat(np.arange(20), 10), replicates=500, rng=rng)
    many = resample_patients(np.arange(200), replicates=500, rng=rng)
    clustered, independent = mean_estimate(values, few), mean_estimate(values, many)
    assert clustered.estimate == independent.estimate == pytest.approx(values.mean())
    assert clustered.low < clustered.estimate < clustered.high
    assert clustered.high - clustered.low > 2 * (independent.high - independent.low)
    assert clustered.method == "bootstrap, patients"


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_perfect_score_is_not_certain(rng, value):
    """Where all cases agree the interval is the exact binomial one, not a point."""
    resample = resample_patients(np.arange(10), replicates=50, rng=rng)
    result = mean_estimate(np.full(10, value), resample)
    assert result.estimate == value
    assert result.high - result.low == pytest.approx(1 - 0.025**0.1)
    assert result.method == "exact binomial, patients"


def test_too_few_patients_are_not_estimable(rng):
    """Below the stated support there is a reason and no number."""
    resample = resample_patients(np.repeat(np.arange(9), 3), replicates=50, rng=rng)
    result = mean_estimate(np.ones(27), resample)
    assert not result.known
    assert result.reason == "9 patients; at least 10 are needed"


def test_cases_without_a_value_are_left_out(rng):
    """NaN values count neither in the mean nor in the support."""
    resample = resample_patients(np.arange(20), replicates=50, rng=rng)
    values = np.where(np.arange(20) < 12, 0.25, np.nan)
    assert mean_estimate(values, resample).estimate == 0.25
    assert not mean_estimate(values, resample, min_patients=13).known


def test_a_letterboxed_mask_lies_in_the_middle_of_the_square():
    """A mask of a letterboxed image is padded as the image was."""
    mask = block(slice(0, 2), slice(0, 4), (2, 4))
    placed = place_mask(mask, fit="letterbox")
    assert placed.shape == (4, 4)
    assert placed.any(1).tolist() == [False, True, True, False]
    assert place_mask(mask).shape == (2, 4)


def test_a_large_mask_shrinks_and_a_thin_lesion_stays():
    """A mask larger than 128 pixels shrinks by area; a line one pixel wide does not vanish."""
    large = block(slice(256, 512), slice(0, 512), (512, 512))
    assert place_mask(large).shape == (128, 128)
    assert place_mask(large).mean() == 0.5
    thin = block(slice(0, 1000), slice(500, 501), (1000, 1000))
    assert place_mask(thin).shape == (128, 128)
    assert place_mask(thin).any()
