"""Train one network with one seed, as the study did or as the config says.

The study: BCEWithLogitsLoss, Adam at 1e-4, batches of 16, ReduceLROnPlateau on the validation
loss, the weights of the best validation macro AUROC kept.

Reproducible and resumable: everything random in an epoch comes from (seed, epoch), so an
interrupted epoch is simply run again; what else is needed stands in resume.pt, written at the
end of each epoch. On a CPU, with the same number of threads, a run that was killed ends with
the same weights to the bit as one that was not.

A finished folder holds checkpoint.safetensors, history.csv, training.json (equal for equal
seeds) and timing.json (not so).
"""

import csv
import hashlib
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmark.batches import (
    TrainingData,
    batch_count,
    check_training_data,
    epoch_batches,
)
from benchmark.checkpoints import (
    CHECKPOINT,
    RESUME,
    load_checkpoint,
    load_resume,
    save_checkpoint,
    save_resume,
    weights_digest,
)
from benchmark.config import TrainingConfig
from benchmark.devices import autocast, check_precision, place, reproducible, resolve_device
from benchmark.events import Events
from benchmark.losses import Loss, build_loss, prevalence
from benchmark.monitoring import LossMeter, macro_auroc
from benchmark.prediction import predict
from benchmark.runs import read_json, replacing, write_json
from benchmark.schedules import SCHEDULES, Schedule
from cxr.errors import InputError
from cxr.networks import build_network, parameter_count, set_prior_bias, weights_mb
from cxr.tensors import to_input

HISTORY = ("epoch", "train_loss", "validation_loss", "validation_auroc", "learning_rate")
"""Columns of history.csv. The rate is that of the epoch's end."""

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}

_ELSEWHERE = ("networks", "seeds")
"""Settings that say what else is trained, and so leave this network as it is."""


