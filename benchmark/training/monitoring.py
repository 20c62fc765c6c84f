"""What is watched while a network trains: the batch losses and the validation AUROC."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmark.events import Events
from benchmark.training.batches import Piece, both_classes
from benchmark.training.distribution import current_ranks, sum_over_ranks
from cxr.errors import InputError
from cxr.metrics import auroc_score


class LossMeter:
    """Collects batch losses and stops at one that is not finite.

    Looking at a loss makes the CPU wait for the device, so on a GPU it looks at twenty together.

    Attributes:
        sums: the losses times the images they stand for, and those images, of this process. What
            an interrupted epoch goes on from.
    """

    def __init__(
        self,
        image_ids: Sequence[str],
        device: torch.device,
        events: Events,
        sums: Sequence[float] = (0.0, 0.0),
    ):
        self.sums = list(sums)
        self._image_ids = image_ids
        self._device = device
        self._every = 1 if device.type == "cpu" else 20
        self._events = events
        self._pending: list[tuple[Piece, Tensor]] = []

    def add(self, piece: Piece, loss: Tensor) -> None:
        """Take the mean loss of a piece of a batch."""
        self._pending.append((piece, loss))
        if len(self._pending) >= self._every:
            self.look()

    def mean(self) -> float:
        """Return the mean over the images so far, of all processes."""
        self.look()
        total, images = sum_over_ranks(self.sums, self._device)
        return total / images

    def look(self) -> None:
        """Take the losses from the device.

        Raises:
            InputError: one is not finite; names the images.
        """
        if not self._pending:
            return
        values = torch.stack([loss for _, loss in self._pending]).tolist()
        for (piece, _), value in zip(self._pending, values, strict=True):
            if not math.isfinite(value):
                ids = ", ".join(str(self._image_ids[row]) for row in piece.rows)
                raise InputError(
                    f"The training loss became {value} on the images {ids}; look at these "
                    "images, or lower training.learning_rate."
                )
            self.sums[0] += value * piece.images
            self.sums[1] += piece.images
        images = sum(len(piece.rows) for piece, _ in self._pending)
        self._events.advance(images * current_ranks().size, loss=values[-1])
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
