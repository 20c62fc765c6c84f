"""Training losses on logits, each a mean over the targets that count."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits, targets, counted), each (B, 14) -> scalar."""


def masked_mean(values: Tensor, counted: Tensor) -> Tensor:
    """Return the mean of `values` where `counted`; zero where nothing counts."""
    weights = counted.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp(min=1)


def bce_loss(logits: Tensor, targets: Tensor, counted: Tensor) -> Tensor:
    """Return binary cross-entropy, the study's loss (BCEWithLogitsLoss).

    Args:
        logits: (B, 14) float.
        targets: (B, 14) float in [0, 1].
        counted: (B, 14) bool; where False, a target has no part in the mean.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return masked_mean(losses, counted)


def all_finite(losses: list[Tensor]) -> bool:
    """Return whether no loss is NaN or infinite; waits for the device once."""
    return bool(torch.isfinite(torch.stack(losses)).all())
