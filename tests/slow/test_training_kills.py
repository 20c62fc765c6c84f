"""A training that is killed at any moment goes on and ends as one that never was."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
import torch
from benchmark.config import TrainingConfig
from benchmark.events import Silent
from benchmark.training.loop import TrainingData, train_network

torch.set_num_threads(1)
random = np.random.default_rng(0)
targets = (random.random((48, 14)) < 0.4).astype(np.float32)
data = TrainingData(
    pixels=random.integers(0, 256, (48, 32, 32), dtype=np.uint8),
    train_rows=np.arange(32),
    validate_rows=np.arange(32, 48),
    targets=targets,
    counted=np.ones((48, 14), bool),
    image_ids=[str(k) for k in range(48)],
)
settings = TrainingConfig(
    weights="none", epochs=4, schedule=sys.argv[3], save_steps=int(sys.argv[4]), device="cpu"
)
print("ready", flush=True)
train_network(sys.argv[2], data, settings, seed=0, folder=Path(sys.argv[1]), events=Silent())
"""
FILES = ("training.json", "history.csv", "checkpoint.safetensors")


def start(folder: Path, *settings: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), *settings],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def kill_when(process: subprocess.Popen, ready, delay: float) -> None:
    """Kill the process `delay` seconds after `ready()` first holds."""
    while not ready() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    "settings", [("densenet121", "one-cycle", "0"), ("resnet50", "plateau", "1")]
)
def test_killed_training_ends_with_the_same_bytes(tmp_path, settings):
    """Killed with -9 early, in a write and between epochs, a training ends bit for bit alike."""
    whole = tmp_path / "whole"
    assert start(whole, *settings).wait() == 0
    killed = tmp_path / "killed"
    moments = [
        (lambda: True, 0.2),  # before the first epoch ends
        (lambda: (killed / "checkpoint.safetensors").exists(), 0.0),  # about the first writes
        (lambda: (killed / ".resume.pt.part").exists(), 0.0),  # within a write
        (lambda: (killed / "resume.pt").exists(), 0.3),  # within an epoch
    ]
    for ready, delay in moments:
        kill_when(start(killed, *settings), ready, delay)
    assert start(killed, *settings).wait() == 0
    for name in FILES:
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    assert sorted(path.name for path in killed.iterdir()) == sorted(
        path.name for path in whole.iterdir()
    )
