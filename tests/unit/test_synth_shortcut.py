import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.dicom import read_radiograph
from cxr.errors import InputError
from cxr.masks import decode_mask
from cxr.synth.cohort import write_cohort
from cxr.synth.shortcut import SHORTCUTS, find_shortcut, plant
from tests.tiny_run import command

SETTINGS = {"studies": 40, "seed": 4, "size": 64, "conspicuity": 1.0}


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same cohort without and with the planted mark."""
    root = tmp_path_factory.mktemp("cohorts")
    write_cohort(root / "plain", **SETTINGS)  # type: ignore[arg-type]
    write_cohort(root / "planted", **SETTINGS, shortcut="marker")  # type: ignore[arg-type]
    return root / "plain", root / "planted"


def test_only_marked_images_differ(cohorts):
    """Reports, tables and images without the mark are the same bytes; marked ones show it."""
    plain, planted = cohorts
    marks = json.loads((planted / "truth" / "marks.json").read_text())
    assert not (plain / "truth" / "marks.json").exists()
    assert "shortcut" not in json.loads((plain / "SYNTHETIC.json").read_text())
    assert json.loads((planted / "SYNTHETIC.json").read_text())["shortcut"] == "marker"
    for path in plain.rglob("*.*"):
        if path.name == "SYNTHETIC.json" or not path.is_file():
            continue
        other = planted / path.relative_to(plain)
        assert (path.read_bytes() != other.read_bytes()) == (path.stem in marks), path
    image_id = next(iter(marks))
    mark = decode_mask(marks[image_id]["mark"])
    (file,) = planted.rglob(f"{image_id}.dcm")
    (before,) = plain.rglob(f"{image_id}.dcm")
    shown, usual = (read_radiograph(path, size=64) for path in (file, before))
    assert shown[mark].mean() > 0.6
    np.testing.assert_allclose(shown[~mark], usual[~mark], atol=1e-3)


def test_the_mark_goes_with_the_finding(cohorts):
    """Nearly every image with the finding carries the mark, and hardly another."""
    _, planted = cohorts
    marks = json.loads((planted / "truth" / "marks.json").read_text())
    truth = pd.read_csv(planted / "truth" / "truth.csv").set_index("image_id")
    marked = truth.index.isin(list(marks))
    present = truth[SHORTCUTS["marker"].observation] == 1
    assert marked[present].mean() > 0.8
    assert marked[~present].mean() < 0.2


def test_the_share_of_marked_images_is_as_stated():
    """Over many images the mark comes as often as the shortcut says."""
    shortcut, pixels = find_shortcut("marker"), np.zeros((32, 32), np.uint16)
    for present, share in ((True, shortcut.present), (False, shortcut.absent)):
        marked = [
            plant(pixels, f"{i}", shortcut=shortcut, present=present)[1].any() for i in range(2000)
        ]
        assert np.mean(marked) == pytest.approx(share, abs=0.02)


def test_wrong_shortcuts_are_told(tmp_path):
    """An unknown name, or a mark on no image, is one sentence."""
    with pytest.raises(InputError, match="shortcut 'ruler' is unknown; choose from marker"):
        write_cohort(tmp_path / "x", **SETTINGS, shortcut="ruler")  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()
    outcome = command("synth", tmp_path / "y", "--shortcut", "marker", "--reports-only")
    assert outcome.code == 2
    assert "--reports-only writes none" in outcome.err
