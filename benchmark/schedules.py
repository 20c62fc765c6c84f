"""Learning-rate schedules, each stepped after a batch or after an epoch.

plateau: the study's ReduceLROnPlateau on validation loss. one-cycle: Smith & Topin 2019
(arXiv:1708.07120), whose peak is `learning_rate`. cosine: Loshchilov & Hutter 2017
(arXiv:1608.03983) without restarts, after a linear warm-up (Goyal et al. 2017, arXiv:1706.02677).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
)

from benchmark.config import TrainingConfig


@dataclass(frozen=True)
class Schedule:
    """A torch scheduler and when it steps."""

    scheduler: LRScheduler
    per_batch: bool = False

    def after_batch(self) -> None:
        """Step, where the schedule runs by batches."""
        if self.per_batch:
            self.scheduler.step()

    def after_epoch(self, validation_loss: float) -> None:
        """Step, where the schedule runs by epochs."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(validation_loss)
        elif not self.per_batch:
            self.scheduler.step()


def plateau(optimizer: Optimizer, settings: TrainingConfig, steps: int) -> Schedule:
    """Multiply the rate with `factor` after `patience` epochs without a lower loss."""
    return Schedule(
        ReduceLROnPlateau(optimizer, factor=settings.factor, patience=settings.patience)
    )


def one_cycle(optimizer: Optimizer, settings: TrainingConfig, steps: int) -> Schedule:
    """Rise to `learning_rate` over the first 30 % of `steps`, then fall to about nothing."""
    return Schedule(
        OneCycleLR(optimizer, max_lr=settings.learning_rate, total_steps=steps), per_batch=True
    )


def cosine(optimizer: Optimizer, settings: TrainingConfig, steps: int) -> Schedule:
    """Rise to `learning_rate` over the first 5 % of `steps`, then fall to 0 along a cosine."""
    warm = max(1, steps // 20)

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2

    return Schedule(LambdaLR(optimizer, share), per_batch=True)


def constant(optimizer: Optimizer, settings: TrainingConfig, steps: int) -> Schedule:
    """Keep the rate."""
    return Schedule(ConstantLR(optimizer, factor=1.0))


SCHEDULES: dict[str, Callable[[Optimizer, TrainingConfig, int], Schedule]] = {
    "plateau": plateau,
    "one-cycle": one_cycle,
    "cosine": cosine,
    "constant": constant,
}
"""Name in the config -> function of (optimizer, settings, number of batches in all)."""
