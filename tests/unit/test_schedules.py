"""Learning-rate schedules."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from benchmark.config import TrainingConfig
from benchmark.schedules import SCHEDULES

SETTINGS = TrainingConfig(learning_rate=0.1, factor=0.5, patience=2)


def rates(name, losses, batches=10, settings=SETTINGS):
    """The rate at each batch, over epochs with these validation losses."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=settings.learning_rate)
    schedule = SCHEDULES[name](optimizer, settings, batches * len(losses))
    seen = []
    for loss in losses:
        for _ in range(batches):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.after_batch()
        schedule.after_epoch(loss)
    return seen


def test_plateau_halves_after_patience():
    """The study's schedule: the third epoch in a row without a lower loss halves the rate."""
    by_epoch = rates("plateau", [1.0, 0.9, 0.95, 0.95, 0.95, 0.95, 0.8])[::10]
    assert by_epoch == [0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05]


def test_plateau_takes_factor_and_patience_from_the_config():
    """factor and patience are the config's."""
    settings = replace(SETTINGS, factor=0.1, patience=0)
    by_epoch = rates("plateau", [1.0, 1.0, 1.0], settings=settings)[::10]
    assert by_epoch == pytest.approx([0.1, 0.1, 0.01])


def test_one_cycle_rises_to_the_rate_and_ends_near_nothing():
    """one-cycle peaks at learning_rate after 30 % of all batches and ends under 1e-3 of it."""
    seen = rates("one-cycle", [1.0] * 10)
    assert max(seen) == pytest.approx(0.1)
    assert 25 <= seen.index(max(seen)) <= 30
    assert seen[0] == pytest.approx(0.1 / 25)
    assert seen[-1] < 1e-4


def test_cosine_warms_up_and_falls_to_nothing():
    """cosine rises over 5 % of all batches, then only falls, to about nothing."""
    seen = rates("cosine", [1.0] * 10)
    assert seen[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert all(after <= before for before, after in pairwise(seen[4:]))
    assert seen[-1] < 1e-4


def test_constant_stays():
    """constant keeps the rate."""
    assert set(rates("constant", [1.0, 2.0, 3.0])) == {0.1}


@pytest.mark.parametrize("name", SCHEDULES)
def test_shortest_training_has_a_schedule(name):
    """One epoch of one batch is no special case."""
    assert len(rates(name, [1.0], batches=1)) == 1
