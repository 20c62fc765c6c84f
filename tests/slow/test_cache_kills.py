"""A cache build killed at any moment: what is served afterwards is right, or built again."""

import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cxr.cache import decode_images
from cxr.dicom import quantize, read_radiograph
from tests.dicom_writer import phantom, write_dicom

IMAGES = 960
SIZE = 64

BUILD = """
import sys
from pathlib import Path
from cxr.cache import decode_images

if __name__ == "__main__":
    folder, cache = Path(sys.argv[1]), Path(sys.argv[2])
    paths = sorted(folder.glob("*.dcm"))
    started = []
    def progress(count):
        if not started:
            started.append(True)
            print("building", flush=True)
    decode_images(paths, [path.stem for path in paths], size=64, folder=cache,
                  jobs=int(sys.argv[3]), progress=progress)
    print("done", flush=True)
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of many files of a few pictures, one of them broken, and the rows expected."""
    folder = tmp_path_factory.mktemp("images")
    originals = [
        write_dicom(folder / f"original-{n}", phantom(500, 400, seed=n), syntax="jpeg-lossless")
        for n in range(7)
    ]
    pictures = [quantize(read_radiograph(path, size=SIZE)) for path in originals]
    rows = []
    for number in range(IMAGES):
        path = folder / f"{number:04d}.dcm"
        if number % 100 == 50:
            path.write_text("broken")
        else:
            path.hardlink_to(originals[number % 7])
            rows.append(pictures[number % 7])
    return folder, np.array(rows)


@pytest.mark.skipif(sys.platform == "win32", reason="kills by POSIX signals")
@pytest.mark.parametrize(("jobs", "kills"), [(1, 14), (2, 6)])
def test_a_killed_build_is_never_wrong_afterwards(images, tmp_path, jobs, kills):
    """After each of 20 kills at random moments the cache is whole and right, or unfinished."""
    folder, expected = images
    cache = tmp_path / "cache"
    script = tmp_path / "build.py"
    script.write_text(BUILD)
    seed = secrets.randbelow(2**31)
    print(f"seed {seed}")
    generator = random.Random(seed)
    finished = 0
    for kill in range(kills):
        finished += _build_and_kill(script, folder, cache, jobs, 0.6 * generator.random(), kill)
        for index in cache.glob("*/index.json"):
            np.testing.assert_array_equal(np.load(index.parent / "pixels.npy"), expected)
            index.unlink()  # so that the next round has something to build
    paths = sorted(folder.glob("*.dcm"))
    decoded = decode_images(paths, [path.stem for path in paths], size=SIZE, folder=cache)
    np.testing.assert_array_equal(decoded.pixels, expected)
    assert len(decoded.failures) == IMAGES - len(expected)
    assert finished < kills


def _build_and_kill(script, folder, cache, jobs, wait, number):
    """Start a build, kill it `wait` seconds after it began; return whether it had finished."""
    process = subprocess.Popen(
        [sys.executable, script, folder, cache, str(jobs)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )
    assert process.stdout.readline() == "building\n"
    time.sleep(wait)
    if number % 2:  # the builder alone: its workers live on for a moment, as orphans
        process.kill()
        time.sleep(0.2)
    process_group_kill(process)
    output = process.stdout.read()
    process.wait()
    return "done" in output


def process_group_kill(process):
    """Kill a process and all its children; nothing where they are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
