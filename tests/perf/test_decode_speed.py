"""How fast a 2500 x 3056 radiograph becomes 224 x 224, as ratios within one run on one core.

Beside it: merely reading the file's bytes; the plain way (pydicom, float64, full-size LUT, resize);
and torchxrayvision and MONAI where they are installed. Prints the table that the ratios are from.
Times are of the processor, not of the clock, so that a busy machine does not change them.
"""

import os
import time

import cv2
import numpy as np
import pytest
import torch

from cxr.dicom import read_radiograph
from cxr.tensors import RadiographDataset, keep_batch, to_input
from tests.dicom_writer import phantom, reference, write_dicom

SIZE = 224
FLOORS = {  # how many times faster than the plain way, and than torchxrayvision
    "explicit": (12, 20),
    "rle": (3, 5),
    "jpeg-lossless-sv1": (3, 3),
    "jpeg-ls": (2.5, 2.5),
    "jpeg-2000": (10, 15),
    "jpeg-2000-lossy": (5, 10),  # the more it is compressed, the cheaper the plain way
}
MEAN_DIFFERENCE = 0.002


@pytest.fixture(autouse=True)
def one_core():
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pixels():
    """A picture with the fine detail and noise of a radiograph, 12 bits."""
    smooth = cv2.GaussianBlur(phantom(3056, 2500, 12, scale=64).astype(float), (0, 0), 1)
    return np.rint(smooth).clip(0, 4095).astype(np.uint16)


def seconds(function, repeats=3):
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def torchxrayvision_way(path):
    library = pytest.importorskip("torchxrayvision")
    image = library.utils.read_xray_dcm(str(path))[None]
    return library.datasets.XRayResizer(SIZE)(image)


def monai_way(path):
    transforms = pytest.importorskip("monai.transforms")
    data = pytest.importorskip("monai.data")
    reader = data.PydicomReader(swap_ij=False)
    steps = [
        transforms.LoadImage(reader=reader, image_only=True, ensure_channel_first=True),
        transforms.ScaleIntensity(),
        transforms.Resize((SIZE, SIZE), mode="area"),
    ]
    return transforms.Compose(steps)(str(path))


@pytest.mark.parametrize("syntax", FLOORS)
def test_a_radiograph_is_read_many_times_faster_than_the_plain_way(tmp_path, pixels, syntax):
    """Each syntax beats the plain way by its floor, and stays within 0.002 of it on average."""
    window = {"WindowCenter": 2048, "WindowWidth": 3500}
    path = write_dicom(tmp_path / "image.dcm", pixels, syntax=syntax, **window)
    ours = seconds(lambda: read_radiograph(path, size=SIZE), 7)
    plain = seconds(lambda: reference(path, SIZE))
    difference = np.abs(read_radiograph(path, size=SIZE) - reference(path, SIZE))
    reading = seconds(path.read_bytes, 7)
    print(
        f"\n{syntax}: {ours * 1e3:.1f} ms; bytes {reading * 1e3:.1f} ms; plain way "
        f"{plain / ours:.1f}x; difference {difference.mean():.5f}, at most {difference.max():.4f}"
    )
    assert plain / ours >= FLOORS[syntax][0]
    assert difference.mean() <= MEAN_DIFFERENCE
    if syntax == "explicit":
        assert ours <= 4 * reading


@pytest.mark.parametrize("syntax", FLOORS)
@pytest.mark.parametrize("way", [torchxrayvision_way, monai_way])
def test_a_radiograph_is_read_many_times_faster_than_by_others(tmp_path, pixels, syntax, way):
    """Each syntax beats the reader and resizer of torchxrayvision and of MONAI by its floor."""
    window = {"WindowCenter": 2048, "WindowWidth": 3500}
    path = write_dicom(tmp_path / "image.dcm", pixels, syntax=syntax, **window)
    ours = seconds(lambda: read_radiograph(path, size=SIZE), 7)
    theirs = seconds(lambda: way(path))
    print(f"\n{syntax}: {way.__name__} takes {theirs / ours:.1f}x as long")
    floor = FLOORS[syntax][1] if way is torchxrayvision_way else FLOORS[syntax][0]
    assert theirs / ours >= floor


def test_the_cached_loader_keeps_up_with_a_gpu(tmp_path):
    """Batches come at 5,000 images a second and more; ten passes of 100,000 take no more memory."""
    images, count, batch = 1000, 100_000, 64
    path = tmp_path / "pixels.npy"
    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, (images, SIZE, SIZE))
    pixels[:] = np.arange(images, dtype=np.uint8)[:, None, None]
    pixels.flush()
    rows = np.random.default_rng(0).integers(0, images, count)
    dataset = RadiographDataset(
        np.load(path, mmap_mode="r"), rows, np.zeros((count, 14)), np.ones((count, 14), bool)
    )
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_size=batch,
        shuffle=True,
        collate_fn=keep_batch,
        generator=torch.Generator().manual_seed(0),
    )
    peaks, rates = [], []
    for _ in range(10):
        start = time.process_time()
        for _batch in loader:
            pass
        rates.append(count / (time.process_time() - start))
        peaks.append(_private_memory())
    batch_pixels = dataset.__getitems__(range(batch))[0]
    transform = batch / seconds(lambda: to_input(batch_pixels), 10)
    print(
        f"\n{max(rates):.0f} images/s out of the cache, {transform:.0f} images/s into network "
        f"input; memory {[round(peak / 1e6) for peak in peaks]} MB"
    )
    assert max(rates) >= 5000
    assert peaks[-1] <= peaks[0] + 2e7


def _private_memory():
    """Return the anonymous memory of this process in bytes: mapped files are not counted."""
    if not os.path.exists("/proc/self/status"):
        pytest.skip("reads /proc")
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["RssAnon"].split()[0]) * 1024
