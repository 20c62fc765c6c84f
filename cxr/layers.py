"""Which tensor of a network is explained, found by a rule and checked, and where its cells lie.

Two traps are kept out here. torchvision's DenseNet applies an in-place ReLU to the output of
`features`, so that a plain hook keeps altered values (and others on CPU than on CUDA). And
padded strides move the cells: ResNet-50's cell j looks at pixel 32 j, not at the middle of the
j-th block of 32 pixels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_POOLED_TOLERANCE = 1e-4
_PROBE = 128  # pixels a side; four cells of stride 32


@dataclass(frozen=True)
class Target:
    """The tensor that is explained, and where its cells lie.

    Attributes:
        layer: dotted name of the module that puts the tensor out.
        head: dotted name of the linear layer behind the pooling; empty where the network has
            another shape and maps need gradients.
        rectified: whether a ReLU stands between the module's output and the pooling.
        stride: pixels of the input between neighbouring cells.
        offset: pixel of the input, counted from 0, that cell 0 is centred on.
    """

    layer: str
    head: str
    rectified: bool
    stride: float
    offset: float

    @property
    def exact(self) -> bool:
        """Whether all outputs' Grad-CAM follow from one forward pass."""
        return bool(self.head)

    def describe(self) -> str:
        """Return the explained tensor in words, for reports."""
        return f"{self.layer}, after its ReLU" if self.rectified else self.layer


def find_target(model: nn.Module, image: Tensor) -> Target:
    """Return the tensor to explain, found by running one image.

    The rule: the head is the linear layer that gives the model's output; the target is the
    module with the most cells, and among those the outermost, whose output (or its ReLU),
    averaged over the cells, is what the head receives. Where nothing fits, it is the last
    module with a spatial output, without a head.

    Args:
        model: a network for images.
        image: (1, 3, H, W) float; anything but a constant.

    Raises:
        ValueError: no module of the network has a spatial output.
    """
    # On a small image the last layers have one cell, as everything behind the pooling has.
    image = _at_least(image, _PROBE)
    steps: list[_Step] = []
    windows: list[tuple[int, int, nn.Module]] = []
    with evaluating(model), torch.no_grad(), _recording(model, steps, windows):
        output = model(image)
    spatial = [step for step in steps if step.cells]
    if not spatial:
        raise ValueError("no module of this network has a spatial output, so there is no map.")
    head = next(
        (
            step
            for step in reversed(steps)
            if step.is_linear and step.output.shape == output.shape
            if torch.allclose(step.output, output)
        ),
        None,
    )
    fits = [step for step in spatial if head and step.cells > 1 and _feeds(step, head)]
    if head is None or not fits:
        chosen = max(spatial, key=lambda step: (step.cells > 1, step.order))
        return Target(chosen.name, "", False, *_geometry(windows, chosen, image))
    chosen = max(fits, key=lambda step: (step.cells, step.order))
    rectified = not _close(chosen.mean, head.received)
    return Target(chosen.name, head.name, rectified, *_geometry(windows, chosen, image))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Run `model` in evaluation mode inside; each module has its own mode again after."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@dataclass
class _Step:
    """What one module put out while an image ran through."""

    order: int
    name: str
    cells: int  # 0 where the output is not spatial
    mean: Tensor  # (C,) over the cells
    rectified_mean: Tensor
    is_linear: bool
    received: Tensor
    output: Tensor


@contextmanager
def _recording(
    model: nn.Module, steps: list[_Step], windows: list[tuple[int, int, nn.Module]]
) -> Iterator[None]:
    """Fill `steps` and `windows` (order, input height, module) while the model runs.

    Means are taken inside the hook: a later in-place operation may alter the output.
    """

    def hook(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def record(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if not isinstance(output, Tensor) or not inputs:
                return
            order, given = len(steps), inputs[0]
            if hasattr(module, "kernel_size") and given.ndim == 4:
                windows.append((order, given.shape[2], module))
            linear = isinstance(module, nn.Linear)
            spatial = output.ndim == 4 and not isinstance(module, _POOLS)
            step = _Step(order, name, 0, _EMPTY, _EMPTY, linear, _EMPTY, _EMPTY)
            if spatial:
                step.cells = output.shape[2] * output.shape[3]
                step.mean = output.mean((2, 3)).flatten()
                step.rectified_mean = functional.relu(output).mean((2, 3)).flatten()
            if linear:
                step.received, step.output = given.flatten().clone(), output.clone()
            steps.append(step)

        return record

    handles = [
        module.register_forward_hook(hook(name)) for name, module in model.named_modules() if name
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


_EMPTY = torch.empty(0)
_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Flatten)


def _at_least(image: Tensor, size: int) -> Tensor:
    if min(image.shape[2:]) >= size:
        return image
    return functional.interpolate(image, (size, size), mode="bilinear", align_corners=False)


def _close(pooled: Tensor, received: Tensor) -> bool:
    return pooled.shape == received.shape and torch.allclose(
        pooled, received, rtol=_POOLED_TOLERANCE, atol=_POOLED_TOLERANCE
    )


def _feeds(step: _Step, head: _Step) -> bool:
    return _close(step.mean, head.received) or _close(step.rectified_mean, head.received)


def _geometry(
    windows: list[tuple[int, int, nn.Module]], chosen: _Step, image: Tensor
) -> tuple[float, float]:
    """Return the stride and the centre of cell 0, in pixels of the input.

    Walks the windows (convolutions, pools) up to the target. A window of k taps at distance d
    with padding p centres its first output (k - 1) d / 2 - p inputs further on. Of branches
    that shrink side by side only the first counts: the others start at a size already left.
    """
    stride, offset, height = 1.0, 0.0, image.shape[2]
    for order, given, module in windows:
        if order > chosen.order or given != height:
            continue
        taps, step, padding, spacing = (
            _first(getattr(module, name, 1))
            for name in ("kernel_size", "stride", "padding", "dilation")
        )
        offset += stride * ((taps - 1) * spacing / 2 - padding)
        if step > 1:
            stride *= step
            height = (height + 2 * padding - spacing * (taps - 1) - 1) // step + 1
    return stride, offset


def _first(value: int | tuple[int, ...]) -> int:
    return value[0] if isinstance(value, tuple) else value
