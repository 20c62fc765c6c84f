"""Learning-rate schedules."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from benchmark.config import TrainingConfig
from benchmark.training.schedules import SCHEDULES

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


@pytest.mark.parametrize("name", ["plateau", "constant", "cosine"])
def test_warmup_rises_evenly_over_its_share(name):
    """The rate rises by equal steps over warmup of all batches; then the schedule has it."""
    seen = rates(name, [1.0, 0.9, 0.8], settings=replace(SETTINGS, warmup=0.2))
    assert seen[:6] == pytest.approx([0.1 * (k + 1) / 6 for k in range(6)])
    after = rates(name, [1.0, 0.9, 0.8])[6:] if name != "cosine" else seen[6:]
    assert seen[6:] == pytest.approx(after)
    assert max(seen) == pytest.approx(0.1)


def test_plateau_lowers_a_warmed_up_rate():
    """What plateau takes from the rate after the warm-up stays taken."""
    seen = rates("plateau", [1.0] * 5, settings=replace(SETTINGS, warmup=0.1))
    assert seen[-1] == pytest.approx(0.05)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_on_from_its_state(name):
    """A schedule that takes over another's state gives the rates that the other would have."""
    settings = replace(SETTINGS, warmup=0.5)

    def fresh():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        return optimizer, SCHEDULES[name](optimizer, settings, 20)

    def walk(optimizer, schedule, steps):
        seen = []
        for _ in range(steps):
            optimizer.step()
            schedule.after_batch()
            seen.append(optimizer.param_groups[0]["lr"])
        return seen

    whole = walk(*fresh(), 20)
    first, second = fresh(), fresh()
    walk(*first, 6)
    for new, old in zip(second, first, strict=True):
        new.load_state_dict(old.state_dict())
    assert walk(*second, 14) == pytest.approx(whole[6:])


def test_constant_stays():
    """constant keeps the rate."""
    assert set(rates("constant", [1.0, 2.0, 3.0])) == {0.1}


@pytest.mark.parametrize("name", SCHEDULES)
def test_shortest_training_has_a_schedule(name):
    """One epoch of one batch is no special case."""
    assert len(rates(name, [1.0], batches=1)) == 1
