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
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmark.checkpoints import (
    CHECKPOINT,
    RESUME,
    load_checkpoint,
    load_resume,
    replace_file,
    save_checkpoint,
    save_resume,
    weights_digest,
)
from benchmark.config import TrainingConfig
from benchmark.devices import autocast, check_precision, place, reproducible, resolve_device
from benchmark.events import Events
from benchmark.losses import bce_loss
from benchmark.prediction import predict
from benchmark.schedules import SCHEDULES, Schedule
from cxr.errors import InputError
from cxr.metrics import auroc_score
from cxr.networks import build_network, parameter_count, weights_mb
from cxr.tensors import Batch, RadiographDataset, to_input

HISTORY = ("epoch", "train_loss", "validation_loss", "validation_auroc", "learning_rate")
"""Columns of history.csv. The rate is that of the epoch's end."""

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True)
class TrainingData:
    """What a network learns from.

    Attributes:
        pixels: (N, H, W) uint8, in memory or memory-mapped.
        train_rows, validate_rows: int arrays of indices into the N images.
        targets: (N, 14) float32.
        counted: (N, 14) bool; False where a target does not count.
        image_ids: N ids, for messages.
    """

    pixels: np.ndarray
    train_rows: np.ndarray
    validate_rows: np.ndarray
    targets: np.ndarray
    counted: np.ndarray
    image_ids: Sequence[str]


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


@dataclass
class _State:
    """What changes while a network trains; all of it goes into resume.pt."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    scaler: torch.amp.GradScaler
    best_epoch: int = 0
    best_auroc: float = -math.inf
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def save(self, folder: Path, digest: str) -> None:
        plain = {key: getattr(self, key) for key in ("best_epoch", "best_auroc", "history")}
        parts = {key: getattr(self, key).state_dict() for key in ("model", "optimizer", "scaler")}
        schedule = self.schedule.scheduler.state_dict()
        state = {**plain, **parts, "schedule": schedule, "seconds": self.seconds}
        save_resume({**state, "digest": digest}, folder)

    def restore(self, folder: Path, digest: str) -> None:
        """Take over what resume.pt holds, if there is one."""
        saved = load_resume(folder)
        if saved is None:
            return
        if saved["digest"] != digest:
            raise InputError(
                f"{folder} holds an unfinished training on other data or settings; start a new "
                f"run, or delete {folder / RESUME} to train this network again from the start."
            )
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scaler.load_state_dict(saved["scaler"])
        self.schedule.scheduler.load_state_dict(saved["schedule"])
        for key in ("best_epoch", "best_auroc", "history", "seconds"):
            setattr(self, key, saved[key])


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
            is not finite (names the images), or `folder` belongs to other data or settings.
    """
    check_training_data(data)
    device = resolve_device(settings.device)
    check_precision(settings.precision, device)
    folder.mkdir(parents=True, exist_ok=True)
    digest = _digest(name, data, settings, seed)
    if (folder / "training.json").exists():
        return _finished(name, seed, folder, digest)
    with reproducible(seed, device, deterministic=settings.deterministic):
        state = _start(name, data, settings, device)
        state.restore(folder, digest)
        _fit(state, name, data, settings, seed, folder, digest, events)
        facts = _facts(state, name, data, settings, seed, folder, digest)
    _write_json(folder / "timing.json", _timing(state, data))
    _write_json(folder / "training.json", facts)
    (folder / RESUME).unlink(missing_ok=True)
    return _finished(name, seed, folder, digest)


def _fit(
    state: _State,
    name: str,
    data: TrainingData,
    settings: TrainingConfig,
    seed: int,
    folder: Path,
    digest: str,
    events: Events,
) -> None:
    """The training loop: the epochs that are still to be run."""
    device = next(state.model.parameters()).device
    epochs = range(len(state.history) + 1, settings.epochs + 1)
    images = len(data.train_rows) + len(data.validate_rows)
    events.stage(f"Training {name}, seed {seed}", total=len(epochs) * images, unit="images")
    for epoch in epochs:
        started = time.perf_counter()
        losses = _LossMeter(data, device, events)
        state.model.train()
        for rows, (pixels, targets, counted) in _batches(data, settings, seed, epoch, device):
            with autocast(device, settings.precision):
                logits = state.model(to_input(pixels.to(device, non_blocking=True)))
            loss = bce_loss(logits.float(), targets.to(device), counted.to(device))
            state.optimizer.zero_grad(set_to_none=True)
            state.scaler.scale(loss).backward()
            state.scaler.step(state.optimizer)
            state.scaler.update()
            state.schedule.after_batch()
            losses.add(rows, loss.detach())
        row = {"epoch": epoch, "train_loss": losses.mean()}
        row |= _validate(state.model, data, settings, events)
        row["learning_rate"] = state.optimizer.param_groups[0]["lr"]
        state.schedule.after_epoch(row["validation_loss"])
        state.history.append(row)
        if row["validation_auroc"] > state.best_auroc:
            state.best_epoch, state.best_auroc = epoch, row["validation_auroc"]
            save_checkpoint(state.model, folder, {"network": name, "epoch": str(epoch)})
        state.seconds.append(time.perf_counter() - started)
        _write_history(folder / "history.csv", state.history)
        state.save(folder, digest)
        events.epoch(name, seed, row)


