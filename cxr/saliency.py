"""Where a network looks: class activation maps, all observations at once, on their raw scale.

Grad-CAM (Selvaraju et al. 2017, ICCV, eq. 1 and 2) at the tensor that global average pooling
receives. Where a linear head follows that pooling, the gradient is the head's weight divided by
the number of cells, so that one forward pass gives the maps of all outputs exactly; whether it
is so is measured on the network (`find_target`), not believed from its name. There, HiRes-CAM
and XGrad-CAM are the same map. Everything else goes through pytorch-grad-cam, one output at a
time.

Three traps that this module keeps out of the maps:

* torchvision's DenseNet applies an in-place ReLU to the output of `features`, so a plain hook
  keeps altered values (and others on CPU than on CUDA).
* A map without any positive cell is blank. It stays zero and is never stretched to noise.
* Padded strides move the cells: ResNet-50's cell j looks at pixel 32 j, not at the middle of
  the j-th block of 32 pixels. `resize_maps` puts each cell where it looks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cxr.dilation import dense_copy

METHODS: tuple[str, ...] = (
    "gradcam",
    "gradcam++",
    "hirescam",
    "xgradcam",
    "layercam",
    "eigencam",
    "scorecam",
)
"""Names that `explain` takes; all but the first run through pytorch-grad-cam."""

_WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
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
    with _evaluating(model), torch.no_grad(), _recording(model, steps, windows):
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


class Explainer:
    """A network made ready to be explained: its target found, its cells brought closer.

    Attributes:
        target: the tensor that is explained.
        field: (rows, columns) of the images that it explains.
    """

    def __init__(
        self,
        model: nn.Module,
        image: Tensor,
        *,
        method: str = "gradcam",
        stride: int | None = None,
    ) -> None:
        """Prepare `model`.

        Args:
            model: a network; it is run in evaluation mode and left as it was.
            image: (1, 3, H, W) float, one of the images, on the model's device.
            method: one of `METHODS`.
            stride: None keeps the network's own distance of cells; 16 or 8 pixels give finer
                maps from the same weights, see `cxr.dilation.dense_copy`.

        Raises:
            ValueError: unknown method or stride, or an image that is not (N, 3, H, W).
        """
        _check_images(image)
        if method not in METHODS:
            raise ValueError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")
        self.method = method
        self.field = (image.shape[2], image.shape[3])
        self._model = model if stride is None else dense_copy(model, stride)
        self.target = find_target(self._model, image[:1])

    def maps(self, images: Tensor, indices: Sequence[int]) -> np.ndarray:
        """Return (N, K, h, w) maps at the layer's own cells, as `explain` does.

        Raises:
            ValueError: images that are not (N, 3, H, W), or an output that there is not.
        """
        _check_images(images)
        with _evaluating(self._model):
            if self.method == "gradcam" and self.target.exact:
                return _exact_maps(self._model, images, indices, self.target)
            return _library_maps(self._model, images, indices, self.target, self.method)

    def resize(self, maps: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
        """Return (..., h, w) maps as pixels over the field of the image; see `resize_maps`."""
        return resize_maps(maps, size, target=self.target, field=self.field)


def explain(
    model: nn.Module,
    images: Tensor,
    indices: Sequence[int],
    *,
    method: str = "gradcam",
    size: int | None = None,
    stride: int | None = None,
) -> np.ndarray:
    """Return a map per image and output: where the evidence for that output lies.

    Args:
        model: a network; it is run in evaluation mode and left as it was.
        images: (N, 3, H, W) float, normalised as in training, on the model's device.
        indices: the K outputs to explain.
        method: one of `METHODS`.
        size: None keeps the layer's own cells; otherwise maps are interpolated to so many
            pixels a side, over the field of the image.
        stride: None, or the pixels between cells of a finer map, as in `Explainer`.

    Returns:
        (N, K, h, w) float32 maps, 0 or more, on the raw scale of the method (for Grad-CAM:
        share of the logit per cell). A map without evidence is zero throughout; see
        `cxr.heatmaps.is_blank`.

    Raises:
        ValueError: unknown method or stride, images that are not (N, 3, H, W), an output that
            the network does not have.

    Example:
        >>> import torch
        >>> from cxr.saliency import explain
        >>> network = torch.nn.Sequential(
        ...     torch.nn.Conv2d(3, 4, 3, stride=2, padding=1), torch.nn.ReLU(),
        ...     torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 14))
        >>> explain(network, torch.rand(2, 3, 16, 16), [2, 9]).shape
        (2, 2, 8, 8)

    Source: Selvaraju et al. 2017, ICCV, doi 10.1109/ICCV.2017.74.
    """
    explainer = Explainer(model, images, method=method, stride=stride)
    maps = explainer.maps(images, indices)
    return maps if size is None else explainer.resize(maps, size)


def resize_maps(
    maps: np.ndarray, size: int | tuple[int, int], *, target: Target, field: tuple[int, int]
) -> np.ndarray:
    """Return maps interpolated to pixels, each cell's value at the place that it looks at.

    Args:
        maps: (..., h, w) float.
        size: pixels a side, or (rows, columns), of the result.
        target: tells where the cells lie.
        field: (rows, columns) of the image that the network saw; the result covers the same
            field, whatever its size.

    Returns:
        (..., rows, columns) float32; bilinear between the cells' centres, constant outside.
    """
    rows, columns = (size, size) if isinstance(size, int) else size
    down = _interpolation(maps.shape[-2], rows, field[0], target)
    across = _interpolation(maps.shape[-1], columns, field[1], target)
    return np.asarray(down @ maps.astype(np.float32) @ across.T, dtype=np.float32)


# --- finding the target ---


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


# --- computing maps ---


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, each module's own mode again after."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _check_images(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not len(images):
        raise ValueError(f"images have shape {tuple(images.shape)}; expected (N, 3, H, W).")


def _head(model: nn.Module, target: Target) -> nn.Linear:
    head = model.get_submodule(target.head)
    assert isinstance(head, nn.Linear)
    return head


def _pooled_tensor(model: nn.Module, images: Tensor, target: Target) -> Tensor:
    """Return the (N, C, h, w) tensor that the pooling receives, without gradients."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        # A copy, because the ReLU that may follow works in place.
        kept.append(functional.relu(output) if target.rectified else output.clone())

    handle = model.get_submodule(target.layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(images)
    finally:
        handle.remove()
    return kept[-1]


def _exact_maps(
    model: nn.Module, images: Tensor, indices: Sequence[int], target: Target
) -> np.ndarray:
    weight = _head(model, target).weight.detach()
    _check_indices(indices, len(weight))
    features = _pooled_tensor(model, images, target)  # (N, C, h, w)
    cells = features.shape[2] * features.shape[3]
    maps = torch.einsum("nchw,kc->nkhw", features, weight[list(indices)] / cells)
    result: np.ndarray = functional.relu(maps).float().cpu().numpy()
    return result


def _check_indices(indices: Sequence[int], outputs: int) -> None:
    wrong = [index for index in indices if not 0 <= index < outputs]
    if wrong:
        raise ValueError(f"output {wrong[0]} was asked for; the network has 0 to {outputs - 1}.")


class _FromPooled(nn.Module):
    """The network seen from the pooled tensor, with a module (`tap`) that puts it out.

    pytorch-grad-cam hooks modules, and no module of a DenseNet puts out the rectified tensor.
    The backward pass ends at the tap, so that it costs next to nothing.
    """

    def __init__(self, model: nn.Module, target: Target) -> None:
        super().__init__()
        self.model, self.target, self.tap = model, target, nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        features = _pooled_tensor(self.model, images, self.target)
        with torch.enable_grad():
            tapped: Tensor = self.tap(features.requires_grad_())
            scores: Tensor = _head(self.model, self.target)(tapped.mean((2, 3)))
        return scores


def _library_maps(
    model: nn.Module, images: Tensor, indices: Sequence[int], target: Target, method: str
) -> np.ndarray:
    """Return maps by pytorch-grad-cam, on the raw scale that its own call stretches away."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    view = _FromPooled(model, target) if target.exact else model
    layer = view.tap if isinstance(view, _FromPooled) else view.get_submodule(target.layer)
    maps = []
    with _library_class(method)(model=view, target_layers=[layer]) as cam:
        # Runs after the library's own hooks: what follows in place then spares what they kept.
        handle = layer.register_forward_hook(lambda module, inputs, output: output.clone())
        try:
            for index in indices:
                outputs = cam.activations_and_grads(images)
                _check_indices([index], outputs.shape[1])
                if cam.uses_gradients:
                    view.zero_grad(set_to_none=True)
                    outputs[:, index].sum().backward()
                goals = [ClassifierOutputTarget(index)] * len(images)
                activations = cam.activations_and_grads.activations[0].numpy()
                gradients = [g.numpy() for g in cam.activations_and_grads.gradients]
                gradient = gradients[0] if gradients else None
                raw = cam.get_cam_image(images, layer, goals, activations, gradient, False)
                maps.append(np.maximum(np.asarray(raw, np.float32), 0))
        finally:
            handle.remove()
            view.zero_grad(set_to_none=True)
    return np.stack(maps, axis=1)


def _library_class(method: str) -> Any:
    import pytorch_grad_cam as library

    return {
        "gradcam": library.GradCAM,
        "gradcam++": library.GradCAMPlusPlus,
        "hirescam": library.HiResCAM,
        "xgradcam": library.XGradCAM,
        "layercam": library.LayerCAM,
        "eigencam": library.EigenCAM,
        "scorecam": library.ScoreCAM,
    }[method]


def _interpolation(cells: int, pixels: int, field: int, target: Target) -> np.ndarray:
    """Return the (pixels, cells) matrix of bilinear weights along one axis."""
    centres = (np.arange(pixels) + 0.5) * field / pixels - 0.5  # in pixels of the input
    place = np.clip((centres - target.offset) / target.stride, 0, cells - 1)
    weights = 1 - np.abs(place[:, None] - np.arange(cells)[None, :])
    return np.clip(weights, 0, 1).astype(np.float32)
