"""What processes that train together share; here there is one, or a group of one."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch.distributed
from torch import nn

from benchmark.training.distribution import (
    Ranks,
    SharedBatchNorm,
    check_ranks,
    current_ranks,
    gather_rows,
    open_ranks,
    share,
    share_batch_norm,
    share_gradients,
    sum_over_ranks,
)
from cxr.errors import InputError

CPU = torch.device("cpu")


@pytest.fixture
def group(tmp_path):
    """A group of this process alone, in which batch norm does all that it does among several."""
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_alone_nothing_is_shared(monkeypatch):
    """One process is rank 0 of 1, and hands everything back as it is."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with open_ranks(CPU) as ranks:
        assert ranks == current_ranks() == Ranks(0, 1)
        assert ranks.first
    model, part = nn.BatchNorm2d(2), np.arange(3)
    assert share(lambda: "told") == "told"
    assert share_batch_norm(model) is share_gradients(model) is model
    assert gather_rows(part) is part
    assert sum_over_ranks([1.0, 2.0], CPU) == [1.0, 2.0]


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("affine", [True, False])
def test_shared_batch_norm_is_batch_norm(group, momentum, affine):
    """Over one process: torch's outputs, gradients and running statistics, then its evaluation."""
    torch.manual_seed(0)
    theirs = nn.BatchNorm2d(3, momentum=momentum, affine=affine)
    ours = nn.BatchNorm2d(3, momentum=momentum, affine=affine)
    ours.__class__ = SharedBatchNorm
    for _ in range(2):
        images = torch.randn(4, 3, 5, 5) * 3 + 1
        given = [images.clone().requires_grad_() for _ in range(2)]
        out = [norm(x) for norm, x in zip((theirs, ours), given, strict=True)]
        weights = torch.randn_like(images)
        for value in out:
            (value * weights).sum().backward()
        torch.testing.assert_close(out[1], out[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(given[1].grad, given[0].grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    torch.testing.assert_close(ours.eval()(images), theirs.eval()(images))


def test_more_processes_than_patients_are_refused():
    """Each process needs a training patient; patients of other splits don't help."""
    cases = pd.DataFrame({"split": ["train"] * 3 + ["test"], "patient_id": ["a", "a", "b", "c"]})
    check_ranks(Ranks(0, 2), cases)
    with pytest.raises(InputError, match=r"3 processes are to share 2 training patients; start"):
        check_ranks(Ranks(0, 3), cases)
