"""Training losses on logits, each a mean over the targets that count.

bce: the study's. The others are remedies for rare positives: weighted (Rajpurkar et al. 2017,
arXiv:1711.05225, section 2.1, as PyTorch's pos_weight), class-balanced (Cui et al. 2019, CVPR
9268-9277), focal (Lin et al. 2017, ICCV 2980-2988), asymmetric (Ridnik et al. 2021, ICCV
82-91). A loss may need the training targets' counts; `build_loss` takes them once.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits, targets, counted), each (B, 14) -> scalar."""

FOCAL_GAMMA = 2.0  # Lin et al., table 1b
ASYMMETRIC_GAMMA = (0.0, 4.0)  # Ridnik et al., section 3.1: exponents of positives, negatives
ASYMMETRIC_MARGIN = 0.05  # the same: easy negatives below this probability count nothing
BALANCE_BETA = 0.999  # Cui et al., section 5: 0.9 to 0.9999, more for larger sets


def masked_mean(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean of `values` where `counted`; zero where nothing counts."""
    weights = counted.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp(min=1)


def bce_loss(
    logits: Tensor, targets: Tensor, counted: Tensor, *, positive_weight: Tensor | None = None
) -> Tensor:
    """Return binary cross-entropy, the study's loss (BCEWithLogitsLoss).

    Args:
        logits: (B, 14) float.
        targets: (B, 14) float in [0, 1].
        counted: (B, 14) bool; where False, a target has no part in the mean.
        positive_weight: (14,) factor on the positive part; one where not given.
    """
    losses = functional.binary_cross_entropy_with_logits(
        logits, targets, pos_weight=positive_weight, reduction="none"
    )
    return masked_mean(losses, counted)


def class_balanced_loss(
    logits: Tensor, targets: Tensor, counted: Tensor, *, positive: Tensor, negative: Tensor
) -> Tensor:
    """Return cross-entropy whose positive and negative parts have a weight per observation.

    Args:
        logits, targets, counted: as for `bce_loss`.
        positive, negative: (14,) weights, as `effective_weights` gives them.
    """
    losses = positive * targets * functional.softplus(-logits)
    losses = losses + negative * (1 - targets) * functional.softplus(logits)
    return masked_mean(losses, counted)


def focal_loss(
    logits: Tensor, targets: Tensor, counted: Tensor, *, gamma: float = FOCAL_GAMMA
) -> Tensor:
    """Return cross-entropy times (1 - p of the right answer) ** gamma; gamma 0 is bce.

    Args:
        logits, targets, counted: as for `bce_loss`.
        gamma: how much easy cases are played down.
    """
    return asymmetric_loss(logits, targets, counted, gammas=(gamma, gamma), margin=0.0)


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    counted: Tensor,
    *,
    gammas: tuple[float, float] = ASYMMETRIC_GAMMA,
    margin: float = ASYMMETRIC_MARGIN,
) -> Tensor:
    """Return the focal loss with exponents of their own for positives and negatives.

    Args:
        logits, targets, counted: as for `bce_loss`.
        gammas: exponent for positives, for negatives.
        margin: taken off a negative's probability, so that the easiest count nothing.
    """
    present = logits.sigmoid()
    shifted = (present - margin).clamp(min=0)
    log_absent = functional.logsigmoid(-logits) if margin == 0 else torch.log1p(-shifted)
    losses = targets * (1 - present) ** gammas[0] * -functional.logsigmoid(logits)
    losses = losses + (1 - targets) * shifted ** gammas[1] * -log_absent
    return masked_mean(losses, counted)


def effective_weights(count: Tensor, *, beta: float = BALANCE_BETA) -> Tensor:
    """Return (1 - beta) / (1 - beta ** count), Cui et al. equation 10; a count of 0 is as 1.

    Args:
        count: float, number of cases; any shape.
        beta: 0 weighs all alike, near 1 weighs by 1 / count.
    """
    return (1 - beta) / (1 - beta ** count.clamp(min=1))


def prevalence(targets: Tensor, counted: Tensor) -> Tensor:
    """Return (14,) shares of positives among the counted cases, never quite 0 or 1.

    Half a positive and half a negative case are added to each observation's (Jeffreys' prior).
    """
    weights = counted.to(targets.dtype)
    return ((targets * weights).sum(dim=0) + 0.5) / (weights.sum(dim=0) + 1)


def build_loss(name: str, targets: Tensor, counted: Tensor) -> Loss:
    """Return the loss called `name`, with what it needs from the training targets.

    Args:
        name: a key of `LOSSES`.
        targets: (n, 14) float, the training cases' targets.
        counted: (n, 14) bool.
    """
    weights = counted.to(targets.dtype)
    positives = (targets * weights).sum(dim=0)
    return LOSSES[name](positives, weights.sum(dim=0) - positives)


def _bce(positives: Tensor, negatives: Tensor) -> Loss:
    return bce_loss


def _weighted(positives: Tensor, negatives: Tensor) -> Loss:
    """Positives of an observation weigh as much in all as its negatives."""
    return partial(bce_loss, positive_weight=negatives.clamp(min=1) / positives.clamp(min=1))


def _class_balanced(positives: Tensor, negatives: Tensor) -> Loss:
    """Each observation's two weights have a mean of one, so that the rate keeps its sense."""
    positive, negative = effective_weights(positives), effective_weights(negatives)
    mean = (positive + negative) / 2
    return partial(class_balanced_loss, positive=positive / mean, negative=negative / mean)


def _focal(positives: Tensor, negatives: Tensor) -> Loss:
    return focal_loss


def _asymmetric(positives: Tensor, negatives: Tensor) -> Loss:
    return asymmetric_loss


LOSSES: dict[str, Callable[[Tensor, Tensor], Loss]] = {
    "bce": _bce,
    "weighted": _weighted,
    "class-balanced": _class_balanced,
    "focal": _focal,
    "asymmetric": _asymmetric,
}
"""Name in the config -> function of the training cases' (positives, negatives), each (14,)."""
