"""The networks that can be named in a config.

DenseNet-121 (Huang et al. 2017, arXiv:1608.06993) and ResNet-50 (He et al. 2016,
arXiv:1512.03385) stand in the registry, one small function each; to add one, write its function
and put it into `NETWORKS`. Beside them any classification network goes by name: torchvision's
("convnext_tiny"), timm's ("timm:convnext_tiny.fb_in22k", where timm is installed), and a user's
own ("package.module:function", which returns an `nn.Module` that ends in a linear layer).
"""

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

from cxr.errors import InputError

_PROBE = 64  # pixels a side; every network that is asked here takes them


@dataclass(frozen=True)
class Network:
    """How to build a network and where its parts are.

    Attributes:
        build: returns the untrained network with its ImageNet head.
        target_layer: path of the module whose output Grad-CAM weighs: the last one with a
            height and a width.
        head: path of the final linear layer, which is replaced.
        imagenet: returns pretrained tensors, downloading them; None where there are none.
        source: where these come from, for messages.
    """

    build: Callable[[], nn.Module]
    target_layer: str
    head: str
    imagenet: Callable[[], Mapping[str, Tensor]] | None = None
    source: str = ""


def densenet121() -> nn.Module:
    """Return DenseNet-121 with random weights."""
    return models.densenet121()


def resnet50() -> nn.Module:
    """Return ResNet-50 with random weights; each residual branch starts as zero.

    The last batch norm of a branch starts at zero, so that the untrained network is a shallow
    one; from random weights it then learns within few epochs (Goyal et al. 2017,
    arXiv:1706.02677, section 5.1). Loaded weights replace the zeros.
    """
    return models.resnet50(zero_init_residual=True)


def _pretrained(weights: models.WeightsEnum) -> dict[str, Any]:
    download = partial(weights.get_state_dict, progress=False, check_hash=True)
    return {"imagenet": download, "source": weights.url}


NETWORKS: dict[str, Network] = {
    "densenet121": Network(
        build=densenet121,
        target_layer="features.norm5",
        head="classifier",
        **_pretrained(models.DenseNet121_Weights.IMAGENET1K_V1),
    ),
    "resnet50": Network(
        build=resnet50,
        target_layer="layer4",
        head="fc",
        **_pretrained(models.ResNet50_Weights.IMAGENET1K_V1),
    ),
}


def find_network(name: str) -> Network:
    """Return the network called `name`: registered, torchvision's, timm's or a user's.

    Raises:
        InputError: there is none (names the nearest), or it does not end in a linear layer.
    """
    return NETWORKS[name] if name in NETWORKS else _look_up(name)


@cache
def _look_up(name: str) -> Network:
    if name.startswith("timm:"):
        return _timm_network(name)
    if ":" in name:
        return _own_network(name)
    if name in models.list_models(module=models):
        weights = models.get_model_weights(name)
        pretrained = _pretrained(weights.DEFAULT) if len(weights) else {}
        return _described(name, partial(models.get_model, name), **pretrained)
    known = [*NETWORKS, *models.list_models(module=models)]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(NETWORKS)}."
    raise InputError(f"training.networks: '{name}' is unknown; {hint}")


def _timm_network(name: str) -> Network:
    try:
        timm: Any = importlib.import_module("timm")
    except ImportError as error:
        raise InputError(
            f"training.networks: '{name}' needs timm; install it with `pip install timm`."
        ) from error
    model_name = name.removeprefix("timm:")
    if not timm.is_model(model_name):
        near = difflib.get_close_matches(model_name, timm.list_models(), n=1)
        hint = f"; did you mean 'timm:{near[0]}'?" if near else "."
        raise InputError(f"training.networks: timm knows no '{model_name}'{hint}")
    return _described(
        name,
        partial(timm.create_model, model_name),
        imagenet=lambda: timm.create_model(model_name, pretrained=True).state_dict(),
        source=f"timm ({model_name})",
    )


def _own_network(name: str) -> Network:
    module_name, _, function = name.partition(":")
    try:
        build = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"training.networks: '{name}' can't be imported ({error}); give "
            "'package.module:function', importable from here."
        ) from error
    return _described(name, build)


def _described(name: str, build: Callable[[], nn.Module], **pretrained: Any) -> Network:
    """Return the network with the head and target layer that one look at it shows."""
    with torch.random.fork_rng([]):
        model = build()
        head = _last_linear(name, model)
        layer = _last_map(name, model)
    return Network(build, layer, head, **pretrained)


def _last_linear(name: str, model: nn.Module) -> str:
    linear = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise InputError(
            f"training.networks: '{name}' has no linear layer to replace by a head of its own."
        )
    return linear[-1]


def _last_map(name: str, model: nn.Module) -> str:
    """Return the path of the module that is last to give a map of more than one pixel."""
    seen = []

    def note(path: str, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-1] > 1:
            seen.append(path)

    hooks = [
        module.register_forward_hook(lambda _m, _i, output, path=path: note(path, output))
        for path, module in model.named_modules()
        if path
    ]
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, 3, _PROBE, _PROBE))
    except (RuntimeError, ValueError, AssertionError, TypeError) as error:
        raise InputError(
            f"training.networks: '{name}' does not take images of three channels and any size "
            f"({error}); choose a convolutional classifier."
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    if not seen:
        raise InputError(f"training.networks: '{name}' makes no feature maps; choose a CNN.")
    return seen[-1]
