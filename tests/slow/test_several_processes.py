"""Several processes train as one does: the same steps, one folder, one voice."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from tests.tiny_run import tiny

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
import torch
from benchmark.config import TrainingConfig
from benchmark.training.distribution import open_ranks
from benchmark.events import Silent
from benchmark.training.loop import TrainingData, train_network
from cxr.networks import NETWORKS, Network
from torch import nn

class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        )
        self.head = nn.Linear(16, 1000)

    def forward(self, images):
        return self.head(self.body(images).mean(dim=(2, 3)))

NETWORKS["small"] = Network(Small, "body", "head")
torch.set_num_threads(1)
random = np.random.default_rng(0)
targets = (random.random((48, 14)) < 0.4).astype(np.float32)
data = TrainingData(
    pixels=random.integers(0, 256, (48, 32, 32), dtype=np.uint8),
    train_rows=np.arange(34),
    validate_rows=np.arange(34, 48),
    targets=targets,
    counted=random.random((48, 14)) < 0.7,
    image_ids=[str(k) for k in range(48)],
)
settings = TrainingConfig(
    weights="none", epochs=int(sys.argv[2]), device="cpu", optimizer=sys.argv[3], loss=sys.argv[4]
)
class Stop(Silent):
    def epoch(self, network, seed, row):
        if len(sys.argv) > 5:
            raise SystemExit

with open_ranks(torch.device("cpu")) as ranks:
    folder = Path(sys.argv[1]) / ("run" if ranks.first else f"stray-{ranks.rank}")
    train_network("small", data, settings, seed=0, folder=folder, events=Stop())
"""


def start(count, port, *arguments):
    """Run Python on `arguments` in so many processes; return what it left and printed."""
    command = [sys.executable]
    if count > 1:
        command += ["-m", "torch.distributed.run", f"--nproc-per-node={count}"]
        command += [f"--master-port={port}"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def train(tmp_path, name, count, port, *settings):
    """Train in so many processes in the folder `name`; return it."""
    script = tmp_path / "script.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{SCRIPT}")
    folder = tmp_path / name
    ended = start(count, port, script, folder, *settings)
    assert ended.returncode == 0, ended.stderr
    return folder


def column(folder, name):
    with (folder / "run" / "history.csv").open() as file:
        return np.array([float(row[name]) for row in csv.DictReader(file)])


@pytest.mark.parametrize(("count", "port"), [(2, 29611), (3, 29612)])
def test_ranks_take_the_steps_of_one_process(tmp_path, count, port):
    """Two and three processes, the last batch too small for one of them, train as one does.

    By plain gradient descent, batch norm and uncounted targets and all: losses within 1e-4 and
    weights within 1e-4 of the distance that they went.
    """
    settings = ("3", "sgd", "weighted")
    one, many = (train(tmp_path, str(n), n, port, *settings) for n in (1, count))
    for name in ("train_loss", "validation_loss"):
        np.testing.assert_allclose(column(many, name), column(one, name), rtol=1e-4)
    first, second = (load_file(f / "run" / "checkpoint.safetensors") for f in (one, many))
    for key, tensor in first.items():
        np.testing.assert_allclose(second[key], tensor, rtol=1e-3, atol=1e-4, err_msg=key)
    assert sorted(path.name for path in many.iterdir()) == ["run"]


def test_interrupted_ranks_go_on_whoever_they_are(tmp_path):
    """Two processes that were stopped go on to the same bytes, and so may one that was alone."""
    settings = ("2", "sgd", "bce")
    whole = train(tmp_path, "whole", 2, 29615, *settings)
    for name, before in (("two", 2), ("one", 1)):
        folder = train(tmp_path, name, before, 29616, *settings, "stop")
        assert (folder / "run" / "resume.pt").exists()
        assert len(column(folder, "epoch")) == 1
        train(tmp_path, name, 2, 29617, *settings)
        np.testing.assert_allclose(
            column(folder, "train_loss"), column(whole, "train_loss"), rtol=1e-4
        )
    checkpoints = [tmp_path / n / "run/checkpoint.safetensors" for n in ("whole", "two")]
    assert checkpoints[0].read_bytes() == checkpoints[1].read_bytes()


def test_whole_run_in_two_processes(tmp_path):
    """torchrun carries out the whole job: one run folder, printed once, scored as by one."""
    settings = tiny("training.networks=resnet50", "card.pdf=false")
    folders = {}
    for count in (1, 2):
        ended = start(
            count, 29613, "-m", "benchmark", "run", *settings, "-o", tmp_path / str(count)
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("resnet50 (seed 0)") == 1
        assert ended.stderr.count("Evaluating:") == 1
        (folders[count],) = (p.parent for p in (tmp_path / str(count)).rglob("run.json"))
    one, two = (pd.read_parquet(f / "resnet50/seed-0/scores.parquet") for f in folders.values())
    logits = [table.drop(columns=["image_id", "split"]).to_numpy() for table in (one, two)]
    assert np.abs(logits[0] - logits[1]).max() < 0.05
    facts = [
        json.loads((f / "resnet50/seed-0/training.json").read_text()) for f in folders.values()
    ]
    assert facts[0]["digest"] == facts[1]["digest"]
