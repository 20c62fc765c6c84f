"""Rendering speed, on request: pytest tests/perf/test_synth_speed.py"""

import time
from pathlib import Path

import pytest

from cxr.synth.cohort import write_cohort


@pytest.mark.parametrize(("size", "studies", "floor"), [(256, 120, 40.0), (512, 60, 10.0)])
def test_images_per_second(tmp_path: Path, size: int, studies: int, floor: float) -> None:
    """Two processes write at least the promised images per second, DICOM files included."""
    write_cohort(tmp_path / "warm", studies=2, seed=1, size=size, conspicuity=1.0, jobs=2)
    started = time.perf_counter()
    write_cohort(tmp_path / "timed", studies=studies, seed=2, size=size, conspicuity=1.0, jobs=2)
    spent = time.perf_counter() - started
    images = len(list((tmp_path / "timed").rglob("*.dcm")))
    print(f"{size} px: {images / spent:.1f} images/s")
    assert images / spent >= floor
