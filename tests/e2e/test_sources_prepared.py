"""Every published source goes from its download to cases and pixels."""

import pytest

from benchmark.cohorts import LABEL_COLUMNS, prepare
from benchmark.config import load_config
from benchmark.events import Silent
from cxr.errors import InputError
from cxr.keys import keyed_id
from cxr.observations import OBSERVATIONS
from cxr.sources import SOURCES
from tests.source_trees import (
    picture,
    table,
    write_chexpert,
    write_nih,
    write_openi,
    write_padchest,
    write_vindr,
)

TREES = {
    "nih": lambda root: write_nih(root, 24),
    "chexpert": lambda root: write_chexpert(root, 24, valid=4),
    "vindr": lambda root: write_vindr(root, 24, test=4),
    "padchest": lambda root: write_padchest(root, [{} for _ in range(24)]),
    "openi": lambda root: write_openi(root, 24),
}


def config(name, root, *more):
    official = "official" if SOURCES[name].official_split else "seeded"
    settings = (
        f"data.source={name}",
        f"data.path={root}",
        "image.size=32",
        "split.fractions=[0.5, 0.25, 0.25]",
        f"split.method={official}",
    )
    return load_config(overrides=[*settings, *more])


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """A cache and a key of this test's own."""
    monkeypatch.setenv("CXR_BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "key").write_bytes(b"k" * 32)
    monkeypatch.setenv("CXR_BENCH_KEY", str(tmp_path / "key"))


@pytest.mark.parametrize("name", TREES)
def test_a_download_becomes_cases_and_pixels(tmp_path, name):
    """Cases have labels, splits of whole patients, and ids that are keyed where restricted."""
    root = TREES[name](tmp_path / name)
    original = SOURCES[name].read(root).table["image_id"].tolist()
    data = prepare(config(name, root), Silent())
    assert data.pixels.shape == (len(original), 32, 32)
    assert set(data.cases["split"]) == {"train", "validate", "test"}
    assert (data.cases.groupby("patient_id")["split"].nunique() == 1).all()
    assert data.cases[LABEL_COLUMNS].notna().any(axis=None)
    if data.cohort.restricted:
        original = [keyed_id(image_id, b"k" * 32) for image_id in original]
    assert data.cases["image_id"].tolist() == original


def test_a_validation_part_is_drawn_from_the_official_training_part(tmp_path):
    """NIH names train and test alone; the test part stays whole, and a note tells."""
    root = write_nih(tmp_path / "nih", 60)
    data = prepare(config("nih", root, "split.fractions=[0.75, 0.15, 0.1]"), Silent())
    official = SOURCES["nih"].read(root, split="official").table.set_index("image_id")["split"]
    found = data.cases.set_index("image_id")["split"]
    assert set(found.index[found == "test"]) == set(official.index[official == "test"])
    parts = data.cases.groupby("split")["patient_id"].nunique()
    assert 0 < parts["validate"] < parts["train"] / 2  # a sixth of 40, give or take chance
    assert "drawn by patient" in data.cohort.notes["validation images"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["data.labels=chexpert"], 'the labels of NIH ChestX-ray14.* are "own"'),
        (["data.reports=/r"], "data.reports is set, but NIH"),
        (["data.source=padchest", "split.method=official"], "PadChest.*has no split of its own"),
        (["data.source=nihh"], "expected one of synthetic, mimic-cxr"),
    ],
)
def test_settings_that_a_source_does_not_know_are_refused(tmp_path, settings, words):
    """Labels, splits and places that a source lacks are named, not ignored."""
    with pytest.raises(InputError, match=words):
        prepare(config("nih", write_nih(tmp_path / "nih"), *settings), Silent())


def test_the_config_names_every_source():
    """The choices of data.source are the catalogue."""
    with pytest.raises(InputError) as caught:
        load_config(overrides=["data.source=x"])
    assert all(name in str(caught.value) for name in SOURCES)
    assert load_config(overrides=["data.source=nih", "data.path=x"]).data.labels == "own"
    assert load_config().data.labels == "report"


def test_mimic_cxr_jpg_brings_its_own_labels_and_split(tmp_path):
    """JPEG, metadata, CheXpert labels and the official split are what the download holds."""
    root = tmp_path / "jpg"
    metadata = ["dicom_id,ViewPosition,StudyDate"]
    splits, labels = ["dicom_id,subject_id,split"], [f"study_id,{','.join(OBSERVATIONS)}"]
    for number, split in enumerate(["train"] * 4 + ["validate"] * 2 + ["test"] * 3):
        patient, study = f"{10000000 + number}", f"{50000000 + number}"
        picture(root / "files" / "p10" / f"p{patient}" / f"s{study}" / f"i{number}.jpg", number)
        metadata.append(f"i{number},PA,21800506")
        splits.append(f"i{number},{patient},{split}")
        labels.append(f"{study},{',' * 4}-1.0{',' * 9}1.0")
    for name, rows in {"metadata": metadata, "split": splits, "chexpert": labels}.items():
        table(root / f"mimic-cxr-2.0.0-{name}.csv", rows)
    settings = [f"data.path={root}", "image.size=32", "split.method=official"]
    data = prepare(load_config(overrides=["data.source=mimic-cxr-jpg", *settings]), Silent())
    assert data.cohort.label_source == "chexpert"
    assert data.cohort.restricted
    assert data.cases["split"].tolist() == ["train"] * 4 + ["validate"] * 2 + ["test"] * 3
    assert set(data.cases["label:Lung Lesion"]) == {-1.0}
    assert set(data.cases["label:Support Devices"]) == {1.0}
