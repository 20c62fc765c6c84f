"""Uncertain as a class of its own: a head of three logits an observation, and its loss.

U-MultiClass (Irvin et al. 2019, AAAI 33:590-597, section 4): softmax over present, absent and
uncertain in training; the score is present against absent alone. That score's logit is the
difference of two linear outputs and so linear itself: the head folds into one of 14 outputs,
which is what a checkpoint holds.
"""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.training.losses import Loss, bce_loss, masked_mean
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.policy import OWN_CLASS

CLASSES = 3  # present, absent, uncertain
_NEVER = -1e4  # a logit that no class comes back from, and finite


class ThreeClassHead(nn.Linear):
    """A linear head of 42 logits in training and of 14, present against absent, otherwise."""

    def __init__(self, in_features: int) -> None:
        super().__init__(in_features, CLASSES * len(OBSERVATIONS))

    def forward(self, input: Tensor) -> Tensor:
        """Return (B, 42) in training, (B, 14) in evaluation."""
        logits = super().forward(input)
        if self.training:
            return logits
        present, absent, _ = logits.unflatten(1, (-1, CLASSES)).unbind(2)
        return present - absent

    def folded(self) -> Mapping[str, Tensor]:
        """Return weight and bias of the head of 14 logits that answers alike."""
        tensors = {"weight": self.weight.detach(), "bias": self.bias.detach()}
        by_class = {key: t.unflatten(0, (-1, CLASSES)) for key, t in tensors.items()}
        return {key: (t[:, 0] - t[:, 1]).contiguous() for key, t in by_class.items()}

    def start_at_shares(self, targets: Tensor, counted: Tensor) -> None:
        """Start the bias at the log of each class's share among the counted targets."""
        classes = _classes(targets) * counted.unsqueeze(2)
        shares = classes.sum(dim=0) + 1 / CLASSES  # none is quite 0
        with torch.no_grad():
            self.bias.copy_((shares / shares.sum(dim=1, keepdim=True)).log().flatten())


def hedged_observations(targets: Tensor) -> Tensor:
    """Return (14,) bool: the observations in which uncertain is a class of its own."""
    return (targets == OWN_CLASS).any(dim=0)


def build_three_class_loss(name: str, own: Tensor) -> Loss:
    """Return the loss for `own`, (14,) bool as `hedged_observations` gives it.

    Raises:
        InputError: the config asks for another loss as well.
    """
    if name != "bce":
        raise InputError(
            f'labels.uncertain is "class", which brings its loss, and training.loss is "{name}"; '
            'set training.loss to "bce", or choose another policy.'
        )
    return partial(three_class_loss, own=own)


def three_class_loss(logits: Tensor, targets: Tensor, counted: Tensor, *, own: Tensor) -> Tensor:
    """Return cross-entropy over three classes, over two where uncertain is none of its own.

    Args:
        logits: (B, 42) in training; (B, 14) in evaluation, where uncertain cases don't count.
        targets: (B, 14) float in [0, 1], or `OWN_CLASS`.
        counted: (B, 14) bool.
        own: (14,) bool.
    """
    if logits.shape[1] == targets.shape[1]:
        certain = targets != OWN_CLASS
        return bce_loss(logits, targets.clamp(min=0), counted & certain)
    by_class = logits.unflatten(1, (-1, CLASSES))
    uncertain = by_class[..., 2].masked_fill(~own, _NEVER)
    chances = functional.log_softmax(torch.stack([*by_class.unbind(2)[:2], uncertain], 2), dim=2)
    return masked_mean(-(_classes(targets) * chances).sum(dim=2), counted)


def _classes(targets: Tensor) -> Tensor:
    """Return (B, 14, 3): the share of each class in a target."""
    uncertain = (targets == OWN_CLASS).to(targets.dtype)
    present = targets.clamp(min=0)
    return torch.stack([present, 1 - present - uncertain, uncertain], dim=2)
