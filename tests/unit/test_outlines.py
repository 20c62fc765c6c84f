import json

import numpy as np
import pytest
from PIL import Image

from cxr.errors import InputError
from cxr.masks import decode_mask, encode_mask
from cxr.outlines import observation_of, read_outlines

WIDE = (60, 100)  # rows, columns


def sizes(**known):
    """The size of each image that is named; None for all others."""
    return lambda name: known.get(name.split(".")[0].replace("-", "_"))


def mask_of(found, image, name):
    return decode_mask(found[image][name])


def rectangle(size, top, bottom, left, right):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def test_nih_boxes_are_in_pixels_of_1024(tmp_path):
    """NIH's list, with its broken header, is read by place, and names become observations."""
    path = tmp_path / "BBox_List_2017.csv"
    path.write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
        "a.png,Infiltrate,100.4,200.6,50,60,,,\n"
        "a.png,Infiltrate,300,200,50,60,,,\n"
        "a.png,Hernia,1,1,5,5,,,\n"
        "b.png,Effusion,1,1,5,5,,,\n"
    )
    found = read_outlines(path, sizes(a=(512, 512)))  # reduced, as many copies are
    assert set(found) == {"a.png"}
    assert set(found["a.png"]) == {"Lung Opacity"}
    expected = rectangle((1024, 1024), 200, 261, 100, 150)
    expected |= rectangle((1024, 1024), 200, 260, 300, 350)
    np.testing.assert_array_equal(mask_of(found, "a.png", "Lung Opacity"), expected)


def test_vindr_boxes_of_all_readers_are_united(tmp_path):
    """Corners in pixels of the image; an image without a finding has no box."""
    path = tmp_path / "train.csv"
    path.write_text(
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
        "a,Nodule/Mass,8,R1,10,20,30,40\n"
        "a,Nodule/Mass,8,R2,20,20,40,50\n"
        "a,No finding,14,R3,,,,\n"
    )
    found = read_outlines(path, sizes(a=WIDE))
    expected = rectangle(WIDE, 20, 40, 10, 30) | rectangle(WIDE, 20, 50, 20, 40)
    np.testing.assert_array_equal(mask_of(found, "a", "Lung Lesion"), expected)


def test_rsna_boxes_are_opacities(tmp_path):
    """Target 1 with a box is an opacity; Target 0 has none."""
    path = tmp_path / "stage_2_train_labels.csv"
    path.write_text(
        "patientId,x,y,width,height,Target\na,264.0,152.0,213.0,379.0,1\na,,,,,0\nb,,,,,0\n"
    )
    found = read_outlines(path, sizes(a=(1024, 1024), b=(1024, 1024)))
    assert set(found) == {"a"}
    expected = rectangle((1024, 1024), 152, 531, 264, 477)
    np.testing.assert_array_equal(mask_of(found, "a", "Lung Opacity"), expected)


def test_chexlocalize_segmentations_polygons_and_points_are_masks(tmp_path):
    """Run lengths, polygons (x before y) and hit points of one file become masks."""
    drawn = rectangle(WIDE, 5, 20, 50, 90)
    path = tmp_path / "gt.json"
    outlines = {
        "img_size": list(WIDE),
        "Airspace Opacity": encode_mask(drawn),
        "Cardiomegaly": [[[10, 20], [30, 20], [30, 40], [10, 40]]],
        "Pneumothorax": [[70, 30]],
        "Another thing": [[1, 2]],
    }
    path.write_text(json.dumps({"a": outlines, "other": {"Edema": "nonsense"}}))
    found = read_outlines(path, sizes(a=WIDE))
    assert set(found["a"]) == {"Lung Opacity", "Cardiomegaly", "Pneumothorax"}
    np.testing.assert_array_equal(mask_of(found, "a", "Lung Opacity"), drawn)
    np.testing.assert_array_equal(
        mask_of(found, "a", "Cardiomegaly"), rectangle(WIDE, 20, 41, 10, 31)
    )
    disc = mask_of(found, "a", "Pneumothorax")
    rows, columns = np.nonzero(disc)
    assert (rows.mean(), columns.mean()) == (30, 70)
    assert disc[30 - 4, 70]
    assert not disc[30 - 5, 70]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        ({"bbox": [10, 20, 30, 25]}, rectangle(WIDE, 20, 45, 10, 40)),
        ({"segmentation": [[10, 20, 39, 20, 39, 44, 10, 44]]}, rectangle(WIDE, 20, 45, 10, 40)),
        (
            {"segmentation": dict(encode_mask(rectangle(WIDE, 20, 45, 10, 40)))},
            rectangle(WIDE, 20, 45, 10, 40),
        ),
        (
            {"segmentation": {"size": list(WIDE), "counts": [60 * 10, 60, 60 * 89]}},
            rectangle(WIDE, 0, 60, 10, 11),
        ),
    ],
)
def test_coco_in_all_its_forms_is_a_mask(tmp_path, drawn, expected):
    """Boxes, polygons, compressed and plain run lengths."""
    path = tmp_path / "coco.json"
    path.write_text(
        json.dumps(
            {
                "images": [{"id": 4, "file_name": "a.png", "height": 60, "width": 100}],
                "categories": [{"id": 1, "name": "pleural_effusion"}, {"id": 2, "name": "dog"}],
                "annotations": [
                    {"image_id": 4, "category_id": 1, **drawn},
                    {"image_id": 4, "category_id": 2, "bbox": [0, 0, 1, 1]},
                ],
            }
        )
    )
    found = read_outlines(path, sizes(a=WIDE))
    np.testing.assert_array_equal(mask_of(found, "a.png", "Pleural Effusion"), expected)


