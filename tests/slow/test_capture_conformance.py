"""Secondary Captures against dicom3tools' validator, where it is installed."""

import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from benchmark.asking.capture import write_capture
from cxr.synth.cohort import write_cohort


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    """A map of an image of any storage class and view is a valid Secondary Capture."""
    write_cohort(tmp_path / "cohort", studies=8, seed=8, size=64, conspicuity=1.0)
    picture = np.random.default_rng(0).integers(0, 255, (79, 63, 3), dtype=np.uint8)
    sources = sorted(tmp_path.rglob("*.dcm"))
    assert len(sources) > 8
    for number, source in enumerate(sources, 1):
        path = tmp_path / f"{number}.dcm"
        write_capture(
            path, source, picture, number=number, words="a map", now=datetime(2026, 1, 2, 3, 4, 5)
        )
        told = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        said = (told.stdout + told.stderr).splitlines()
        assert not [line for line in said if "Error" in line], said
        assert any("SecondaryCaptureImage" in line or "SCImage" in line for line in said), said
