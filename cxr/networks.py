"""From a network's name to a module with 14 logits and the weights that were asked for.

Weights come from ImageNet (downloaded once into torch's cache), from a local file, or from
nowhere ("none"), and never silently from nowhere. A local file is safetensors, or a
`.pt`/`.pth` that torch reads with `weights_only=True`; a file that needs unpickling could run
any code and is refused.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import TypeVar
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cxr.architectures import NETWORKS, Network, find_network
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

__all__ = [
    "NETWORKS",
    "Network",
    "build_network",
    "check_weights",
    "find_network",
    "make_grey",
    "parameter_count",
    "read_weights",
    "recompute_activations",
    "replace_head",
    "set_prior_bias",
    "target_layer",
    "weights_mb",
]

Head = TypeVar("Head", bound=nn.Module)

IMAGENET_CLASSES = (1000, 21841, 21843)  # ImageNet-1k, and the two counts of ImageNet-22k
_OLD_DENSENET_KEY = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def build_network(
    name: str,
    *,
    weights: str | Path = "none",
    outputs: int = len(OBSERVATIONS),
    channels: int = 3,
) -> nn.Module:
    """Return the network `name` with a head of `outputs` logits.

    Args:
        name: what `find_network` takes.
        weights: "none" (random, from torch's current random state), "imagenet", or the path of
            a local file. A head of ImageNet's classes in a file is left out and the new head
            is random; any other head must have `outputs` rows.
        outputs: number of logits.
        channels: 3, or 1 for a first convolution that sees the image as grey (`make_grey`);
            weights of three channels are then summed.

    Raises:
        InputError: the network is unknown, or the weights can't be had or don't fit.
    """
    network = find_network(name)
    model = network.build()
    replace_head(name, model, partial(nn.Linear, out_features=outputs))
    stem = make_grey(name, model) if channels == 1 else ""
    if str(weights) != "none":
        tensors = read_weights(name, weights)
        if stem in tensors:
            tensors[stem] = tensors[stem].sum(dim=1, keepdim=True)
        _load(model, tensors, head=network.head, where=str(weights))
    return model


def check_weights(name: str, weights: str | Path) -> None:
    """Make sure that `weights` can be had for `name`; downloads ImageNet's where asked for.

    Raises:
        InputError: they can't, or don't fit; the message tells the ways out.
    """
    if str(weights) == "none":
        find_network(name)
    else:
        build_network(name, weights=weights)


def read_weights(name: str, weights: str | Path) -> dict[str, Tensor]:
    """Return the tensors of ImageNet's weights or of a local file, by parameter name.

    Raises:
        InputError: no such weights or file, a failed download, or a file that is not plain
            tensors.
    """
    tensors = _download(name) if str(weights) == "imagenet" else _read_file(Path(weights))
    return {_OLD_DENSENET_KEY.sub(r"\1\2", key): tensor for key, tensor in tensors.items()}


def replace_head(name: str, model: nn.Module, build: Callable[[int], Head]) -> Head:
    """Put a new head into `model` and return it.

    Args:
        name: what `find_network` takes.
        model: the network; changed in place.
        build: makes the head for so many input features.
    """
    path = find_network(name).head
    old = model.get_submodule(path)
    assert isinstance(old, nn.Linear)
    head = build(old.in_features)
    _put(model, path, head)
    return head


def make_grey(name: str, model: nn.Module) -> str:
    """Give `model` a first convolution of one channel and return the name of its weights.

    Its weights are the sum over the three channels. The network still takes (N, 3, H, W), and
    (N, 1, H, W) as well: the convolution averages what it is given.

    Raises:
        InputError: the first convolution has not three channels.
    """
    convolutions = ((path, m) for path, m in model.named_modules() if isinstance(m, nn.Conv2d))
    path, old = next(convolutions, ("", None))
    if old is None or old.in_channels != 3 or old.groups != 1:
        raise InputError(
            f"training.channels is 1, and the first convolution of '{name}' is not one of three "
            "channels that can be summed; set it to 3."
        )
    _put(model, path, GreyConv2d(old))
    return f"{path}.weight"


class GreyConv2d(nn.Conv2d):
    """A convolution of one channel, for the mean of those that it is given."""

    def __init__(self, colour: nn.Conv2d) -> None:
        super().__init__(
            1,
            colour.out_channels,
            colour.kernel_size,  # type: ignore[arg-type]
            colour.stride,  # type: ignore[arg-type]
            colour.padding,  # type: ignore[arg-type]
            colour.dilation,  # type: ignore[arg-type]
            bias=colour.bias is not None,
        )
        with torch.no_grad():
            self.weight.copy_(colour.weight.sum(dim=1, keepdim=True))
            if self.bias is not None and colour.bias is not None:
                self.bias.copy_(colour.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (N, C, H, W) of any number of channels."""
        return super().forward(input.mean(dim=1, keepdim=True))


def recompute_activations(name: str, model: nn.Module) -> None:
    """Let `model` compute activations again in the backward pass instead of keeping them.

    Saves memory for about a third more time (Chen et al. 2016, arXiv:1604.06174), where the
    network offers it: timm's and torchvision's DenseNets.

    Raises:
        InputError: this network does not.
    """
    layers = [m for m in model.modules() if hasattr(m, "memory_efficient")]
    for layer in layers:
        layer.memory_efficient = True  # type: ignore[assignment]
    if hasattr(model, "set_grad_checkpointing"):
        model.set_grad_checkpointing()  # type: ignore[operator]
    elif not layers:
        raise InputError(
            f"training.recompute: '{name}' can't recompute activations; unset it, or raise "
            "training.accumulate to save memory."
        )


def set_prior_bias(name: str, model: nn.Module, prevalence: Tensor) -> None:
    """Start the head's bias at the log-odds of `prevalence`, so that training needn't find it.

    With few steps and rare findings that saves the first of them (Lin et al. 2017, ICCV
    2980-2988, section 3.3).

    Args:
        name: what `find_network` takes.
        model: the network; changed in place.
        prevalence: (outputs,) float in (0, 1).
    """
    head = model.get_submodule(find_network(name).head)
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.bias.copy_(torch.logit(prevalence))


def parameter_count(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def weights_mb(model: nn.Module) -> float:
    """Return the size of the weights in MB (10^6 bytes) at 32 bits a parameter."""
    return parameter_count(model) * 4 / 1e6


def target_layer(name: str, model: nn.Module) -> nn.Module:
    """Return the module of `model` whose output Grad-CAM weighs."""
    return model.get_submodule(find_network(name).target_layer)


def _put(model: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, leaf = path.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)


def _download(name: str) -> dict[str, Tensor]:
    network = find_network(name)
    if network.imagenet is None:
        raise InputError(
            f"{name} has no ImageNet weights; set training.weights to a local file or to 'none'."
        )
    try:
        return dict(network.imagenet())
    except (URLError, OSError, RuntimeError) as error:
        raise InputError(
            f"ImageNet weights for {name} could not be downloaded from {network.source} "
            f"({error}); get that file elsewhere and set training.weights to its path, or train "
            'from random weights with training.weights = "none".'
        ) from error


def _read_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(
            f"training.weights: there is no file '{path}'; give the path of a safetensors or "
            'torch file, "imagenet" or "none".'
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise InputError(
            f"{path} holds pickled objects beside tensors, and unpickling could run any code; "
            "save the state_dict alone, as safetensors or with torch.save, and use that file."
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise InputError(f"{path} can't be read as network weights: {error}.") from error
    return _tensors(content, path)


def _tensors(content: object, path: Path) -> dict[str, Tensor]:
    """Return the state dict in a torch file, which may lie under "state_dict" or "model"."""
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(
        isinstance(value, Tensor) for value in content.values()
    ):
        raise InputError(f"{path} holds no state_dict: a table of tensors by parameter name.")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def _load(model: nn.Module, tensors: dict[str, Tensor], *, head: str, where: str) -> None:
    """Put `tensors` into `model`, all of them or none."""
    wanted = model.state_dict()
    head_weight = tensors.get(f"{head}.weight")
    if head_weight is not None and head_weight.shape[0] in IMAGENET_CLASSES:
        for part in ("weight", "bias"):
            tensors[f"{head}.{part}"] = wanted[f"{head}.{part}"]
    wrong = [_misfit(key, tensors.get(key), tensor) for key, tensor in wanted.items()]
    wrong += [f"{key} is unknown" for key in tensors.keys() - wanted.keys()]
    misfits = sorted(filter(None, wrong))
    if misfits:
        more = f" and {len(misfits) - 5} more" if len(misfits) > 5 else ""
        raise InputError(
            f"{where} does not fit the network: {'; '.join(misfits[:5])}{more}; "
            "use weights of the same architecture with the same head and channels."
        )
    model.load_state_dict(tensors, strict=False)


def _misfit(key: str, given: Tensor | None, wanted: Tensor) -> str:
    if given is None:  # old files count no batches
        return "" if key.endswith("num_batches_tracked") else f"{key} is missing"
    if given.shape != wanted.shape:
        return f"{key} is {tuple(given.shape)}, expected {tuple(wanted.shape)}"
    return ""
