"""Ten thousand damaged files: each is read or refused, and nothing crashes, hangs or eats memory.

The seed is drawn anew each time and printed; CXR_BENCH_FAULT_SEED repeats a run.
"""

import faulthandler
import multiprocessing
import os
import random
import secrets
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cxr.dicom import read_header, read_radiograph
from cxr.errors import RadiographError
from tests.dicom_writer import SYNTAXES, phantom, write_dicom

FILES = 10_000
BATCH = 500
MEMORY = 4 * 2**30  # bytes of address space; a false size would ask for more


def whole_files(folder):
    """Return the bytes of one whole file of each syntax, with every kind of header element."""
    lut, window = Dataset(), {"WindowCenter": [2000, 100], "WindowWidth": [3000, 50]}
    lut.LUTDescriptor, lut.LUTData = [4096, 0, 12], list(range(4096))
    lut["LUTData"].VR = "US"
    variants = [
        window,
        {"VOILUTSequence": Sequence([lut]), "PixelPaddingValue": 0},
        {"RescaleSlope": 2, "RescaleIntercept": -100, "PhotometricInterpretation": "MONOCHROME1"},
    ]
    contents = []
    for number, syntax in enumerate(SYNTAXES):
        bits = 8 if syntax == "jpeg-baseline" else 12
        elements = variants[0 if bits == 8 else number % len(variants)]
        pixels = phantom(200, 150, bits, seed=number)
        path = write_dicom(folder / "whole.dcm", pixels, syntax=syntax, bits=bits, **elements)
        contents.append(path.read_bytes())
    return contents


def damage(content, generator):
    """Flip, cut, double, insert or zero a few bytes, more often in the header than in the rest."""
    changed = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 5, 20))):
        reach = len(changed) if generator.random() < 0.5 else min(len(changed), 1500)
        place = generator.randrange(reach)
        length = generator.choice((1, 2, 4, 64, 700))
        kind = generator.choice(("flip", "flip", "cut", "double", "insert", "end", "size"))
        if kind == "flip":
            changed[place] ^= 1 << generator.randrange(8)
        elif kind == "cut":
            del changed[place : place + length]
        elif kind == "double":
            changed[place:place] = changed[place : place + length]
        elif kind == "insert":
            changed[place:place] = generator.randbytes(length)
        elif kind == "end":
            del changed[place:]
        else:
            changed[place : place + 4] = generator.choice((b"\xff\xff\xff\x7f", b"\0\0\0\0"))
        if not changed:
            return b""
    return bytes(changed)


def read_damaged(seed):
    """Read a batch of damaged files; return how many were read, refused, and what went wrong."""
    import resource

    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    generator = random.Random(seed)
    read, refused, wrong = 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        contents = whole_files(Path(folder))
        path = Path(folder) / "damaged.dcm"
        for number in range(BATCH):
            path.write_bytes(damage(generator.choice(contents), generator))
            try:
                shown = read_radiograph(path, size=32)
                good = shown.shape == (32, 32) and 0 <= shown.min() <= shown.max() <= 1
                read += 1
                if not (good and np.isfinite(shown).all()):
                    wrong.append(f"seed {seed}, file {number}: not a picture")
            except RadiographError as error:
                refused += 1
                if not str(error).endswith(".") or "\n" in str(error):
                    wrong.append(f"seed {seed}, file {number}: {error}")
            except BaseException as error:
                wrong.append(f"seed {seed}, file {number}: {error!r}")
            try:
                read_header(path)
            except RadiographError:
                pass
            except BaseException as error:
                wrong.append(f"seed {seed}, header of file {number}: {error!r}")
    return read, refused, wrong


@pytest.mark.skipif(os.name != "posix", reason="limits memory with resource.setrlimit")
def test_damaged_files_are_read_or_refused():
    """A damaged DICOM gives a picture or one sentence; never a crash, a hang, or another error."""
    seed = int(os.environ.get("CXR_BENCH_FAULT_SEED", secrets.randbelow(2**31)))
    print(f"CXR_BENCH_FAULT_SEED={seed}")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=2, mp_context=context) as pool:
        batches = [pool.submit(read_damaged, seed + number) for number in range(FILES // BATCH)]
        results = [batch.result(timeout=300) for batch in batches]
    read = sum(result[0] for result in results)
    refused = sum(result[1] for result in results)
    wrong = [text for result in results for text in result[2]]
    print(f"{read} read, {refused} refused")
    assert not wrong, (seed, wrong[:10])
    assert read + refused == FILES
    assert min(read, refused) > FILES / 20