class _LossMeter:
    """Collects batch losses and stops at one that is not finite.

    Looking at a loss makes the CPU wait for the device, so on a GPU it looks at twenty together.
    """

    def __init__(self, data: TrainingData, device: torch.device, events: Events):
        self._data = data
        self._every = 1 if device.type == "cpu" else 20
        self._events = events
        self._pending: list[tuple[np.ndarray, Tensor]] = []
        self._sum = 0.0
        self._images = 0

    def add(self, rows: np.ndarray, loss: Tensor) -> None:
        self._pending.append((rows, loss))
        if len(self._pending) >= self._every:
            self._look()

    def mean(self) -> float:
        self._look()
        return self._sum / self._images

    def _look(self) -> None:
        if not self._pending:
            return
        values = torch.stack([loss for _, loss in self._pending]).tolist()
        for (rows, _), value in zip(self._pending, values, strict=True):
            if not math.isfinite(value):
                ids = ", ".join(str(self._data.image_ids[row]) for row in rows)
                raise InputError(
                    f"The training loss became {value} on the images {ids}; look at these "
                    "images, or lower training.learning_rate."
                )
            self._sum += value * len(rows)
            self._images += len(rows)
        count = sum(len(rows) for rows, _ in self._pending)
        self._events.advance(count, loss=values[-1])
        self._pending.clear()


