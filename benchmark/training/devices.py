"""Where and how precisely the networks compute: device, autocast, determinism."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import joblib
import torch
import torch.utils.deterministic
from torch import nn

from benchmark.config import TrainingConfig
from cxr.errors import InputError

_MEMORY: Any = torch.utils.deterministic  # its switch is a property that types don't show
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """Return the device called `name`; "auto" takes CUDA, else MPS, else the CPU.

    Raises:
        InputError: the device is not there.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, available in there.items() if available)
    if not there.get(name, False):
        raise InputError(
            f"training.device: '{name}' is not available here; use "
            f"{' or '.join(device for device, available in there.items() if available)}."
        )
    return torch.device(name)


def settle(settings: TrainingConfig) -> str:
    """Choose the number of threads, for this process from here on, and say where it computes.

    Torch takes a thread for each processor of the machine. In a container that may use fewer,
    or where two share a core, more threads wait for each other; so no more are taken than there
    are cores to use. Fewer, by OMP_NUM_THREADS, stay fewer.

    Returns:
        A sentence for the user: device, threads, memory layout, precision.
    """
    device = resolve_device(settings.device)
    cores = joblib.cpu_count(only_physical_cores=True)
    if torch.get_num_threads() > cores:
        torch.set_num_threads(cores)
    where = torch.cuda.get_device_name() if device.type == "cuda" else device.type.upper()
    threads = torch.get_num_threads()
    counted = f"{threads} thread" if threads == 1 else f"{threads} threads"
    layout = "channels last" if settings.channels_last else "channels first"
    return f"Computing on {where}: {counted}, {layout}, {settings.precision}."


def check_precision(precision: str, device: torch.device) -> None:
    """Raise InputError where the device can't train at `precision`."""
    if precision == "fp16" and device.type == "cpu":
        raise InputError('training.precision: "fp16" needs a GPU; on the CPU use "fp32" or "bf16".')


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which `device` computes at `precision`."""
    return torch.autocast(device.type, dtype=AUTOCAST.get(precision), enabled=precision in AUTOCAST)


def place(model: nn.Module, device: torch.device, *, channels_last: bool) -> nn.Module:
    """Return `model` on `device`, in the memory format asked for."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return model.to(device=device, memory_format=layout)  # type: ignore[call-overload]


@contextmanager
def reproducible(seed: int, device: torch.device, *, deterministic: bool) -> Iterator[None]:
    """Seed torch inside the block and, where asked, allow only deterministic algorithms.

    Torch's random state and switches are put back afterwards.
    """
    before = torch.are_deterministic_algorithms_enabled()
    fill = _MEMORY.fill_uninitialized_memory
    benchmark = torch.backends.cudnn.benchmark
    # cuBLAS reads this when it starts, so it must stand before the first CUDA call
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cuda = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(cuda):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(deterministic, warn_only=device.type == "mps")
        # filling memory that is about to be overwritten costs DenseNet 4 % of a step
        _MEMORY.fill_uninitialized_memory = False
        torch.backends.cudnn.benchmark = not deterministic
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)
            _MEMORY.fill_uninitialized_memory = fill
            torch.backends.cudnn.benchmark = benchmark
