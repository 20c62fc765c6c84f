"""How fast all 14 maps are, against a loop over pytorch-grad-cam and a plain forward pass.

Run with `python -m pytest -s tests/perf/test_saliency_speed.py` on an idle machine.
"""

import time
from collections.abc import Callable

import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchvision import models

from cxr.saliency import Explainer


def fastest(function: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of `repeats` calls, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("name", ["densenet121", "resnet50"])
def test_fourteen_maps_cost_one_forward_pass(name):
    """All 14 maps take under 1.3 forward passes and are 20 times as fast as one at a time."""
    torch.manual_seed(0)
    network = getattr(models, name)(num_classes=14).eval()
    images = torch.randn(16, 3, 96, 96)
    explainer = Explainer(network, images)
    layer = network.get_submodule(explainer.target.layer)

    def forward() -> None:
        with torch.no_grad():
            network(images)

    def loop() -> None:
        with GradCAM(model=network, target_layers=[layer]) as cam:
            for index in range(14):
                cam(images, [ClassifierOutputTarget(index)] * len(images))

    plain = fastest(forward, 7)
    ours = fastest(lambda: explainer.maps(images, range(14)), 7)
    theirs = fastest(loop, 2)
    print(f"\n{name}: forward {plain:.3f} s, 14 maps {ours:.3f} s, loop {theirs:.3f} s:")
    print(f"  {ours / plain:.2f} forward passes, {theirs / ours:.1f} times as fast as the loop")
    assert ours < 1.3 * plain
    assert theirs > 20 * ours