def test_a_folder_of_pictures_is_read(tmp_path):
    """IMAGE/OBSERVATION.png, anything but black being the lesion."""
    mask = rectangle(WIDE, 20, 45, 10, 40)
    (tmp_path / "a").mkdir()
    Image.fromarray((mask * 255).astype(np.uint8)).save(tmp_path / "a" / "lung-lesion.png")
    Image.fromarray(mask).save(tmp_path / "a" / "Heart.png")
    found = read_outlines(tmp_path, sizes(a=WIDE))
    assert set(found["a"]) == {"Lung Lesion"}
    np.testing.assert_array_equal(mask_of(found, "a", "Lung Lesion"), mask)


@pytest.mark.parametrize(
    ("name", "observation"),
    [
        ("Pleural_Thickening", "Pleural Other"),
        ("mass", "Lung Lesion"),
        ("Edema", "Edema"),
        ("enlarged cardiomediastinum", "Enlarged Cardiomediastinum"),
        ("No finding", ""),
        ("No Finding", ""),
        ("Emphysema", ""),
    ],
)
def test_classes_become_observations(name, observation):
    """Names of NIH, VinDr-CXR and CheXpert, however they are written."""
    assert observation_of(name) == observation


BOX = "image,finding,x,y,w,h\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOX + "a,Edema,90,10,30,10\n", "row 1: the box from .90, 10. to .120, 20. lies outside a"),
        (BOX + "a,Edema,10,10,0,10\n", "row 1: the box .* has no inside"),
        (BOX + "a,Edema,x,10,5,10\n", "row 1: the box .* has no inside"),
        (BOX + "b,Edema,10,10,5,10\n", "it outlines none of the 14 observations on any"),
        ("image,what\na,b\n", "no list of boxes that is known .* it has image, what"),
        (
            "patientId,x,y,width,height,Target\na,1,1,5,5,1\n",
            "drawn on 1024 x 1024 pixels, and a has 60 x 100",
        ),
    ],
)
def test_boxes_that_do_not_fit_are_told(tmp_path, content, message):
    """A box outside its image, without an inside, or of no image is one sentence."""
    path = tmp_path / "boxes.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_outlines(path, sizes(a=WIDE))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("[]", "expected an object"),
        ("{", "can't be read"),
        ({"a": []}, "'a' is no object"),
        ({"a": {"Edema": [[[1, 2], [3, 4]]]}}, "'a', 'Edema': it is no outline .'img_size'"),
        ({"a": {"Edema": {"size": [9, 9], "counts": "11"}}}, "'a', 'Edema': it is no outline"),
        ({"a": {"Edema": encode_mask(np.ones((9, 9), bool))}}, "9 x 9 pixels, and a has 60 x 100"),
        ({"annotations": [{"image_id": 1}], "images": [], "categories": []}, "no COCO file"),
    ],
)
def test_json_that_is_no_outline_is_told(tmp_path, document, message):
    """Damaged or foreign JSON is one sentence that names the file and the place."""
    path = tmp_path / "masks.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(InputError, match=message) as refused:
        read_outlines(path, sizes(a=WIDE))
    assert str(path) in str(refused.value)


def test_outlines_of_one_image_are_of_one_size(tmp_path):
    """Two outlines that can't be united are told."""
    entry = {"image_id": 4, "category_id": 1}
    halves = [{"id": 4, "file_name": "a.png", "height": 60, "width": 100}]
    halves.append({"id": 5, "file_name": "a.png", "height": 30, "width": 50})
    path = tmp_path / "coco.json"
    document = {
        "images": halves,
        "categories": [{"id": 1, "name": "Edema"}],
        "annotations": [entry | {"image_id": i, "bbox": [1, 1, 5, 5]} for i in (4, 5)],
    }
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"annotation 2: another outline of Edema on a\.png"):
        read_outlines(path, sizes(a=WIDE))


def test_a_picture_that_is_damaged_is_told(tmp_path):
    """A mask that is no picture is named."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "Edema.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"Edema\.png: the mask can't be read"):
        read_outlines(tmp_path, sizes(a=WIDE))
