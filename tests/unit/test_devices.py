"""Devices, precision and determinism."""

import joblib
import pytest
import torch
from torch import nn

from benchmark.config import TrainingConfig
from benchmark.training.devices import (
    autocast,
    check_precision,
    place,
    reproducible,
    resolve_device,
    settle,
)
from cxr.errors import InputError

CPU = torch.device("cpu")


def test_auto_is_the_best_device_there_is(monkeypatch):
    """ "auto" takes CUDA before MPS before the CPU."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert resolve_device("auto").type == "mps"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"


def test_missing_device_names_those_there_are(monkeypatch):
    """A device that is not there is answered with those that are."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    with pytest.raises(InputError, match="'cuda' is not available here; use mps or cpu"):
        resolve_device("cuda")


def test_fp16_is_for_gpus():
    """fp16 is refused on the CPU alone."""
    check_precision("fp16", torch.device("cuda"))
    check_precision("bf16", CPU)
    with pytest.raises(InputError, match='"fp16" needs a GPU'):
        check_precision("fp16", CPU)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_autocast_computes_at_the_precision(precision, dtype):
    """A layer's output has the precision that was asked for."""
    with autocast(CPU, precision):
        assert nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == dtype


def test_place_sets_the_memory_format():
    """channels_last weights are laid out so, and only where asked for."""
    for asked in (True, False):
        weight = place(nn.Conv2d(8, 4, 3), CPU, channels_last=asked).weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == asked


@pytest.mark.parametrize("deterministic", [True, False])
def test_reproducible_puts_everything_back(deterministic):
    """Random state and switches are as before, also after an error."""
    before = torch.get_rng_state()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    draws = []

    def fail_inside():
        with reproducible(5, CPU, deterministic=deterministic):
            assert torch.are_deterministic_algorithms_enabled() == deterministic
            draws.append(torch.rand(3))
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail_inside()
    assert torch.equal(*draws)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory == fill


@pytest.mark.parametrize(("torchs", "cores", "expected"), [(8, 2, 2), (1, 4, 1), (2, 2, 2)])
def test_no_more_threads_than_cores(monkeypatch, torchs, cores, expected):
    """Threads are cut to the cores that may be used, never raised, and told to the user."""
    threads = [torchs]
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda count: threads.__setitem__(0, count))
    monkeypatch.setattr(joblib, "cpu_count", lambda only_physical_cores: cores)
    words = settle(TrainingConfig(device="cpu", channels_last=False))
    assert threads == [expected]
    plural = "" if expected == 1 else "s"
    assert words == f"Computing on CPU: {expected} thread{plural}, channels first, fp32."
