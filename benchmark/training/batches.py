"""What a network learns from, in batches whose order comes from (seed, epoch)."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmark.training.distribution import Ranks
from cxr.errors import InputError
from cxr.tensors import Batch, RadiographDataset

ONE = Ranks()


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

    def digest(self) -> str:
        """Return a digest of everything but the images, of which a sample of 64 stands in."""
        digest = hashlib.sha256("\n".join(map(str, self.image_ids)).encode())
        sample = self.pixels[:: max(1, len(self.pixels) // 64)]
        for array in (self.train_rows, self.validate_rows, self.targets, self.counted, sample):
            digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def check_training_data(data: TrainingData) -> None:
    """Raise InputError where `data` can't train a network or choose its best epoch."""
    if len(data.train_rows) < 2:
        raise InputError(
            f"The training split has {len(data.train_rows)} image(s), too few to train on; "
            "use more patients or change split.fractions."
        )
    rows = data.validate_rows
    if not both_classes(data.targets[rows] > 0.5, data.counted[rows]).any():
        raise InputError(
            f"In the validation split ({len(rows)} images) no observation has both positive and "
            "negative cases, so the best epoch can't be chosen; use more patients or enlarge "
            "split.fractions' second share."
        )


def both_classes(present: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return (14,) bool: whether present and absent both occur among the counted cases."""
    return (present & counted).any(axis=0) & (~present & counted).any(axis=0)


def batch_count(images: int, batch_size: int) -> int:
    """Return the number of batches that `epoch_batches` makes of so many images."""
    return max(1, images // batch_size + (images % batch_size > 1))


@dataclass(frozen=True)
class Piece:
    """The part of a batch that one process computes at once.

    Attributes:
        rows: which images of `TrainingData.pixels`.
        content: their pixels, targets and counted.
        share: of the batch's counted targets, how much is this piece's: the weight of its mean
            loss in the batch's.
        images: how many of the batch's images its loss stands for.
    """

    rows: np.ndarray
    content: Batch
    share: float
    images: float


def epoch_batches(
    data: TrainingData,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    device: torch.device,
    pieces: int = 1,
    ranks: Ranks = ONE,
    start: int = 0,
) -> Iterator[list[Piece]]:
    """Yield an epoch's batches in random order, each as the pieces that this process computes.

    Order, and torch's random state for dropout and the like, are set from (seed, epoch, batch):
    an interrupted epoch can be run again, or from its batch `start` on. A last batch of one
    image joins the one before, since batch norm can't train on one. How many ranks and pieces
    divide a batch changes nothing about which images are in it.
    """
    rows = data.train_rows
    order = np.random.default_rng([seed, epoch]).permutation(len(rows))
    cuts = np.arange(1, batch_count(len(rows), batch_size)) * batch_size
    batches = np.split(order, cuts)[start:]
    divided = [_divide(batch, pieces, ranks) for batch in batches]
    loader = iter(
        DataLoader(
            RadiographDataset(data.pixels, rows, data.targets[rows], data.counted[rows]),
            batch_sampler=[list(map(int, part)) for parts in divided for part in parts],
            collate_fn=_whole,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # the loader's own draws leave torch's random state alone
        )
    )
    counted = data.counted[rows].sum(axis=1)
    for step, (batch, parts) in enumerate(zip(batches, divided, strict=True), start):
        random = np.random.default_rng([seed, epoch, step, ranks.rank])
        torch.manual_seed(int(random.integers(2**62)))
        weights = counted if counted[batch].any() else np.ones(len(rows))
        shares = [float(weights[part].sum() / weights[batch].sum()) for part in parts]
        yield [
            Piece(rows[part], next(loader), share, share * len(batch))
            for part, share in zip(parts, shares, strict=True)
        ]


def _divide(batch: np.ndarray, pieces: int, ranks: Ranks) -> list[np.ndarray]:
    """Return this rank's pieces; as many in each rank, and of two images at least where it can."""
    most = max(1, min(pieces, len(batch) // (2 * ranks.size)))
    return np.array_split(batch[ranks.rank :: ranks.size], most)


def _whole(batch: Any) -> Any:
    """Return the batch that the dataset made."""
    return batch
