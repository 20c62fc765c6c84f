from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.asking.pictures import objections, on_picture, read_picture
from cxr.dicom import quantize, read_radiograph
from cxr.errors import RadiographError
from tests.dicom_writer import phantom, write_dicom


@pytest.fixture
def gradient(tmp_path) -> Path:
    """A PNG of 40 rows and 80 columns that gets brighter to the right."""
    path = tmp_path / "wide.png"
    Image.fromarray(np.tile(np.linspace(0, 255, 80).astype(np.uint8), (40, 1))).save(path)
    return path


@pytest.mark.parametrize(("fit", "content"), [("squash", (1.0, 1.0)), ("letterbox", (0.5, 1.0))])
def test_a_picture_is_kept_as_it_is_and_as_the_network_sees_it(gradient, fit, content):
    """Pixels keep the file's size, and what the network sees is what training saw."""
    picture = read_picture(gradient, size=32, fit=fit)
    assert picture.pixels.shape == (40, 80)
    with Image.open(gradient) as opened:
        np.testing.assert_allclose(picture.pixels.astype(int), np.asarray(opened), atol=1)
    np.testing.assert_array_equal(
        picture.seen, quantize(read_radiograph(gradient, size=32, fit=fit))
    )
    assert picture.content == content
    assert not picture.synthetic
    assert picture.frame.basis == ""


@pytest.mark.parametrize("content", [(0.5, 1.0), (1.0, 0.25), (1.0, 1.0)])
def test_a_map_is_cut_to_what_the_image_fills(content):
    """The bars of a letterbox are cut off a map, equally on both sides."""
    rows, columns = round(64 * content[0]), round(64 * content[1])
    map_ = np.zeros((3, 64, 64))
    top, left = (64 - rows) // 2, (64 - columns) // 2
    map_[:, top : top + rows, left : left + columns] = 1
    cut = on_picture(map_, content)
    assert cut.shape == (3, rows, columns)
    assert cut.all()


def test_what_speaks_against_a_verdict_is_said(gradient):
    """Networks that saw phantoms have no verdict on a picture; others have."""
    picture = read_picture(gradient, size=32, fit="squash")
    (said,) = objections(picture, trained_on_phantoms=True, views=("PA",))
    assert said.startswith("trained on synthetic images alone")
    assert objections(picture, trained_on_phantoms=False, views=("PA",)) == []


def test_other_views_and_other_parts_are_objected_to(tmp_path):
    """A lateral, or a hand, is no image of the kind that frontal chests were."""
    path = write_dicom(
        tmp_path / "hand.dcm",
        phantom(),
        ViewPosition="LL",
        BodyPartExamined="HAND",
        PatientOrientation=["A", "F"],
    )
    picture = read_picture(path, size=32, fit="squash")
    assert picture.pixels.shape == phantom().shape
    assert picture.frame.towards_right == "anterior"
    assert objections(picture, trained_on_phantoms=False, views=("PA", "AP")) == [
        "trained on PA and AP views, and this is LATERAL",
        "trained on chests, and this is called HAND",
    ]


def test_a_file_that_is_no_radiograph_is_named_once(tmp_path):
    """Text or nothing is refused with the file's name."""
    text = tmp_path / "text.dcm"
    text.write_text("not an image")
    for path in (text, tmp_path / "missing.png"):
        with pytest.raises(RadiographError) as refused:
            read_picture(path, size=32, fit="squash")
        assert str(refused.value).count(str(path)) == 1
