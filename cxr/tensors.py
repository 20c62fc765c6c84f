"""From decoded images to network input: torch datasets, and the one transform, per batch.

Samples stay uint8 until they are on the device; `to_input` then makes three channels and applies
ImageNet's mean and standard deviation (Deng et al. 2009; the values are torchvision's). There is
no flip: left and right matter in a chest.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch.utils.data import Dataset

from cxr.dicom import Fit, quantize, read_radiograph

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Batch: TypeAlias = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Pixels uint8 (B, H, W), targets float32 (B, 14), counted bool (B, 14)."""


class RadiographDataset(Dataset[Batch]):
    """Images out of a decoded array, read a batch at a time.

    Use it with `DataLoader(dataset, collate_fn=keep_batch, ...)`: `__getitems__` hands out whole
    batches, so no Python runs per image.

    Args:
        pixels: (N, H, W) uint8, in memory or memory-mapped.
        rows: (n,) int; which of the N images these are.
        targets: (n, 14) float32.
        counted: (n, 14) bool; False where a target does not count.

    Raises:
        ValueError: lengths differ, or pixels are not uint8 (N, H, W).
    """

    def __init__(
        self, pixels: np.ndarray, rows: np.ndarray, targets: np.ndarray, counted: np.ndarray
    ):
        if pixels.ndim != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}; expected uint8 (N, H, W).")
        if not len(rows) == len(targets) == len(counted):
            raise ValueError(
                f"{len(rows)} rows, {len(targets)} targets and {len(counted)} counted; the three "
                "must be equally long."
            )
        self.pixels = pixels
        self.rows = np.asarray(rows, dtype=np.int64)
        self.targets = torch.as_tensor(np.asarray(targets, dtype=np.float32))
        self.counted = torch.as_tensor(np.asarray(counted, dtype=bool))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        """Return pixels (H, W), targets (14,) and counted (14,) of one image."""
        image = torch.from_numpy(np.array(self.pixels[self.rows[index]]))
        return image, self.targets[index], self.counted[index]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the batch of these images."""
        chosen = torch.as_tensor(indices, dtype=torch.int64)  # empty too: a rank without an image
        images = torch.from_numpy(self.pixels[self.rows[chosen.numpy()]])
        return images, self.targets[chosen], self.counted[chosen]


class DicomDataset(Dataset[Batch]):
    """Images straight from their files (DICOM, PNG, JPEG), decoded anew at each access.

    Gives the same samples as `RadiographDataset` over the decoded cache; for a single pass, or
    for a look at a few files, where filling a cache is not worth it.

    Args:
        paths: (n,) image files.
        targets: (n, 14) float32.
        counted: (n, 14) bool.
        size: pixels a side.
        fit: how an image becomes a square, as in `read_radiograph`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        targets: np.ndarray,
        counted: np.ndarray,
        *,
        size: int = 224,
        fit: Fit = "squash",
    ):
        if not len(paths) == len(targets) == len(counted):
            raise ValueError(
                f"{len(paths)} paths, {len(targets)} targets and {len(counted)} counted; the "
                "three must be equally long."
            )
        self.paths = [Path(path) for path in paths]
        self.targets = torch.as_tensor(np.asarray(targets, dtype=np.float32))
        self.counted = torch.as_tensor(np.asarray(counted, dtype=bool))
        self.size = size
        self.fit = fit

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> Batch:
        """Return pixels (H, W) uint8, targets (14,) and counted (14,) of one image.

        Raises:
            RadiographError: the file can't be read as a radiograph.
        """
        image = quantize(read_radiograph(self.paths[index], size=self.size, fit=self.fit))
        return torch.from_numpy(image), self.targets[index], self.counted[index]


def keep_batch(batch: Batch) -> Batch:
    """Return the batch as it is: the `collate_fn` for a dataset that hands out whole batches."""
    return batch


def to_input(batch: torch.Tensor) -> torch.Tensor:
    """Turn grey images into network input, on the device where the batch lies.

    Args:
        batch: (B, H, W) uint8.

    Returns:
        (B, 3, H, W) float32; grey / 255 in three equal channels, minus ImageNet's mean, divided
        by its standard deviation.

    Raises:
        ValueError: the batch is not uint8 (B, H, W).
    """
    if batch.ndim != 3 or batch.dtype != torch.uint8:
        raise ValueError(f"the batch is {batch.dtype} {tuple(batch.shape)}; expected uint8 BxHxW.")
    mean = torch.tensor(IMAGENET_MEAN, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=batch.device).view(1, 3, 1, 1)
    grey = batch.unsqueeze(1).to(torch.float32)
    # (grey / 255 - mean) / std in one pass over the three channels
    return torch.addcmul(-mean / std, grey, 1 / (255 * std))
