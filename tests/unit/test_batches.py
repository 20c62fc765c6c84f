"""Batches: every image once an epoch, in an order that (seed, epoch) fixes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.training.batches import TrainingData, batch_count, epoch_batches
from benchmark.training.distribution import Ranks

CPU = torch.device("cpu")


@pytest.fixture
def data():
    """20 images; 17 of them, not in order, are for training."""
    random = np.random.default_rng(5)
    return TrainingData(
        pixels=random.integers(0, 256, (20, 4, 4), dtype=np.uint8),
        train_rows=random.permutation(20)[:17],
        validate_rows=np.arange(3),
        targets=random.random((20, 14)).astype(np.float32),
        counted=random.random((20, 14)) < 0.5,
        image_ids=[f"image{k}" for k in range(20)],
    )


def batches_of(data, *, size=4, seed=0, epoch=1):
    """Rows and content of an epoch's batches, each in one piece."""
    batches = epoch_batches(data, batch_size=size, seed=seed, epoch=epoch, device=CPU)
    return [(piece.rows, piece.content) for (piece,) in batches]


def order_of(data, **which):
    return np.concatenate([rows for rows, _ in batches_of(data, **which)])


def test_batches_hold_the_rows_they_name(data):
    """A batch's pixels, targets and counted are those of its rows."""
    for rows, (pixels, targets, counted) in batches_of(data):
        np.testing.assert_array_equal(pixels.numpy(), data.pixels[rows])
        np.testing.assert_array_equal(targets.numpy(), data.targets[rows])
        np.testing.assert_array_equal(counted.numpy(), data.counted[rows])


@pytest.mark.parametrize("images", range(2, 18))
@pytest.mark.parametrize("size", [2, 4, 16])
def test_each_image_comes_once_and_never_alone(data, images, size):
    """Every training image is in one batch, and no batch is of one image."""
    some = replace(data, train_rows=data.train_rows[:images])
    batches = batches_of(some, size=size)
    assert sorted(order_of(some, size=size)) == sorted(some.train_rows)
    assert min(len(rows) for rows, _ in batches) >= 2
    assert len(batches) == batch_count(images, size)


def test_order_comes_from_seed_and_epoch(data):
    """Equal seed and epoch give an equal order; another of either gives another."""
    first = order_of(data)
    np.testing.assert_array_equal(first, order_of(data))
    assert not np.array_equal(first, order_of(data, seed=1))
    assert not np.array_equal(first, order_of(data, epoch=2))


def test_torch_random_state_comes_from_seed_and_epoch(data):
    """What dropout draws within an epoch does not depend on what was drawn before."""
    draws = []
    with torch.random.fork_rng():
        for before in (0, 5):
            torch.rand(before)
            next(epoch_batches(data, batch_size=4, seed=3, epoch=2, device=CPU))
            draws.append(torch.rand(4))
    assert torch.equal(*draws)


@pytest.mark.parametrize(("pieces", "size"), [(1, 1), (3, 1), (1, 2), (2, 3), (5, 2)])
def test_pieces_and_ranks_divide_the_same_batches(data, pieces, size):
    """However a batch is divided, its pieces hold its images once, and their shares are 1."""
    whole = [rows for rows, _ in batches_of(data, size=8)]
    options = {"batch_size": 8, "seed": 0, "epoch": 1, "device": CPU, "pieces": pieces}
    ranked = [list(epoch_batches(data, **options, ranks=Ranks(r, size))) for r in range(size)]
    for rows, *parts in zip(whole, *ranked, strict=True):
        assert len({len(part) for part in parts}) == 1  # ranks must meet as often as each other
        flat = [piece for part in parts for piece in part]
        assert sorted(np.concatenate([piece.rows for piece in flat])) == sorted(rows)
        assert sum(piece.share for piece in flat) == pytest.approx(1)
        assert sum(piece.images for piece in flat) == pytest.approx(len(rows))
        for piece in flat:
            share = data.counted[piece.rows].sum() / data.counted[rows].sum()
            assert piece.share == pytest.approx(share)
            np.testing.assert_array_equal(piece.content[0].numpy(), data.pixels[piece.rows])


def test_a_batch_that_counts_nowhere_is_shared_by_images(data):
    """Where no target of a batch counts, its pieces weigh by their images."""
    nowhere = replace(data, counted=np.zeros_like(data.counted))
    batches = epoch_batches(nowhere, batch_size=8, seed=0, epoch=1, device=CPU, pieces=2)
    assert [piece.share for piece in next(batches)] == [0.5, 0.5]


def test_an_epoch_goes_on_within(data):
    """From a batch on, the batches and torch's random state are those of the whole epoch."""
    options = {"batch_size": 4, "seed": 0, "epoch": 1, "device": CPU}
    with torch.random.fork_rng():
        whole = [(pieces[0].rows, torch.rand(2)) for pieces in epoch_batches(data, **options)]
        rest = [
            (pieces[0].rows, torch.rand(2)) for pieces in epoch_batches(data, **options, start=2)
        ]
    for (rows, draws), (again, redrawn) in zip(whole[2:], rest, strict=True):
        np.testing.assert_array_equal(rows, again)
        assert torch.equal(draws, redrawn)


def test_digest_sees_every_part(data):
    """Other pixels, rows, targets, counted or ids have another digest."""
    changes = {
        "pixels": 255 - data.pixels,
        "train_rows": data.train_rows[::-1],
        "validate_rows": data.validate_rows + 1,
        "targets": 1 - data.targets,
        "counted": ~data.counted,
        "image_ids": data.image_ids[::-1],
    }
    digests = {replace(data, **{key: value}).digest() for key, value in changes.items()}
    assert len(digests | {data.digest()}) == len(changes) + 1
