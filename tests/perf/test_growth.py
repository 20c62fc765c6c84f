"""The time per image does not grow with the number of images; at 100,000 by `tests.perf.growth`."""

import pytest
import torch

from tests.perf.growth import STEPS, measured


@pytest.fixture(scope="module")
def times(tmp_path_factory):
    """Milliseconds per image of each step, at a thousand images and at ten thousand."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("growth")
    measured(200, folder)  # the kernels are compiled
    return {images: measured(images, folder) for images in (1_000, 10_000)}


@pytest.mark.parametrize("step", STEPS)
def test_the_time_per_image_does_not_grow(times, step):
    """Ten times as many images take no more than ten times as long, in every step."""
    small, large = (times[images][step] for images in (1_000, 10_000))
    print(f"\n{step}: {small:.4f} ms an image of 1,000, {large:.4f} ms of 10,000")
    assert large <= 1.5 * small + 0.01
