import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torchvision import models

from cxr.faithfulness import deletion_drops, distinctness, map_correlation, randomized_copy
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
