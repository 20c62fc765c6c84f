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
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from benchmark.config import TrainingConfig
from benchmark.events import Events
from benchmark.inference.prediction import predict
from benchmark.runs import read_json, replacing, write_json
from benchmark.training.batches import (
    Piece,
    TrainingData,
    check_training_data,
    epoch_batches,
)
from benchmark.training.checkpoints import CHECKPOINT, RESUME, save_checkpoint, weights_digest
from benchmark.training.devices import autocast, check_precision, reproducible, resolve_device
from benchmark.training.distribution import current_ranks, gather_rows, share
from benchmark.training.monitoring import LossMeter, macro_auroc
from benchmark.training.state import State, Task, start
from cxr.errors import InputError
from cxr.networks import build_network, parameter_count, weights_mb
from cxr.policy import OWN_CLASS
from cxr.tensors import to_input

HISTORY = ("epoch", "train_loss", "validation_loss", "validation_auroc", "learning_rate")
"""Columns of history.csv. The rate is that of the epoch's end."""


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
    task = Task(name, data, settings, seed, folder, device, current_ranks())
    _check_batch(task)
    if not share((folder / "training.json").exists):
        with reproducible(seed, device, deterministic=settings.deterministic):
            state = start(task)
            state.restore(task)
            with _memory_explained(state, task):
                _fit(state, task, events)
            share(lambda: _finish(state, task))
    return share(lambda: _finished(task))


def _check_batch(task: Task) -> None:
    """Raise InputError where the batch is too small for its pieces."""
    settings, ranks = task.settings, task.ranks
    pieces = settings.accumulate * ranks.size
    if settings.batch_size < 2 * pieces:
        raise InputError(
            f"training.batch_size is {settings.batch_size}, to be computed in {pieces} pieces "
            f"(training.accumulate {settings.accumulate} times {ranks.size} process(es)); each "
            f"needs two images, so set it to at least {2 * pieces}."
        )


