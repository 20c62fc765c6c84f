"""Several processes that train one network: who is who, and what they tell each other.

`torchrun` starts the processes, the ranks. Each batch is divided among them, so that a step
learns from the same images however many there are; batch norm takes its statistics over the
whole batch and gradients are summed over it. Rank 0 alone reads and writes the results folder
and prints.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from cxr.errors import InputError

T = TypeVar("T")

PATIENCE = timedelta(hours=12)
"""How long a rank waits for another: rank 0 scores and decodes while the others stand by."""


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0


def current_ranks() -> Ranks:
    """Return this process's place among those that train together."""
    if not torch.distributed.is_initialized():
        return Ranks()
    return Ranks(torch.distributed.get_rank(), torch.distributed.get_world_size())


@contextmanager
def open_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that `torchrun` started, if it did: by NCCL on CUDA, else by gloo."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "nccl" if device.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, timeout=PATIENCE)
    try:
        yield current_ranks()
    finally:
        torch.distributed.destroy_process_group()


def check_ranks(ranks: Ranks, cases: pd.DataFrame) -> None:
    """Raise InputError where there are more processes than training patients."""
    patients = cases.loc[cases["split"] == "train", "patient_id"].nunique()
    if ranks.size > patients:
        raise InputError(
            f"{ranks.size} processes are to share {patients} training patients; start at most so "
            "many (torchrun --nproc-per-node), or use more patients."
        )


def share(compute: Callable[[], T]) -> T:
    """Return in every rank what `compute` gives in rank 0, the only one that calls it."""
    ranks = current_ranks()
    holder: list[Any] = [compute() if ranks.first else None]
    if ranks.size > 1:
        torch.distributed.broadcast_object_list(holder)
    value: T = holder[0]
    return value


def receive() -> Any:
    """Return what rank 0 shares next: for a rank that is not at the same place in the code."""
    return share(lambda: None)


def gather_rows(part: np.ndarray) -> np.ndarray:
    """Join the ranks' parts of an array that was dealt out as `rows[rank :: size]`."""
    size = current_ranks().size
    if size == 1:
        return part
    parts: list[np.ndarray] = [part] * size
    torch.distributed.all_gather_object(parts, part)
    whole = np.empty((sum(map(len, parts)), *part.shape[1:]), part.dtype)
    for rank, rows in enumerate(parts):
        whole[rank::size] = rows
    return whole


def sum_over_ranks(values: list[float], device: torch.device) -> list[float]:
    """Return the sums of the ranks' values."""
    if current_ranks().size == 1:
        return values
    total = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(total)
    summed: list[float] = total.tolist()
    return summed


def share_batch_norm(model: nn.Module) -> nn.Module:
    """Return `model` with batch norm over the batches of all ranks; itself where there is one."""
    if current_ranks().size == 1:
        return model
    if next(model.parameters()).device.type == "cuda":
        shared: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return shared
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.__class__ = SharedBatchNorm
    return model


def share_gradients(model: nn.Module) -> nn.Module:
    """Return the module whose backward pass averages gradients over the ranks."""
    if current_ranks().size == 1:
        return model
    return DistributedDataParallel(model)


class _SumOverRanks(torch.autograd.Function):
    """A sum over the ranks; what each rank's loss owes to it comes back as the sum of all."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


class SharedBatchNorm(_BatchNorm):
    """Batch norm over the batches of all ranks, where torch has none: beside CUDA.

    A rank may have no image of a batch. Source of the method: Ioffe & Szegedy 2015
    (arXiv:1502.03167), algorithm 1, over the union of the ranks' batches.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any number of dimensions."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalize (B, C, ...) by channel."""
        if not self.training:
            return super().forward(input)
        values = input.float()
        others = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1] + [1] * (values.ndim - 2)
        own = values.new_tensor([values.numel() // values.shape[1]])
        sums = _SumOverRanks.apply(torch.cat([values.sum(others), own]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = values - mean.view(shape)
        variance = _SumOverRanks.apply(centred.square().sum(others)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scaled = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            scaled = scaled * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        step = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, step)
        self.running_var.lerp_(variance, step)
