import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from cxr.faithfulness import map_correlation
from cxr.layers import Target
from cxr.saliency import Explainer, explain, resize_maps

torch.set_num_threads(1)
small_maps = hnp.arrays(np.float32, (2, 3, 4, 4), elements=st.floats(0, 8, width=16))
targets = st.builds(
    Target,
    st.just("layer"),
    st.just("head"),
    st.booleans(),
    st.sampled_from([8.0, 16.0, 32.0]),
    st.floats(0, 16),
)


def tiny_network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 4),
    ).eval()


@given(small_maps, targets, st.integers(4, 40))
def test_interpolation_stays_within_the_maps_range(maps, target, size):
    """A resized map is never above the highest nor below the lowest cell."""
    large = resize_maps(maps, size, target=target, field=(64, 64))
    assert large.shape == (2, 3, size, size)
    assert np.all(large.max((-1, -2)) <= maps.max((-1, -2)) + 1e-5)
    assert np.all(large.min((-1, -2)) >= maps.min((-1, -2)) - 1e-5)


@given(targets, st.floats(0, 8, width=16), st.integers(1, 40))
def test_a_flat_map_stays_flat(target, level, size):
    """Interpolating a map of one level gives that level everywhere."""
    maps = np.full((1, 1, 3, 3), level, np.float32)
    np.testing.assert_allclose(
        resize_maps(maps, size, target=target, field=(96, 96)), level, rtol=1e-6
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(4)))
def test_maps_follow_their_outputs(seed, order):
    """Asking for outputs in another order gives the same maps in that order."""
    network, images = tiny_network(seed), torch.rand(2, 3, 16, 16)
    straight = explain(network, images, range(4))
    np.testing.assert_array_equal(explain(network, images, order), straight[:, order])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_maps_do_not_depend_on_the_batch(seed):
    """An image's map is the same alone and among others."""
    network, images = tiny_network(seed), torch.rand(3, 3, 16, 16)
    explainer = Explainer(network, images)
    together = explainer.maps(images, [1])
    alone = [explainer.maps(image[None], [1])[0] for image in images]
    np.testing.assert_allclose(together, alone, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_positive_part_of_the_score_is_what_the_map_shares_out(seed):
    """Cells of a map add up to at least the logit's part that comes from the features."""
    network, images = tiny_network(seed), torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        evidence = (network(images) - network[-1].bias).numpy()
    total = explain(network, images, range(4)).sum((-1, -2))
    assert np.all(total >= evidence - 1e-4)


ranked_maps = hnp.arrays(np.float64, (3, 4, 4), elements=st.integers(0, 9).map(float))


@given(ranked_maps, ranked_maps)
def test_map_correlation_is_symmetric_and_bounded(first, second):
    """Which of two maps comes first makes no difference, and likeness lies in [-1, 1]."""
    likeness = map_correlation(first, second)
    np.testing.assert_allclose(likeness, map_correlation(second, first))
    known = likeness[np.isfinite(likeness)]
    assert np.all(np.abs(known) <= 1 + 1e-12)


@given(ranked_maps)
def test_a_map_is_like_itself_on_any_scale(maps):
    """A map and the same map squared rank all places alike."""
    likeness = map_correlation(maps, maps**2)
    np.testing.assert_allclose(likeness[np.isfinite(likeness)], 1)
