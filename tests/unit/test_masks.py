import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from cxr.errors import InputError
from cxr.masks import decode_mask, encode_mask, read_masks, write_masks


@pytest.fixture
def disc() -> np.ndarray:
    y, x = np.mgrid[:40, :56]
    return (y - 12) ** 2 + (x - 30) ** 2 < 81


def test_decoding_gives_back_what_was_encoded(disc: np.ndarray) -> None:
    """A mask survives its encoding, rows and columns in place."""
    assert np.array_equal(decode_mask(encode_mask(disc)), disc)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_decoding_agrees_with_coco(disc: np.ndarray) -> None:
    """Runs decode to what COCO's own decoder makes of them."""
    runs = encode_mask(disc)
    theirs = coco.decode({**runs, "counts": runs["counts"].encode()})
    assert np.array_equal(decode_mask(runs), theirs.astype(bool))


def test_counts_are_cocos() -> None:
    """Runs go down the columns and start with zeros, as COCO's do."""
    mask = np.zeros((3, 2), bool)
    mask[1, 0] = True
    assert encode_mask(mask) == {"size": [3, 2], "counts": "114"}


@pytest.mark.parametrize(
    "runs",
    [
        {"size": [3, 2], "counts": "11"},
        {"size": [3, 2], "counts": "11T"},
        {"size": [9, 9], "counts": "114"},
        {"size": [3], "counts": "114"},
        {"size": [0, 2], "counts": ""},
        {"counts": "114"},
        {"size": [3, 2], "counts": 7},
        {"size": [3, 2], "counts": "1\n4"},
    ],
)
def test_broken_runs_are_refused(runs: dict[str, object]) -> None:
    """Runs that do not fill the size are an error in a sentence, not a crash of the decoder."""
    with pytest.raises(InputError, match="a mask can't be decoded"):
        decode_mask(runs)


def test_files_keep_images_in_order(tmp_path: Path, disc: np.ndarray) -> None:
    """What is written is read again; an image without findings keeps its place."""
    masks = {"b": {"Edema": encode_mask(disc)}, "a": {}}
    write_masks(tmp_path / "masks.json", masks)
    read = read_masks(tmp_path / "masks.json")
    assert read == masks
    assert list(read) == ["b", "a"]


def test_chexlocalize_names_are_read(tmp_path: Path, disc: np.ndarray) -> None:
    """CheXlocalize's "Airspace Opacity" is Lung Opacity; names outside the 14 are left out."""
    runs = encode_mask(disc)
    path = tmp_path / "gt.json"
    path.write_text(json.dumps({"x": {"Airspace Opacity": runs, "Hernia": runs}}))
    assert read_masks(path) == {"x": {"Lung Opacity": runs}}


@pytest.mark.parametrize("text", ["", "[]", '{"x": 3}', '{"x": {"Edema": {"size": [1, 1]}}}'])
def test_files_of_another_kind_are_refused(tmp_path: Path, text: str) -> None:
    """A file that is not in the CheXlocalize layout is named in the error."""
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"other\.json"):
        read_masks(path)
