"""What is being trained and how far it is: the task, and the state that resume.pt keeps."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.config import TrainingConfig
from benchmark.training.batches import TrainingData, batch_count
from benchmark.training.checkpoints import RESUME, load_resume, save_resume, weights_digest
from benchmark.training.devices import check_precision, place, resolve_device
from benchmark.training.distribution import Ranks, share_batch_norm, share_gradients
from benchmark.training.hedging import ThreeClassHead, build_three_class_loss, hedged_observations
from benchmark.training.losses import Loss, build_loss, prevalence
from benchmark.training.schedules import SCHEDULES, Schedule
from cxr.errors import InputError
from cxr.networks import (
    build_network,
    check_weights,
    recompute_activations,
    replace_head,
    set_prior_bias,
)

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}

_ELSEWHERE = ("networks", "seeds", "ensemble", "save_steps")
"""Settings that say what else is trained or how often is saved, and so leave this network."""


@dataclass(frozen=True)
class Task:
    """What is to be trained: equal tasks end with equal weights."""

    network: str
    data: TrainingData
    settings: TrainingConfig
    seed: int
    folder: Path
    device: torch.device
    ranks: Ranks

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The settings that matter to this network."""
        return {k: v for k, v in asdict(self.settings).items() if k not in _ELSEWHERE}

    @cached_property
    def digest(self) -> str:
        """Names the task; a folder of another task is never gone on with."""
        parts = [self.network, self.seed, self.recipe, self.data.digest()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass
class State:
    """What changes while a network trains; all of it goes into resume.pt.

    Attributes:
        learner: the model, or what shares its gradients with the other ranks.
        step: batches of the current epoch that are done.
        sums: the losses of these, as `LossMeter.sums` keeps them.
    """

    model: nn.Module
    learner: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    scaler: torch.amp.GradScaler
    loss: Loss
    start_sha256: str  # of the weights that training starts from
    best_epoch: int = 0
    best_auroc: float = -math.inf
    step: int = 0
    sums: tuple[float, ...] = (0.0, 0.0)
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def epochs_left(self, settings: TrainingConfig) -> Iterator[int]:
        """Yield the epochs still to be run, until the last or until they no longer help."""
        while (done := len(self.history)) < settings.epochs:
            if settings.early_stop and done - self.best_epoch >= settings.early_stop:
                return
            yield done + 1

    def save(self, task: Task) -> None:
        """Write resume.pt."""
        if task.ranks.first:
            plain = {key: getattr(self, key) for key in _PLAIN}
            states = {key: getattr(self, key).state_dict() for key in _PARTS}
            save_resume({**plain, **states, "digest": task.digest}, task.folder)

    def restore(self, task: Task) -> None:
        """Take over what resume.pt holds, if there is one.

        Raises:
            InputError: it belongs to another task.
        """
        saved = load_resume(task.folder)
        if saved is None:
            return
        if (saved["digest"], saved["start_sha256"]) != (task.digest, self.start_sha256):
            raise InputError(
                f"{task.folder} holds an unfinished training on other data, settings or weights; "
                f"start a new run, or delete {task.folder / RESUME} to train this network again."
            )
        for key in _PARTS:
            getattr(self, key).load_state_dict(saved[key])
        for key in _PLAIN:
            setattr(self, key, saved[key])


_PARTS = ("model", "optimizer", "schedule", "scaler")
_PLAIN = ("start_sha256", "best_epoch", "best_auroc", "step", "sums", "history", "seconds")


def check_settings(settings: TrainingConfig) -> None:
    """Raise InputError for a device, network or weights that training could not start with."""
    check_precision(settings.precision, resolve_device(settings.device))
    for network in settings.networks:
        check_weights(network, settings.weights)
        if settings.channels == 1 or settings.recompute:
            _build(network, replace(settings, weights="none"))


def _build(network: str, settings: TrainingConfig) -> nn.Module:
    model = build_network(network, weights=settings.weights, channels=settings.channels)
    if settings.recompute:
        recompute_activations(network, model)
    return model


def start(task: Task) -> State:
    """Return the state before the first batch.

    Raises:
        InputError: the network, its weights or its loss can't be had.
    """
    settings, data = task.settings, task.data
    targets, counted = (
        torch.from_numpy(x[data.train_rows]).to(task.device) for x in (data.targets, data.counted)
    )
    model = _build(task.network, settings)
    loss = _prepare_head(task, model, targets, counted)
    model = place(model, task.device, channels_last=settings.channels_last)
    model = share_batch_norm(model)
    optimizer = OPTIMIZERS[settings.optimizer](
        model.parameters(),
        lr=settings.learning_rate,  # type: ignore[call-arg]
        weight_decay=settings.weight_decay,
        fused=task.device.type in ("cpu", "cuda"),  # one pass over the weights: half the time
    )
    steps = settings.epochs * batch_count(len(data.train_rows), settings.batch_size)
    return State(
        model=model,
        learner=share_gradients(model),
        optimizer=optimizer,
        schedule=SCHEDULES[settings.schedule](optimizer, settings, steps),
        scaler=torch.amp.GradScaler(task.device.type, enabled=settings.precision == "fp16"),
        loss=loss,
        start_sha256=weights_digest(model),
    )


def _prepare_head(task: Task, model: nn.Module, targets: Tensor, counted: Tensor) -> Loss:
    """Give the model the head and the bias that the labels ask for; return the loss."""
    settings = task.settings
    own = hedged_observations(targets)
    if not own.any():
        if settings.prior_bias:
            set_prior_bias(task.network, model, prevalence(targets, counted))
        return build_loss(settings.loss, targets, counted)
    loss = build_three_class_loss(settings.loss, own)
    head = replace_head(task.network, model, ThreeClassHead)
    if settings.prior_bias:
        head.to(task.device).start_at_shares(targets, counted)
    return loss
