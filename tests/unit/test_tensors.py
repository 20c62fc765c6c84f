import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from cxr.dicom import quantize, read_radiograph
from cxr.errors import RadiographError
from cxr.tensors import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    DicomDataset,
    RadiographDataset,
    keep_batch,
    to_input,
)
from tests.dicom_writer import phantom, write_dicom


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (6, 8, 8), dtype=np.uint8)
    rows = np.array([5, 0, 3, 3])
    return pixels, rows, generator.random((4, 14)), generator.random((4, 14)) > 0.5


def test_a_batch_is_the_stack_of_its_samples(arrays):
    """Batches hold the same numbers as the samples one by one, repeats included."""
    dataset = RadiographDataset(*arrays)
    indices = [2, 0, 3]
    batch = dataset.__getitems__(indices)
    for part, single in zip(
        batch, zip(*map(dataset.__getitem__, indices), strict=True), strict=True
    ):
        assert torch.equal(part, torch.stack(single))


def test_rows_choose_the_images(arrays):
    """Sample i is image rows[i], uint8, with its targets."""
    pixels, rows, targets, counted = arrays
    image, target, counts = RadiographDataset(*arrays)[1]
    assert torch.equal(image, torch.from_numpy(pixels[rows[1]]))
    assert image.dtype == torch.uint8
    np.testing.assert_allclose(target, targets[1], rtol=1e-6)
    assert counts.tolist() == counted[1].tolist()


def test_a_loader_hands_out_whole_batches(arrays):
    """A DataLoader with keep_batch gives every sample once, in batches."""
    loader = DataLoader(RadiographDataset(*arrays), batch_size=3, collate_fn=keep_batch)
    assert [tuple(images.shape) for images, _, _ in loader] == [(3, 8, 8), (1, 8, 8)]


def test_samples_can_be_written_to_without_touching_the_cache(arrays, tmp_path):
    """Images out of a read-only memory map are copies."""
    path = tmp_path / "pixels.npy"
    np.save(path, arrays[0])
    dataset = RadiographDataset(np.load(path, mmap_mode="r"), *arrays[1:])
    image, _, _ = dataset[0]
    image.zero_()
    assert dataset[0][0].any()


def test_lengths_must_agree(arrays):
    """Rows, targets and counted are equally long."""
    pixels, rows, targets, counted = arrays
    with pytest.raises(ValueError, match="3 rows"):
        RadiographDataset(pixels, rows[:3], targets, counted)
    with pytest.raises(ValueError, match="uint8"):
        RadiographDataset(pixels.astype(float), rows, targets, counted)
    with pytest.raises(ValueError, match="0 paths"):
        DicomDataset([], targets, counted)


def test_input_is_what_torchvision_makes():
    """Grey becomes three channels, normalized as torchvision's own transforms do."""
    batch = torch.randint(0, 256, (2, 5, 7), dtype=torch.uint8)
    steps = v2.Compose(
        [
            v2.Grayscale(num_output_channels=3),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    made = to_input(batch)
    assert (made.shape, made.dtype) == ((2, 3, 5, 7), torch.float32)
    torch.testing.assert_close(made, steps(batch.unsqueeze(1)))


@pytest.mark.parametrize("wrong", [torch.zeros(2, 5, 7), torch.zeros(5, 7, dtype=torch.uint8)])
def test_input_is_made_of_uint8_batches_only(wrong):
    """A float image, or one without a batch axis, is refused."""
    with pytest.raises(ValueError, match="expected uint8"):
        to_input(wrong)


def test_dicom_samples_equal_the_cached_ones(tmp_path):
    """Reading DICOM directly gives the pixels that the decoded cache keeps."""
    paths = [write_dicom(tmp_path / f"{seed}.dcm", phantom(seed=seed)) for seed in range(2)]
    dataset = DicomDataset(paths, np.zeros((2, 14)), np.ones((2, 14), bool), size=32)
    assert len(dataset) == 2
    image, _, counted = dataset[1]
    np.testing.assert_array_equal(image, quantize(read_radiograph(paths[1], size=32)))
    assert counted.all()


def test_a_dicom_sample_that_can_not_be_read_raises(tmp_path):
    """A broken file raises when its sample is asked for."""
    path = tmp_path / "text.dcm"
    path.write_text("no image")
    dataset = DicomDataset([path], np.zeros((1, 14)), np.ones((1, 14), bool))
    with pytest.raises(RadiographError):
        dataset[0]
