import dataclasses

import numpy as np
import pytest
from PIL import Image

from benchmark.cohorts import read_source
from benchmark.config import load_config
from benchmark.events import Silent
from benchmark.explanation.lesions import known_lesions
from cxr.errors import InputError
from cxr.masks import decode_mask


@pytest.fixture
def config(tmp_path):
    """Two images in folders of their own, in a manifest, with a list of boxes."""
    rows = ["image_path,patient_id,Edema,Fracture"]
    for patient in ("patient1", "patient2"):
        for name in ("view1_frontal.png", "twice.png"):
            path = tmp_path / patient / "study1" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.arange(240, dtype=np.uint8).reshape(12, 20)).save(path)
            rows.append(f"{path},{patient},1,0")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(
        "image,finding,x,y,w,h\npatient2_study1_view1_frontal,Edema,2,1,5,3\n"
        "twice.png,Edema,2,1,5,3\n"
    )
    return load_config(
        overrides=[
            "data.source=manifest",
            "data.labels=columns",
            f"data.path={tmp_path / 'manifest.csv'}",
            f"data.masks={boxes}",
        ]
    )


def test_boxes_find_their_image_by_the_end_of_its_path(config):
    """An image is found by what CheXlocalize calls it; a name that two images have is none's."""
    cohort = read_source(config, Silent())
    lesions = known_lesions(config, cohort, Silent())
    (image_id,) = lesions
    path = cohort.table.set_index("image_id").loc[image_id, "image_path"]
    assert path.endswith("patient2/study1/view1_frontal.png")
    mask = decode_mask(lesions[image_id]["Edema"])
    assert mask.shape == (12, 20)
    assert mask[1:4, 2:7].all()
    assert mask.sum() == 15


def test_without_outlines_no_place_is_known(config):
    """A cohort without masks has none, and outlines of other images are refused."""
    cohort = read_source(config, Silent())
    data = dataclasses.replace(config.data, masks="")
    assert known_lesions(dataclasses.replace(config, data=data), cohort, Silent()) == {}
    path = config.data.masks
    with open(path, "w") as file:
        file.write("image,finding,x,y,w,h\nnobody,Edema,2,1,5,3\n")
    with pytest.raises(InputError, match="outlines none of the 14 observations"):
        known_lesions(config, cohort, Silent())