def _batches(
    data: TrainingData, settings: TrainingConfig, seed: int, epoch: int, device: torch.device
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Yield the epoch's batches in random order, each with its rows of `data.pixels`.

    A last batch of one image joins the one before, since batch norm can't train on one.
    """
    rows = data.train_rows
    dataset = RadiographDataset(data.pixels, rows, data.targets[rows], data.counted[rows])
    random = np.random.default_rng([seed, epoch])
    torch.manual_seed(int(random.integers(2**62)))  # for dropout and the like
    order = random.permutation(len(rows))
    cuts = np.arange(settings.batch_size, len(rows), settings.batch_size)
    batches = np.split(order, cuts[cuts < max(len(rows) - 1, 1)])
    loader = DataLoader(
        dataset,
        batch_sampler=[list(map(int, batch)) for batch in batches],
        collate_fn=_whole,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),
    )
    for batch, content in zip(batches, loader, strict=True):
        yield rows[batch], content


def _whole(batch: Any) -> Any:
    """Return the batch that the dataset made."""
    return batch


def _validate(
    model: nn.Module, data: TrainingData, settings: TrainingConfig, events: Events
) -> dict[str, float]:
    """Return validation_loss and validation_auroc."""
    rows = data.validate_rows
    logits = predict(
        model,
        data.pixels,
        rows,
        batch_size=settings.batch_size,
        device=next(model.parameters()).device,
        precision=settings.precision,
        progress=events.advance,
    )
    targets, counted = data.targets[rows], data.counted[rows]
    loss = float(bce_loss(*map(torch.from_numpy, (logits, targets, counted))))
    if not math.isfinite(loss):
        raise InputError(
            f"The validation loss became {loss}: training diverged; lower training.learning_rate."
        )
    auroc = macro_auroc(targets > 0.5, logits, counted)
    events.advance(0, auroc=auroc)
    return {"validation_loss": loss, "validation_auroc": auroc}


def macro_auroc(present: np.ndarray, scores: np.ndarray, counted: np.ndarray) -> float:
    """Return the mean AUROC over the observations that have both classes; NaN without any.

    Args:
        present: (n, 14) bool.
        scores: (n, 14) float.
        counted: (n, 14) bool; cases that count.
    """
    both = _both_classes(present, counted)
    values = [
        auroc_score(present[counted[:, k], k], scores[counted[:, k], k])
        for k in np.flatnonzero(both)
    ]
    return float(np.mean(values)) if values else math.nan


def _both_classes(present: np.ndarray, counted: np.ndarray) -> np.ndarray:
    return (present & counted).any(axis=0) & (~present & counted).any(axis=0)


def check_training_data(data: TrainingData) -> None:
    """Raise InputError where `data` can't train a network or choose its best epoch."""
    if len(data.train_rows) < 2:
        raise InputError(
            f"The training split has {len(data.train_rows)} image(s), too few to train on; "
            "use more patients or change split.fractions."
        )
    rows = data.validate_rows
    if not _both_classes(data.targets[rows] > 0.5, data.counted[rows]).any():
        raise InputError(
            f"In the validation split ({len(rows)} images) no observation has both positive and "
            "negative cases, so the best epoch can't be chosen; use more patients or enlarge "
            "split.fractions' second share."
        )


def _start(name: str, data: TrainingData, settings: TrainingConfig, device: torch.device) -> _State:
    model = build_network(name, weights=settings.weights)
    model = place(model, device, channels_last=settings.channels_last)
    optimizer = OPTIMIZERS[settings.optimizer](
        model.parameters(),
        lr=settings.learning_rate,  # type: ignore[call-arg]
        weight_decay=settings.weight_decay,
        fused=device.type in ("cpu", "cuda"),  # one pass over the weights: half the time
    )
    rows, size = len(data.train_rows), settings.batch_size
    batches = max(1, rows // size + (rows % size > 1))
    schedule = SCHEDULES[settings.schedule](optimizer, settings, settings.epochs * batches)
    scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "fp16")
    return _State(model, optimizer, schedule, scaler)


def _digest(name: str, data: TrainingData, settings: TrainingConfig, seed: int) -> str:
    """Return a digest of all that a training depends on; of the images, a sample of 64."""
    recipe = {key: value for key, value in asdict(settings).items() if key not in _ELSEWHERE}
    digest = hashlib.sha256(json.dumps([name, seed, recipe], sort_keys=True).encode())
    digest.update("\n".join(map(str, data.image_ids)).encode())
    sample = data.pixels[:: max(1, len(data.pixels) // 64)]
    for array in (data.train_rows, data.validate_rows, data.targets, data.counted, sample):
        digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


_ELSEWHERE = ("networks", "seeds")
"""Settings that say what else is trained, and so leave this network as it is."""


def _facts(
    state: _State,
    name: str,
    data: TrainingData,
    settings: TrainingConfig,
    seed: int,
    folder: Path,
    digest: str,
) -> dict[str, Any]:
    """Return the content of training.json; puts the best weights into the model to hash them."""
    device = next(state.model.parameters()).device
    load_checkpoint(state.model, folder)
    return {
        "schema": 1,
        "network": name,
        "seed": seed,
        "parameters": parameter_count(state.model),
        "weights_mb": round(weights_mb(state.model), 3),
        "checkpoint_mb": round((folder / CHECKPOINT).stat().st_size / 1e6, 3),
        "weights_sha256": weights_digest(state.model),
        "best_epoch": state.best_epoch,
        "best_validation_auroc": state.best_auroc,
        "epochs": len(state.history),
        "train_images": len(data.train_rows),
        "validate_images": len(data.validate_rows),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "settings": {k: v for k, v in asdict(settings).items() if k not in _ELSEWHERE},
        "digest": digest,
    }


def _timing(state: _State, data: TrainingData) -> dict[str, Any]:
    mean = sum(state.seconds) / len(state.seconds)
    images = len(data.train_rows) + len(data.validate_rows)
    return {
        "seconds_per_epoch": mean,
        "images_per_second": images / mean,
        "epochs": state.seconds,
    }


def _finished(name: str, seed: int, folder: Path, digest: str) -> TrainingResult:
    facts = json.loads((folder / "training.json").read_text())
    if facts["digest"] != digest:
        raise InputError(f"{folder} holds a training on other data or settings; start a new run.")
    timing = json.loads((folder / "timing.json").read_text())
    return TrainingResult(name, seed, folder, facts, timing["seconds_per_epoch"])


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    def write(part: Path) -> None:
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, HISTORY, lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)

    replace_file(path, write)


def _write_json(path: Path, values: dict[str, Any]) -> None:
    text = json.dumps(values, indent=1) + "\n"
    replace_file(path, lambda part: part.write_text(text))
