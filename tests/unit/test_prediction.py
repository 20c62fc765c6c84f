"""Scores from networks."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmark.config import TrainingConfig
from benchmark.events import Silent
from benchmark.inference.prediction import predict, predict_split, read_scores
from benchmark.training.checkpoints import save_checkpoint
from cxr.errors import InputError
from cxr.networks import NETWORKS, Network, build_network
from cxr.observations import OBSERVATIONS

CPU = torch.device("cpu")


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 1000)

    def forward(self, images):
        return self.head(self.body(images).mean(dim=(2, 3)))


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(NETWORKS, "tiny", Network(Tiny, "body", "head"))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return build_network("tiny")


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (11, 8, 8), dtype=np.uint8)


def test_scores_do_not_depend_on_batches(tiny, pixels):
    """An image's logits are the same whatever batch it is in, up to rounding."""
    rows = np.array([3, 0, 10, 7, 7])
    one = predict(tiny, pixels, rows, batch_size=1, device=CPU)
    many = predict(tiny, pixels, rows, batch_size=4, device=CPU)
    assert one.shape == (5, 14)
    assert one.dtype == np.float32
    np.testing.assert_allclose(one, many, atol=1e-6)
    np.testing.assert_array_equal(one[3], one[4])


def test_prediction_leaves_batch_norm_alone(tiny, pixels):
    """Predicting twice gives the same logits: running statistics do not move."""
    tiny.train()
    first = predict(tiny, pixels, np.arange(11), batch_size=4, device=CPU)
    np.testing.assert_array_equal(
        first, predict(tiny, pixels, np.arange(11), batch_size=4, device=CPU)
    )


def test_progress_counts_every_image(tiny, pixels):
    """The progress calls add up to the number of images."""
    done = []
    predict(tiny, pixels, np.arange(11), batch_size=4, device=CPU, progress=done.append)
    assert done == [4, 4, 3]


def test_no_images_give_an_empty_table(tiny, pixels):
    """No rows give an array of no rows and 14 columns."""
    assert predict(tiny, pixels, np.arange(0), batch_size=4, device=CPU).shape == (0, 14)


def test_bf16_is_near_fp32(tiny, pixels):
    """bf16 logits are float32 and near the fp32 ones."""
    rows = np.arange(11)
    half = predict(tiny, pixels, rows, batch_size=4, device=CPU, precision="bf16")
    assert half.dtype == np.float32
    full = predict(tiny, pixels, rows, batch_size=4, device=CPU)
    np.testing.assert_allclose(half, full, atol=0.05)


def test_split_scores_validation_and_test_images(tiny, pixels, tmp_path):
    """scores.parquet holds the validation and test images, in order, with 14 logits."""
    splits = ["train", "test", "validate", "train", "test"] + ["train"] * 6
    cases = pd.DataFrame({"image_id": [f"i{k}" for k in range(11)], "split": splits})
    save_checkpoint(tiny, tmp_path, {})
    settings = TrainingConfig(device="cpu")
    table = predict_split("tiny", tmp_path, cases, pixels, settings, Silent())
    assert list(table["image_id"]) == ["i1", "i2", "i4"]
    assert list(table["split"]) == ["test", "validate", "test"]
    wanted = predict(tiny, pixels, np.array([1, 2, 4]), batch_size=3, device=CPU)
    np.testing.assert_allclose(table[list(OBSERVATIONS)].to_numpy(), wanted, atol=1e-6)
    table.to_parquet(tmp_path / "scores.parquet")
    pd.testing.assert_frame_equal(read_scores(tmp_path / "scores.parquet"), table)


def test_scores_that_are_none_are_named(tmp_path):
    """A missing, damaged or foreign table of scores is named."""
    path = tmp_path / "scores.parquet"
    with pytest.raises(InputError, match=r"scores\.parquet can't be read"):
        read_scores(path)
    path.write_text("no table")
    with pytest.raises(InputError, match=r"scores\.parquet can't be read"):
        read_scores(path)
    pd.DataFrame({"image_id": ["a"]}).to_parquet(path)
    with pytest.raises(InputError, match="lacks the column"):
        read_scores(path)
