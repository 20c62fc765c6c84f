"""What the training loop costs beside forward, backward and step.

python -m pytest tests/perf/test_training_overhead.py -s
"""

import time
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from benchmark.config import TrainingConfig
from benchmark.events import Silent
from benchmark.training.devices import place
from benchmark.training.loop import TrainingData, train_network
from cxr.networks import build_network
from cxr.tensors import to_input

SIZE, BATCH, STEPS = 64, 16, 10


class StepClock(Silent):
    """Notes the time of each training step that is told."""

    def __init__(self):
        self.times = []

    def advance(self, count=1, **values):
        if "loss" in values:
            self.times.append(time.perf_counter())


def bare_steps(images, targets):
    """Seconds of each step of the shortest possible loop on tensors in memory."""
    torch.manual_seed(0)
    model = place(build_network("densenet121"), torch.device("cpu"), channels_last=True).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    times = []
    for start in range(0, len(images), BATCH):
        logits = model(images[start : start + BATCH])
        loss = nn.functional.binary_cross_entropy_with_logits(
            logits, targets[start : start + BATCH]
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter())
    return [after - before for before, after in pairwise(times)]


def test_loop_costs_under_three_percent(tmp_path):
    """A step of train_network takes at most 3 % longer than a bare ten-line loop's."""
    random = np.random.default_rng(0)
    count = STEPS * BATCH
    pixels = random.integers(0, 256, (count + 2, SIZE, SIZE), dtype=np.uint8)
    targets = (random.random((count + 2, 14)) < 0.3).astype(np.float32)
    targets[-2:] = [[0] * 14, [1] * 14]
    data = TrainingData(
        pixels=pixels,
        train_rows=np.arange(count),
        validate_rows=np.arange(count, count + 2),
        targets=targets,
        counted=np.ones(targets.shape, bool),
        image_ids=[str(k) for k in range(count + 2)],
    )
    settings = TrainingConfig(weights="none", epochs=1, device="cpu", batch_size=BATCH)
    images, wanted = to_input(torch.from_numpy(pixels[:count])), torch.from_numpy(targets[:count])
    bare, ours = [], []
    for repeat in range(3):  # by turns, so that a busy moment meets both
        bare += bare_steps(images, wanted)[1:]
        clock = StepClock()
        train_network(
            "densenet121", data, settings, seed=0, folder=tmp_path / str(repeat), events=clock
        )
        ours += [after - before for before, after in pairwise(clock.times)][1:]
    overhead = float(np.median(ours) / np.median(bare) - 1)
    print(
        f"\nbare {np.median(bare) * 1e3:.1f} ms, ours {np.median(ours) * 1e3:.1f} ms a step: "
        f"{overhead:+.1%}; {BATCH / np.median(ours):.1f} images/s"
    )
    assert overhead < 0.03
