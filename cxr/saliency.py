"""Where a network looks: class activation maps, all observations at once, on their raw scale.

Grad-CAM (Selvaraju et al. 2017, ICCV, eq. 1 and 2) at the tensor that global average pooling
receives. Where a linear head follows that pooling, the gradient is the head's weight divided by
the number of cells, so that one forward pass gives the maps of all outputs exactly; whether it
is so is measured on the network (`find_target`), not believed from its name. There, HiRes-CAM
and XGrad-CAM are the same map. Other networks need one backward pass per output, and other
methods go through pytorch-grad-cam.

A map without any positive cell is blank: it stays zero and is never stretched to noise.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cxr.dilation import dense_copy
from cxr.layers import Target, evaluating, find_target

METHODS: dict[str, str] = {
    "gradcam": "Grad-CAM",
    "gradcam++": "Grad-CAM++",
    "hirescam": "HiRes-CAM",
    "xgradcam": "XGrad-CAM",
    "layercam": "Layer-CAM",
    "eigencam": "Eigen-CAM",
    "scorecam": "Score-CAM",
}
"""Names that `explain` takes, and what people call them; all but the first run through
pytorch-grad-cam, one output at a time."""


class Explainer:
    """A network made ready to be explained: its target found, its cells brought closer.

    Attributes:
        target: the tensor that is explained.
        method: the method's name.
        reference: how many images the maps are contrasted with; 0 where they are not.
    """

    def __init__(
        self,
        model: nn.Module,
        image: Tensor,
        *,
        method: str = "gradcam",
        stride: int | None = None,
        enlarge: float = 1.0,
    ) -> None:
        """Prepare `model`.

        Args:
            model: a network; it is run in evaluation mode and left as it was.
            image: (1, 3, H, W) float, one of the images, on the model's device.
            method: one of `METHODS`.
            stride: None keeps the network's own distance of cells; 16 or 8 pixels give finer
                maps from the same weights, see `cxr.dilation.dense_copy`.
            enlarge: images are interpolated to so many times their size first.

        Raises:
            ValueError: unknown method or stride, or an image that is not (N, 3, H, W).
        """
        _check_images(image)
        if method not in METHODS:
            raise ValueError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")
        self.method = method
        self.reference = 0
        self._enlarge = enlarge
        self._usual: np.ndarray | None = None
        # Channels last is faster on CPU and on CUDA, the same but for rounding; in a copy only.
        copy = None if stride is None else dense_copy(model, stride)
        self._model = model if copy is None else copy.to(memory_format=torch.channels_last)
        large = self._enlarged(image[:1])
        self._field = (large.shape[2], large.shape[3])
        self.target = find_target(self._model, large)

    @property
    def spacing(self) -> float:
        """Pixels of the original image between neighbouring cells."""
        return self.target.stride / self._enlarge

    def contrast_with(self, batches: Iterable[Tensor], outputs: int) -> None:
        """Let maps show what speaks for an output beyond what is usual at that place.

        From then on the mean map of these images is subtracted, cell by cell, before what
        speaks against the output is cut off. Behind pooling and a linear head this is the
        exact Shapley value of each cell (and DeepLIFT's, Shrikumar et al. 2017) against the
        mean features, and the cells add up to the logit's distance from that of the mean.

        Args:
            batches: reference images, (n, 3, H, W) each; best ones that nothing is scored on.
            outputs: how many outputs the network has.

        Raises:
            ValueError: the method is not Grad-CAM, or there are no images.
        """
        self._need_signed()
        self._usual, self.reference = None, 0
        total: np.ndarray | float = 0.0
        count = 0
        for images in batches:
            total = total + self._signed(images, range(outputs)).sum(axis=0)
            count += len(images)
        if not count:
            raise ValueError("there are no images to contrast with.")
        self._usual, self.reference = np.asarray(total / count, np.float32), count

    @property
    def usual(self) -> np.ndarray | None:
        """The (outputs, h, w) mean map that maps are contrasted with; None where they are not."""
        return self._usual

    def contrast_against(self, usual: np.ndarray, reference: int) -> None:
        """Contrast maps with a mean map that was taken before, as `contrast_with` would.

        Args:
            usual: (outputs, h, w) float, the `usual` of an explainer made in the same way.
            reference: how many images it is the mean of.

        Raises:
            ValueError: the method is not Grad-CAM.
        """
        self._need_signed()
        self._usual, self.reference = usual.astype(np.float32), reference

    def maps(self, images: Tensor, indices: Sequence[int]) -> np.ndarray:
        """Return (N, K, h, w) maps at the layer's own cells, as `explain` does.

        Raises:
            ValueError: images that are not (N, 3, H, W), or an output that there is not.
        """
        _check_images(images)
        if self.method != "gradcam":
            with evaluating(self._model):
                large = self._enlarged(images)
                return _library_maps(self._model, large, indices, self.target, self.method)
        signed = self._signed(images, indices)
        if self._usual is not None:
            signed = signed - self._usual[list(indices)]
        return np.maximum(signed, 0)

    def resize(self, maps: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
        """Return (..., h, w) maps as pixels over the field of the image; see `resize_maps`."""
        return resize_maps(maps, size, target=self.target, field=self._field)

    def _need_signed(self) -> None:
        if self.method != "gradcam":
            raise ValueError(f"maps by {self.method} have no sign; only gradcam has a contrast.")

    def _signed(self, images: Tensor, indices: Sequence[int]) -> np.ndarray:
        with evaluating(self._model):
            way = _exact_maps if self.target.exact else _gradient_maps
            return way(self._model, self._enlarged(images), indices, self.target)

    def _enlarged(self, images: Tensor) -> Tensor:
        if self._enlarge == 1:
            return images
        size = [round(side * self._enlarge) for side in images.shape[2:]]
        return functional.interpolate(images, size, mode="bilinear", align_corners=False)


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
    """Return signed Grad-CAM, before what speaks against an output is cut off."""
    weight = _head(model, target).weight.detach()
    _check_indices(indices, len(weight))
    features = _pooled_tensor(model, images, target)  # (N, C, h, w)
    cells = features.shape[2] * features.shape[3]
    maps = torch.einsum("nchw,kc->nkhw", features, weight[list(indices)] / cells)
    result: np.ndarray = maps.float().cpu().numpy()
    return result


def _gradient_maps(
    model: nn.Module, images: Tensor, indices: Sequence[int], target: Target
) -> np.ndarray:
    """Return signed Grad-CAM by gradients: one pass to the target, then one back per output.

    The graph begins at the target, so that going back costs what lies behind it and no more.
    """
    leaves: list[Tensor] = []

    def cut(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        leaves.append(output.detach().clone().requires_grad_())
        return leaves[-1].clone()  # what follows may work in place

    handle = model.get_submodule(target.layer).register_forward_hook(cut)
    try:
        with torch.enable_grad():
            outputs = model(images)
    finally:
        handle.remove()
    _check_indices(indices, outputs.shape[1])
    leaf, maps = leaves[-1], []
    for index in indices:
        (gradient,) = torch.autograd.grad(outputs[:, index].sum(), leaf, retain_graph=True)
        maps.append((gradient.mean((2, 3), keepdim=True) * leaf).sum(1).detach())
    result: np.ndarray = torch.stack(maps, dim=1).float().cpu().numpy()
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
        self._last: tuple[Tensor, Tensor] | None = None  # images and features, for each output

    def forward(self, images: Tensor) -> Tensor:
        if self._last is None or self._last[0] is not images:
            self._last = (images, _pooled_tensor(self.model, images, self.target))
        with torch.enable_grad():
            tapped: Tensor = self.tap(self._last[1].clone().requires_grad_())
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
