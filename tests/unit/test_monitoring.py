"""What is watched while a network trains."""

import numpy as np
import pytest
import torch

from benchmark.events import Silent
from benchmark.training.batches import Piece
from benchmark.training.monitoring import LossMeter, macro_auroc
from cxr.errors import InputError

IDS = [f"image{k}" for k in range(60)]


def piece(rows, images=None):
    """A piece of a batch that stands for all its images unless told otherwise."""
    return Piece(np.array(rows), (), 1.0, len(rows) if images is None else images)


class Advances(Silent):
    def __init__(self):
        self.calls = []

    def advance(self, count=1, **values):
        self.calls.append((count, values))


def test_mean_loss_is_over_images():
    """A batch of three weighs three times as much as a batch of one; each is told at once."""
    events = Advances()
    meter = LossMeter(IDS, torch.device("cpu"), events)
    meter.add(piece([0]), torch.tensor(1.0))
    meter.add(piece([1, 2, 3]), torch.tensor(2.0))
    assert meter.mean() == pytest.approx(7 / 4)
    assert events.calls == [(1, {"loss": 1.0}), (3, {"loss": 2.0})]


def test_an_interrupted_mean_goes_on():
    """A meter that starts from another's sums ends with the mean of both."""
    first, whole = (LossMeter(IDS, torch.device("cpu"), Silent()) for _ in range(2))
    first.add(piece([0]), torch.tensor(1.0))
    second = LossMeter(IDS, torch.device("cpu"), Silent(), first.sums)
    for meter in (second, whole):
        if meter is whole:
            meter.add(piece([0]), torch.tensor(1.0))
        meter.add(piece([1, 2], images=3.0), torch.tensor(2.0))
    assert second.mean() == whole.mean() == pytest.approx(7 / 4)


def test_gpu_losses_are_looked_at_in_twenties():
    """On a GPU, looking waits for the device, so twenty losses are looked at together."""
    events = Advances()
    meter = LossMeter(IDS, torch.device("cuda"), events)
    for k in range(45):
        meter.add(piece([k]), torch.tensor(float(k)))
    assert [count for count, _ in events.calls] == [20, 20]
    assert meter.mean() == pytest.approx(22)
    assert [count for count, _ in events.calls] == [20, 20, 5]


def test_late_look_still_names_the_right_batch():
    """The images named are those of the first bad batch, however late it is looked at."""
    meter = LossMeter(IDS, torch.device("cuda"), Silent())
    for k in range(10):
        meter.add(piece([2 * k, 2 * k + 1]), torch.tensor(torch.nan if k >= 4 else 0.5))
    with pytest.raises(InputError, match="nan on the images image8, image9;"):
        meter.mean()


def test_macro_auroc_is_over_observations_with_both_classes():
    """Observations of one class, or uncounted into one class, have no part in the mean."""
    present = np.zeros((4, 14), bool)
    present[:2, 0] = True
    present[0, 1] = True
    present[:, 2] = True
    scores = np.zeros((4, 14))
    scores[:, 0] = [4, 3, 2, 1]
    scores[:, 1] = [1, 2, 3, 4]
    counted = np.ones((4, 14), bool)
    assert macro_auroc(present, scores, counted) == pytest.approx((1 + 0) / 2)
    counted[0, 1] = False
    assert macro_auroc(present, scores, counted) == 1
    assert np.isnan(macro_auroc(present[:, 2:3], scores[:, 2:3], counted[:, 2:3]))
