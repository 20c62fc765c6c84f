"""A trained network without its last strides, for finer maps from the same weights.

A 96-pixel image leaves a 3 x 3 map at stride 32. Taking the last strides out and spreading the
taps of what follows to the same distance (the a-trous algorithm; Chen et al. 2018, TPAMI
40:834-848, section 3.1) computes the very same features at every shift of the grid in one
pass: each second (fourth) cell equals the network's own cell to rounding. It is what averaging
over shifted inputs would give, for a fraction of the work.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_PROBE = 128  # pixels a side; a power of two, so that strides show as exact ratios


class SpacedAveragePool(nn.Module):
    """Average pooling of taps `dilation` apart, without a stride; keeps the size."""

    def __init__(self, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.stride, self.padding = 1, 0

    def forward(self, images: Tensor) -> Tensor:
        """Return the (N, C, H, W) averages; beyond the far edges the border repeats."""
        far = (self.kernel_size - 1) * self.dilation
        padded = functional.pad(images, (0, far, 0, far), mode="replicate")
        height, width = images.shape[2:]
        shifts = [tap * self.dilation for tap in range(self.kernel_size)]
        total = torch.zeros_like(images)
        for down in shifts:
            for across in shifts:
                total = total + padded[:, :, down : down + height, across : across + width]
        return total / self.kernel_size**2


def dense_copy(model: nn.Module, stride: int) -> nn.Module:
    """Return a copy of `model` whose features are `stride` pixels apart.

    Args:
        model: a convolutional network of square kernels, such as a ResNet or a DenseNet.
        stride: 4, 8, 16 or 32; nothing changes where the network's own is not larger.

    Returns:
        A network in evaluation mode with weights of its own; memory and work of its last
        blocks grow with (own stride / stride) squared.

    Raises:
        ValueError: another stride, or a pooling of maxima would have to be spread.
    """
    if stride not in (4, 8, 16, 32):
        raise ValueError(f"stride is {stride}; expected 4, 8, 16 or 32.")
    dense = copy.deepcopy(model).eval()
    for name, at in _input_strides(dense).items():
        module = dense.get_submodule(name)
        spacing = max(1, at // stride)
        shrinks = max(_pair(module.stride))
        if spacing == 1 and at * shrinks <= stride:
            continue
        _replace(dense, name, _unstrided(module, spacing, keep=at * shrinks <= stride))
    return dense


def _input_strides(model: nn.Module) -> dict[str, int]:
    """Return, per convolution and pool in order, the pixels between the cells it receives."""
    found: dict[str, int] = {}

    def record(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            found[name] = round(_PROBE / inputs[0].shape[2])

        return hook

    handles = [
        module.register_forward_pre_hook(record(name))
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
    ]
    device = next(model.parameters()).device
    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, _PROBE, _PROBE, device=device))
    finally:
        for handle in handles:
            handle.remove()
    return found


def _unstrided(module: nn.Module, spacing: int, *, keep: bool) -> nn.Module:
    """Return `module` with taps `spacing` apart and, unless `keep`, without its stride."""
    if isinstance(module, nn.AvgPool2d):
        return SpacedAveragePool(_pair(module.kernel_size)[0], spacing)
    if not isinstance(module, nn.Conv2d):
        raise ValueError("a max pooling that late can't be spread; choose a larger stride.")
    module.dilation = tuple(tap * spacing for tap in _pair(module.dilation))
    module.padding = tuple(pad * spacing for pad in _pair(module.padding))
    module.stride = module.stride if keep else (1, 1)
    return module


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)
