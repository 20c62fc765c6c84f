"""Learning-rate schedules, each stepped after a batch or after an epoch.

plateau: the study's ReduceLROnPlateau on validation loss. one-cycle: Smith & Topin 2019
(arXiv:1708.07120), whose peak is `learning_rate`. cosine: Loshchilov & Hutter 2017
(arXiv:1608.03983) without restarts, after a linear warm-up (Goyal et al. 2017,
arXiv:1706.02677, section 2.2), which plateau and constant may have too.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
)

from benchmark.config import TrainingConfig


@dataclass(frozen=True)
class Schedule:
    """A torch scheduler and when it steps, and the warm-up before it."""

    scheduler: LRScheduler
    per_batch: bool = False
    warmup: LRScheduler | None = None

    def after_batch(self) -> None:
        """Step, where the schedule runs by batches."""
        if self.warmup:
            self.warmup.step()
        if self.per_batch:
            self.scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resume needs."""
        return {key: part.state_dict() for key, part in self._parts()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        for key, part in self._parts():
            part.load_state_dict(state[key])

    def _parts(self) -> list[tuple[str, LRScheduler]]:
        named = {"scheduler": self.scheduler, "warmup": self.warmup}
        return [(key, part) for key, part in named.items() if part is not None]

    def after_epoch(self, validation_loss: float) -> None:
        """Step, where the schedule runs by epochs."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(validation_loss)
        elif not self.per_batch:
            self.scheduler.step()


def plateau(optimizer: Optimizer, settings: TrainingConfig, steps: int) -> Schedule:
    """Multiply the rate with `factor` after `patience` epochs without a lower loss."""
    scheduler = ReduceLROnPlateau(optimizer, factor=settings.factor, patience=settings.patience)
    return Schedule(scheduler, warmup=_warmup(optimizer, settings, steps))


def one_cycle(optimizer: Optimizer, settings: TrainingConfig, steps: int) -> Schedule:
    """Rise to `learning_rate` over the first 30 % of `steps`, then fall to about nothing."""
    return Schedule(
        OneCycleLR(optimizer, max_lr=settings.learning_rate, total_steps=steps), per_batch=True
    )


def cosine(optimizer: Optimizer, settings: TrainingConfig, steps: int) -> Schedule:
    """Rise to `learning_rate` over `warmup` of `steps`, 5 % at least, then fall to 0."""
    warm = max(1, steps // 20, round(settings.warmup * steps))

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2

    return Schedule(LambdaLR(optimizer, share), per_batch=True)


def constant(optimizer: Optimizer, settings: TrainingConfig, steps: int) -> Schedule:
    """Keep the rate."""
    return Schedule(ConstantLR(optimizer, factor=1.0), warmup=_warmup(optimizer, settings, steps))


def _warmup(optimizer: Optimizer, settings: TrainingConfig, steps: int) -> LRScheduler | None:
    """Rise by equal steps to the rate over the share `warmup` of all batches."""
    warm = round(settings.warmup * steps)
    return LinearLR(optimizer, 1 / warm, total_iters=warm - 1) if warm > 1 else None


SCHEDULES: dict[str, Callable[[Optimizer, TrainingConfig, int], Schedule]] = {
    "plateau": plateau,
    "one-cycle": one_cycle,
    "cosine": cosine,
    "constant": constant,
}
"""Name in the config -> function of (optimizer, settings, number of batches in all)."""
