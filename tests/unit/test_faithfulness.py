import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torchvision import models

from cxr.faithfulness import (
    deletion_drops,
    distinctness,
    impute,
    map_correlation,
    randomized_copy,
    retained_scores,
    road_scores,
)
from cxr.saliency import explain

torch.set_num_threads(1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


class CornerBrightness(nn.Module):
    """Output 0 is the brightness of the upper left quarter, output 1 that of the whole."""

    def forward(self, images: Tensor) -> Tensor:
        half = images.shape[-1] // 2
        return torch.stack([images[:, :, :half, :half].mean((1, 2, 3)), images.mean((1, 2, 3))], 1)


def test_correlation_agrees_with_scipy(rng):
    """The correlation of two maps is Spearman's, ties included."""
    first, second = rng.integers(0, 5, (2, 6, 4, 4)).astype(float) + 0.0
    expected = [spearmanr(a.ravel(), b.ravel())[0] for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(map_correlation(first, second), expected)


def test_blank_and_flat_maps_have_no_correlation():
    """Where a map ranks nothing there is no correlation, rather than a high one."""
    maps = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.eye(3)])
    other = np.stack([np.eye(3)] * 3)
    assert np.isnan(map_correlation(maps, other)).tolist() == [True, True, False]
    with pytest.raises(ValueError, match="can't be compared"):
        map_correlation(maps, other[:2])


def test_one_map_for_all_outputs_is_noticed(rng):
    """The same map for every output scores 1; unrelated maps score near 0."""
    map_ = rng.random((1, 1, 8, 8))
    assert distinctness(np.repeat(map_, 5, axis=1))[0] == pytest.approx(1)
    assert abs(distinctness(rng.random((1, 14, 12, 12)))[0]) < 0.1
    assert np.isnan(distinctness(np.zeros((1, 3, 4, 4)))[0])


def test_a_randomized_copy_has_other_weights_and_gives_maps():
    """Random weights replace the trained ones in the copy alone, and its maps are not blank."""
    torch.manual_seed(0)
    network = models.resnet18(num_classes=3).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.randn(4, 3, 64, 64)
    state = torch.random.get_rng_state()
    random = randomized_copy(network, images, seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not torch.equal(random.fc.weight, network.fc.weight)
    assert not torch.equal(random.conv1.weight, network.conv1.weight)
    assert explain(random, images, [0, 1, 2]).max() > 0
    again = randomized_copy(network, images, seed=1)
    assert torch.equal(random.conv1.weight, again.conv1.weight)


def test_randomizing_the_head_alone_leaves_the_rest():
    """Only the named modules get random weights."""
    torch.manual_seed(0)
    network = models.resnet18(num_classes=3).eval()
    random = randomized_copy(network, torch.randn(4, 3, 64, 64), seed=1, only=["fc"])
    assert not torch.equal(random.fc.weight, network.fc.weight)
    assert torch.equal(random.conv1.weight, network.conv1.weight)


def test_deleting_what_matters_lowers_the_score_more(rng):
    """Blurring the quarter that the score depends on lowers it more than blurring another."""
    images = torch.zeros(2, 3, 32, 32)
    images[:, :, 6:10, 6:10] = 4.0
    right, wrong = np.zeros((2, 2, 32, 32))
    right[:, 4:12, 4:12] = 1.0
    wrong[:, 20:28, 20:28] = 1.0
    model = CornerBrightness()
    good = deletion_drops(model, images, [0, 0], right)
    bad = deletion_drops(model, images, [0, 0], wrong)
    assert (good > 0.02).all()
    assert (good > 3 * np.abs(bad)).all()


def test_deleting_by_a_blank_map_changes_nothing():
    """A blank map ranks no pixel, so nothing is deleted and nothing falls."""
    images = torch.rand(1, 3, 16, 16)
    assert deletion_drops(CornerBrightness(), images, [1], np.zeros((1, 16, 16))).tolist() == [0]


def corner_map(size: int = 32) -> np.ndarray:
    """A map of the upper left quarter, where output 0 of `CornerBrightness` looks."""
    map_ = np.zeros((size, size))
    map_[: size // 2, : size // 2] = 1
    return map_


def test_filling_in_agrees_with_pytorch_grad_cam(rng):
    """Without noise the filling is the library's, to its rounding, edges and corners included."""
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer

    image = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(0))
    lost = rng.random((20, 24)) < 0.4
    theirs = NoisyLinearImputer(noise=0)(image, torch.from_numpy(~lost).float())
    ours = impute(image[None], lost[None], rng=rng, noise=0)[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert torch.equal(ours[:, ~torch.from_numpy(lost)], image[:, ~torch.from_numpy(lost)])


def test_one_lost_pixel_is_the_weighted_mean_around_it(rng):
    """A neighbour beside it counts twice as much as one at a corner."""
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    image[0, 0, 0, 0] = 12
    lost = np.zeros((1, 3, 3), bool)
    lost[0, 1, 1] = True
    filled = impute(image, lost, rng=rng, noise=0)
    assert filled[0, 0, 1, 1] == pytest.approx((2 * (1 + 3 + 5 + 7) + 12 + 2 + 6 + 8) / 12)


def test_road_is_high_where_the_map_is_right_and_nothing_for_a_blank_one(rng):
    """Losing what the map marks costs more where it marks what the network looks at."""
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) + 1
    images[:, :, :16, :16] += 3 * torch.rand(4, 3, 16, 16)
    # brightness that neighbours can't restore: every other pixel of the corner
    images[:, :, :16:2, :16:2] += 5
    right = images.mean(1).numpy() * corner_map()
    scores = road_scores(CornerBrightness(), images, [0] * 4, right, rng=rng)
    assert (scores > 0.1).all()
    wrong = road_scores(CornerBrightness(), images, [0] * 4, -right + 100, rng=rng)
    assert (wrong < -0.1).all()
    blank = road_scores(CornerBrightness(), images, [0] * 4, np.zeros((4, 32, 32)), rng=rng)
    assert not blank.any()


def test_what_the_map_marks_is_enough_where_it_is_right():
    """Kept bright pixels keep the score; a blank map keeps nothing."""
    images = torch.zeros(2, 3, 32, 32)
    images[:, :, :8, :8] = 1
    map_ = np.zeros((2, 32, 32))
    map_[:, :8, :8] = 1
    model, indices = CornerBrightness(), [0, 0]
    kept = retained_scores(model, images, indices, map_, share=0.0625)
    blurred = retained_scores(model, images, indices, np.zeros((2, 32, 32)))
    elsewhere = retained_scores(model, images, indices, map_[:, ::-1, ::-1].copy(), share=0.0625)
    assert (kept > blurred).all()
    assert (kept > elsewhere).all()
    whole = retained_scores(model, images, indices, map_, share=1)
    np.testing.assert_allclose(whole, model(images)[:, 0])
