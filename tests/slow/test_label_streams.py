"""Labeling many reports as a process of its own: memory that stays flat, a kill in the middle."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from cxr.labeling import label_reports

TEXT = "FINDINGS: Small effusion, {} mm nodule. No pneumothorax. Heart size is normal."
MEASURED = (
    "import resource, sys\n"
    "from benchmark.cli import main\n"
    "try:\n    main()\nfinally:\n"
    "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
)


def write_reports(path: Path, count: int) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["study_id", "text"])
        writer.writerows([number, TEXT.format(number)] for number in range(count))
    return path


def arguments(source: Path, output: Path, *, jobs: int = 1) -> list[str]:
    evidence = output.with_suffix(".jsonl")
    options = ["-o", str(output), "--evidence", str(evidence), "--jobs", str(jobs)]
    return ["label", str(source), *options]


def peak_mb(source: Path, output: Path) -> float:
    """Return the largest memory of a process that labels `source`."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments(source, output)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stderr.split()[-1]) / 1024


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Ten times the reports take no more memory, but for the eight bytes that tell ids apart."""
    few = peak_mb(write_reports(tmp_path / "few.csv", 5_000), tmp_path / "a.csv")
    many = peak_mb(write_reports(tmp_path / "many.csv", 50_000), tmp_path / "b.csv")
    assert many < few + 25


def test_a_killed_job_goes_on_to_the_same_files(tmp_path: Path) -> None:
    """Killed at any moment and started again, the job writes what it would have written."""
    source = write_reports(tmp_path / "reports.csv", 30_000)
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    command = [sys.executable, "-m", "benchmark"]
    subprocess.run([*command, *arguments(source, whole)], capture_output=True, check=True)
    started = subprocess.Popen(
        [*command, *arguments(source, out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    state = tmp_path / "out.csv.state"
    while started.poll() is None and not (state.exists() and _done(state) >= 5_000):
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    assert not out.exists()
    again = subprocess.run(
        [*command, *arguments(source, out, jobs=2)], capture_output=True, text=True, check=True
    )
    assert "were done before" in again.stderr
    assert out.read_bytes() == whole.read_bytes()
    assert out.with_suffix(".jsonl").read_bytes() == whole.with_suffix(".jsonl").read_bytes()


def _done(state: Path) -> int:
    try:
        return int(json.loads(state.read_text())["done"])
    except ValueError:
        return 0


def test_two_processes_read_reports_alike() -> None:
    """label_reports gives the same labels in the same order with several processes."""
    texts = [TEXT.format(number) if number % 3 else "" for number in range(5_000)]
    np.testing.assert_array_equal(label_reports(texts, jobs=2), label_reports(texts))