@dataclass(frozen=True)
class TrainingResult:
    """A trained network's folder and what stands in its training.json and timing.json."""

    network: str
    seed: int
    folder: Path
    facts: dict[str, Any]
    seconds_per_epoch: float

    @property
    def checkpoint(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / CHECKPOINT


@dataclass(frozen=True)
class _Task:
    """What is to be trained: equal tasks end with equal weights."""

    network: str
    data: TrainingData
    settings: TrainingConfig
    seed: int
    folder: Path
    device: torch.device

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
class _State:
    """What changes while a network trains; all of it goes into resume.pt."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    scaler: torch.amp.GradScaler
    loss: Loss
    start_sha256: str  # of the weights that training starts from
    best_epoch: int = 0
    best_auroc: float = -math.inf
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def parts(self) -> dict[str, Any]:
        """Return what has a state_dict."""
        named = {key: getattr(self, key) for key in ("model", "optimizer", "scaler")}
        return {**named, "schedule": self.schedule.scheduler}

    def save(self, task: _Task) -> None:
        """Write resume.pt."""
        plain = {key: getattr(self, key) for key in _PLAIN}
        states = {key: part.state_dict() for key, part in self.parts().items()}
        save_resume({**plain, **states, "digest": task.digest}, task.folder)

    def restore(self, task: _Task) -> None:
        """Take over what resume.pt holds, if there is one."""
        saved = load_resume(task.folder)
        if saved is None:
            return
        if (saved["digest"], saved["start_sha256"]) != (task.digest, self.start_sha256):
            raise InputError(
                f"{task.folder} holds an unfinished training on other data, settings or weights; "
                f"start a new run, or delete {task.folder / RESUME} to train this network again."
            )
        for key, part in self.parts().items():
            part.load_state_dict(saved[key])
        for key in _PLAIN:
            setattr(self, key, saved[key])


_PLAIN = ("start_sha256", "best_epoch", "best_auroc", "history", "seconds")


def train_network(
    name: str,
    data: TrainingData,
    settings: TrainingConfig,
    *,
    seed: int,
    folder: Path,
    events: Events,
) -> TrainingResult:
    """Train `name` and leave its best weights, history and facts in `folder`.

    Goes on where resume.pt stands; a folder that holds a finished training of the same data and
    settings is returned as it is.

    Raises:
        InputError: the data can't be learnt from, the device or weights can't be had, the loss
            is not finite (names the images), the GPU's memory is too small, or `folder` belongs
            to other data or settings.
    """
    check_training_data(data)
    device = resolve_device(settings.device)
    check_precision(settings.precision, device)
    task = _Task(name, data, settings, seed, folder, device)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "training.json").exists():
        with reproducible(seed, device, deterministic=settings.deterministic):
            state = _start(task)
            state.restore(task)
            with _memory_explained(task):
                _fit(state, task, events)
            facts = _facts(state, task)
        write_json(folder / "timing.json", _timing(state, data))
        write_json(folder / "training.json", facts)
    (folder / RESUME).unlink(missing_ok=True)
    return _finished(task)


@contextmanager
def _memory_explained(task: _Task) -> Iterator[None]:
    """Turn the GPU's running out of memory into a sentence that names a smaller batch."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        size = task.settings.batch_size
        mend = f"set training.batch_size to {size // 2}" if size > 1 else "use smaller images"
        raise InputError(
            f"The {task.device.type} device ran out of memory training {task.network} on "
            f"{size} images at a time; {mend}, or train at lower training.precision."
        ) from error


def _start(task: _Task) -> _State:
    settings, data = task.settings, task.data
    targets, counted = (
        torch.from_numpy(x[data.train_rows]).to(task.device) for x in (data.targets, data.counted)
    )
    model = build_network(task.network, weights=settings.weights)
    if settings.prior_bias:
        set_prior_bias(task.network, model, prevalence(targets, counted))
    model = place(model, task.device, channels_last=settings.channels_last)
    optimizer = OPTIMIZERS[settings.optimizer](
        model.parameters(),
        lr=settings.learning_rate,  # type: ignore[call-arg]
        weight_decay=settings.weight_decay,
        fused=task.device.type in ("cpu", "cuda"),  # one pass over the weights: half the time
    )
    steps = settings.epochs * batch_count(len(data.train_rows), settings.batch_size)
    return _State(
        model=model,
        optimizer=optimizer,
        schedule=SCHEDULES[settings.schedule](optimizer, settings, steps),
        scaler=torch.amp.GradScaler(task.device.type, enabled=settings.precision == "fp16"),
        loss=build_loss(settings.loss, targets, counted),
        start_sha256=weights_digest(model),
    )


def _fit(state: _State, task: _Task, events: Events) -> None:
    """The training loop: the epochs that are still to be run."""
    data, settings, device = task.data, task.settings, task.device
    epochs = range(len(state.history) + 1, settings.epochs + 1)
    images = len(data.train_rows) + len(data.validate_rows)
    title = f"Training {task.network}, seed {task.seed}"
    events.stage(title, total=len(epochs) * images, unit="images")
    for epoch in epochs:
        started = time.perf_counter()
        losses = LossMeter(data.image_ids, device, events)
        state.model.train()
        for rows, (pixels, targets, counted) in epoch_batches(
            data, batch_size=settings.batch_size, seed=task.seed, epoch=epoch, device=device
        ):
            with autocast(device, settings.precision):
                logits = state.model(to_input(pixels.to(device, non_blocking=True)))
            loss = state.loss(logits.float(), targets.to(device), counted.to(device))
            state.optimizer.zero_grad(set_to_none=True)
            state.scaler.scale(loss).backward()
            state.scaler.step(state.optimizer)
            state.scaler.update()
            state.schedule.after_batch()
            losses.add(rows, loss.detach())
        row = {"epoch": epoch, "train_loss": losses.mean()} | _validate(state, task, events)
        row["learning_rate"] = state.optimizer.param_groups[0]["lr"]
        state.schedule.after_epoch(row["validation_loss"])
        state.history.append(row)
        if row["validation_auroc"] > state.best_auroc:
            state.best_epoch, state.best_auroc = epoch, row["validation_auroc"]
            notes = {"network": task.network, "seed": task.seed, "epoch": epoch}
            save_checkpoint(state.model, task.folder, notes)
        state.seconds.append(time.perf_counter() - started)
        _write_history(task.folder / "history.csv", state.history)
        state.save(task)
        events.epoch(task.network, task.seed, row)


def _validate(state: _State, task: _Task, events: Events) -> dict[str, float]:
    """Return validation_loss and validation_auroc."""
    rows = task.data.validate_rows
    logits = predict(
        state.model,
        task.data.pixels,
        rows,
        batch_size=task.settings.batch_size,
        device=task.device,
        precision=task.settings.precision,
        progress=events.advance,
    )
    targets, counted = task.data.targets[rows], task.data.counted[rows]
    tensors = (torch.from_numpy(x).to(task.device) for x in (logits, targets, counted))
    loss = float(state.loss(*tensors))
    if not math.isfinite(loss):
        raise InputError(
            f"The validation loss became {loss}: training diverged; lower training.learning_rate."
        )
    auroc = macro_auroc(targets > 0.5, logits, counted)
    events.advance(0, auroc=auroc)
    return {"validation_loss": loss, "validation_auroc": auroc}


def _facts(state: _State, task: _Task) -> dict[str, Any]:
    """Return the content of training.json; puts the best weights into the model to hash them."""
    load_checkpoint(state.model, task.folder)
    return {
        "schema": 1,
        "network": task.network,
        "seed": task.seed,
        "parameters": parameter_count(state.model),
        "weights_mb": round(weights_mb(state.model), 3),
        "checkpoint_mb": round((task.folder / CHECKPOINT).stat().st_size / 1e6, 3),
        "start_sha256": state.start_sha256,
        "weights_sha256": weights_digest(state.model),
        "best_epoch": state.best_epoch,
        "best_validation_auroc": state.best_auroc,
        "epochs": len(state.history),
        "train_images": len(task.data.train_rows),
        "validate_images": len(task.data.validate_rows),
        "device": task.device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "settings": task.recipe,
        "digest": task.digest,
    }


def _timing(state: _State, data: TrainingData) -> dict[str, Any]:
    mean = sum(state.seconds) / len(state.seconds)
    images = len(data.train_rows) + len(data.validate_rows)
    return {
        "seconds_per_epoch": mean,
        "images_per_second": images / mean,
        "epochs": state.seconds,
    }


def _finished(task: _Task) -> TrainingResult:
    facts = read_json(task.folder / "training.json")
    if facts["digest"] != task.digest:
        raise InputError(
            f"{task.folder} holds a training on other data or settings; start a new run."
        )
    timing = read_json(task.folder / "timing.json")
    seconds = timing["seconds_per_epoch"]
    return TrainingResult(task.network, task.seed, task.folder, facts, seconds)


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    with replacing(path) as part, part.open("w", newline="") as file:
        writer = csv.DictWriter(file, HISTORY, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
