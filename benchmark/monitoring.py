"""What is watched while a network trains: the batch losses and the validation AUROC."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmark.batches import both_classes
from benchmark.events import Events
from cxr.errors import InputError
from cxr.metrics import auroc_score


class LossMeter:
    """Collects batch losses and stops at one that is not finite.

    Looking at a loss makes the CPU wait for the device, so on a GPU it looks at twenty together.
    """

    def __init__(self, image_ids: Sequence[str], device: torch.device, events: Events):
        self._image_ids = image_ids
        self._every = 1 if device.type == "cpu" else 20
        self._events = events
        self._pending: list[tuple[np.ndarray, Tensor]] = []
        self._sum = 0.0
        self._images = 0

    def add(self, rows: np.ndarray, loss: Tensor) -> None:
        """Take the loss of the batch of images `rows`."""
        self._pending.append((rows, loss))
        if len(self._pending) >= self._every:
            self._look()

    def mean(self) -> float:
        """Return the mean over the images so far."""
        self._look()
        return self._sum / self._images

    def _look(self) -> None:
        if not self._pending:
            return
        values = torch.stack([loss for _, loss in self._pending]).tolist()
        before = self._images
        for (rows, _), value in zip(self._pending, values, strict=True):
            if not math.isfinite(value):
                ids = ", ".join(str(self._image_ids[row]) for row in rows)
                raise InputError(
                    f"The training loss became {value} on the images {ids}; look at these "
                    "images, or lower training.learning_rate."
                )
            self._sum += value * len(rows)
            self._images += len(rows)
        self._events.advance(self._images - before, loss=values[-1])
        self._pending.clear()


def macro_auroc(present: np.ndarray, scores: np.ndarray, counted: np.ndarray) -> float:
    """Return the mean AUROC over the observations that have both classes; NaN without any.

    Args:
        present: (n, 14) bool.
        scores: (n, 14) float.
        counted: (n, 14) bool; cases that count.
    """
    values = [
        auroc_score(present[counted[:, k], k], scores[counted[:, k], k])
        for k in np.flatnonzero(both_classes(present, counted))
    ]
    return float(np.mean(values)) if values else math.nan