@contextmanager
def _memory_explained(state: State, task: Task) -> Iterator[None]:
    """Turn the GPU's running out of memory into a sentence that names what fits."""
    try:
        yield
        return
    except torch.cuda.OutOfMemoryError:
        pass  # once it is handled, what the failed step held is free
    whole = task.settings.batch_size // task.ranks.size
    size = whole // task.settings.accumulate
    fits = _images_that_fit(state, task, size // 2)
    mend = "use smaller images, or set training.recompute"
    if fits:
        pieces = math.ceil(whole / fits)
        mend = f"{fits} at a time fit: set training.accumulate to {pieces}, for the same steps"
    raise InputError(
        f"The {task.device.type} device ran out of memory training {task.network} on {size} "
        f"images at a time; {mend}, or train at lower training.precision."
    )


def _images_that_fit(state: State, task: Task, size: int) -> int:
    """Return `size`, or how often halved it takes, for a forward and a backward pass; 0: none."""
    while size >= 2:
        state.optimizer.zero_grad(set_to_none=True)
        images = torch.zeros((size, *task.data.pixels.shape[1:]), dtype=torch.uint8)
        try:
            with autocast(task.device, task.settings.precision):
                logits = state.model(to_input(images.to(task.device)))
            logits.float().sum().backward()
            return size
        except torch.cuda.OutOfMemoryError:
            size //= 2
    return 0


def _fit(state: State, task: Task, events: Events) -> None:
    """The training loop: the epochs that are still to be run."""
    data, settings = task.data, task.settings
    images = len(data.train_rows) + len(data.validate_rows)
    total = (settings.epochs - len(state.history)) * images
    events.stage(f"Training {task.network}, seed {task.seed}", total=total, unit="images")
    for epoch in state.epochs_left(settings):
        started = time.perf_counter()
        losses = LossMeter(data.image_ids, task.device, events, state.sums)
        state.model.train()
        for pieces in epoch_batches(
            data,
            batch_size=settings.batch_size,
            seed=task.seed,
            epoch=epoch,
            device=task.device,
            pieces=settings.accumulate,
            ranks=task.ranks,
            start=state.step,
        ):
            _learn(state, task, pieces, losses)
            state.step += 1
            if settings.save_steps and state.step % settings.save_steps == 0:
                losses.look()
                state.sums = tuple(losses.sums)
                state.save(task)
        row = {"epoch": epoch, "train_loss": losses.mean()} | _validate(state, task, events)
        row["learning_rate"] = state.optimizer.param_groups[0]["lr"]
        state.schedule.after_epoch(row["validation_loss"])
        state.seconds.append(time.perf_counter() - started)
        _keep(state, task, row)
        events.epoch(task.network, task.seed, row)


def _learn(state: State, task: Task, pieces: list[Piece], losses: LossMeter) -> None:
    """Take one step on one batch."""
    state.optimizer.zero_grad(set_to_none=True)
    for piece in pieces:
        pixels, targets, counted = (
            part.to(task.device, non_blocking=True) for part in piece.content
        )
        with autocast(task.device, task.settings.precision):
            logits = state.learner(to_input(pixels))
        loss = state.loss(logits.float(), targets, counted)
        # ranks' gradients are averaged, and are to be summed
        state.scaler.scale(loss * (piece.share * task.ranks.size)).backward()
        losses.add(piece, loss.detach())
    if task.settings.clip:
        state.scaler.unscale_(state.optimizer)
        clip_grad_norm_(state.model.parameters(), task.settings.clip)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.schedule.after_batch()


def _keep(state: State, task: Task, row: dict[str, float]) -> None:
    """Write what an epoch leaves: the history, the weights if they are the best, resume.pt."""
    state.step, state.sums = 0, (0.0, 0.0)
    state.history.append(row)
    better = row["validation_auroc"] > state.best_auroc
    if better:
        state.best_epoch, state.best_auroc = int(row["epoch"]), row["validation_auroc"]
    if task.ranks.first:
        if better:
            notes = {"network": task.network, "seed": task.seed, "epoch": state.best_epoch}
            notes["channels"] = task.settings.channels
            save_checkpoint(state.model, task.folder, notes)
        _write_history(task.folder / "history.csv", state.history)
    state.save(task)


def _validate(state: State, task: Task, events: Events) -> dict[str, float]:
    """Return validation_loss and validation_auroc, over the scores of all ranks."""
    rows, ranks = task.data.validate_rows, task.ranks
    part = predict(
        state.model,
        task.data.pixels,
        rows[ranks.rank :: ranks.size],
        batch_size=task.settings.batch_size,
        device=task.device,
        precision=task.settings.precision,
        progress=lambda images: events.advance(images * ranks.size),
    )
    logits = gather_rows(part)
    targets, counted = task.data.targets[rows], task.data.counted[rows]
    tensors = (torch.from_numpy(x).to(task.device) for x in (logits, targets, counted))
    loss = float(state.loss(*tensors))
    if not math.isfinite(loss):
        raise InputError(
            f"The validation loss became {loss}: training diverged; lower training.learning_rate."
        )
    auroc = macro_auroc(targets > 0.5, logits, counted & (targets != OWN_CLASS))
    events.advance(0, auroc=auroc)
    return {"validation_loss": loss, "validation_auroc": auroc}


def _finish(state: State, task: Task) -> None:
    write_json(task.folder / "timing.json", _timing(state, task.data))
    write_json(task.folder / "training.json", _facts(state, task))


def _facts(state: State, task: Task) -> dict[str, Any]:
    """Return the content of training.json, about the network that the checkpoint holds."""
    checkpoint, channels = task.folder / CHECKPOINT, task.settings.channels
    model = build_network(task.network, weights=checkpoint, channels=channels)
    return {
        "schema": 1,
        "network": task.network,
        "seed": task.seed,
        "parameters": parameter_count(model),
        "weights_mb": round(weights_mb(model), 3),
        "checkpoint_mb": round(checkpoint.stat().st_size / 1e6, 3),
        "start_sha256": state.start_sha256,
        "weights_sha256": weights_digest(model),
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


def _timing(state: State, data: TrainingData) -> dict[str, Any]:
    mean = sum(state.seconds) / len(state.seconds)
    images = len(data.train_rows) + len(data.validate_rows)
    return {
        "seconds_per_epoch": mean,
        "images_per_second": images / mean,
        "epochs": state.seconds,
    }


def _finished(task: Task) -> TrainingResult:
    (task.folder / RESUME).unlink(missing_ok=True)
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
