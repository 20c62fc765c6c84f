"""Synthetic files against dicom3tools' validator, where it is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cxr.synth.cohort import write_cohort


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    """Files of every storage class, transfer syntax and view are valid CR or DX objects."""
    write_cohort(tmp_path / "cohort", studies=40, seed=8, size=64, conspicuity=1.0)
    files = sorted(tmp_path.rglob("*.dcm"))
    assert len(files) > 40
    for path in files:
        told = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        errors = [line for line in (told.stdout + told.stderr).splitlines() if "Error" in line]
        assert not errors, f"{path}: {errors}"
