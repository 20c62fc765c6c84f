"""Adapters of the published sets, each on a small tree in its true layout."""

import numpy as np
import pytest

from cxr.dicom import read_radiograph
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.sources import SOURCES
from cxr.sources.chexpert import read_chexpert
from cxr.sources.nih import read_nih
from cxr.sources.openi import read_openi
from cxr.sources.padchest import read_padchest
from cxr.sources.vindr import read_vindr
from tests.dicom_writer import phantom, write_dicom
from tests.source_trees import (
    NIH_HEADER,
    picture,
    table,
    write_chexpert,
    write_nih,
    write_openi,
    write_openi_xml,
    write_padchest,
    write_vindr,
)


def reasons(cohort):
    return dict(zip(cohort.exclusions["image_id"], cohort.exclusions["reason"], strict=True))


def row(cohort, image_id):
    return cohort.table.set_index("image_id").loc[image_id]


# All of them


WRITERS = {"nih": write_nih, "chexpert": write_chexpert, "vindr": write_vindr, "openi": write_openi}


@pytest.mark.parametrize("name", WRITERS)
def test_what_a_set_gives_can_be_read(tmp_path, name):
    """Every path of the study table is an image, and labels are of the 14 observations."""
    cohort = SOURCES[name].read(WRITERS[name](tmp_path))
    assert len(cohort.table) >= 3
    for path in cohort.table["image_path"]:
        assert read_radiograph(path, size=16).shape == (16, 16)
    assert bool(cohort.label_source) == all(name in cohort.table for name in OBSERVATIONS)


@pytest.mark.parametrize("name", ["chexpert", "nih", "vindr", "padchest", "openi"])
def test_an_empty_folder_tells_what_is_missing_and_where_to_get_it(tmp_path, name):
    """A missing table or tree is named with the address of the set."""
    with pytest.raises(InputError) as caught:
        SOURCES[name].read(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert SOURCES[name].origin.split(",")[0] in str(caught.value)


@pytest.mark.parametrize("name", ["chexpert", "nih", "vindr", "padchest", "openi"])
def test_a_folder_that_is_not_there_is_named(tmp_path, name):
    """A root or a tables folder that does not exist is named with its setting."""
    with pytest.raises(InputError, match=r"nowhere: there is no such folder; check data\.path"):
        SOURCES[name].read(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"nowhere: there is no such folder; check data\.tables"):
        SOURCES[name].read(tmp_path, tables=tmp_path / "nowhere")


def test_who_may_pass_data_on(tmp_path):
    """Sets whose licence forbids passing images on are restricted, unless the user says else."""
    found = {name: SOURCES[name].read(write(tmp_path / name)) for name, write in WRITERS.items()}
    assert {name: cohort.restricted for name, cohort in found.items()} == {
        "nih": False,
        "chexpert": True,
        "vindr": True,
        "openi": True,
    }
    padchest = write_padchest(tmp_path / "padchest", [{}])
    assert read_padchest(padchest).restricted
    assert not read_padchest(padchest, restricted=False).restricted


def test_two_copies_of_an_image_are_refused(tmp_path):
    """An original and a resized copy under one root can't be told apart, so both are named."""
    picture(write_nih(tmp_path) / "images-224" / "00000001_000.png", 1)
    with pytest.raises(InputError, match=r"images_002.*the same image is at .*images-224|images-2"):
        read_nih(tmp_path)


def test_a_folder_linked_into_itself_ends(tmp_path):
    """A loop of links is walked once."""
    write_nih(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(read_nih(tmp_path).table) == 6


# NIH


def test_nih_becomes_a_study_table(tmp_path):
    """Ids, view, sex, age and the classes come from Data_Entry_2017."""
    cohort = read_nih(write_nih(tmp_path))
    first = row(cohort, "00000001_000")
    assert (first["patient_id"], first["view"], first["sex"], first["age"]) == ("1", "AP", "F", 58)
    assert first["study_id"] == "00000001_000"
    assert first[["Pleural Effusion", "Lung Lesion", "Pleural Other"]].tolist() == [1, 1, 1]
    assert first[["No Finding", "Edema"]].tolist() == [0, 0]
    assert np.isnan(first["Fracture"])
    second = row(cohort, "00000001_001")
    assert second["No Finding"] == 1
    assert np.isnan(second["Pleural Other"])
    assert cohort.label_source == "nih"
    assert "Fracture" in cohort.notes["observations that it does not annotate"]


def test_nihs_lists_are_its_split(tmp_path):
    """train_val is for training, test for testing, and an image in neither is left out."""
    write_nih(tmp_path)
    cohort = read_nih(tmp_path, split="official")
    assert dict(zip(cohort.table["patient_id"], cohort.table["split"], strict=True)) == {
        "1": "train",
        "2": "train",
        "3": "test",
    }
    table(tmp_path / "test_list.txt", ["00000003_000.png"])
    assert "neither" in reasons(read_nih(tmp_path, split="official"))["00000003_001"]
    table(tmp_path / "test_list.txt", ["00000001_000.png"])
    with pytest.raises(InputError, match="'00000001_000' stands in both lists"):
        read_nih(tmp_path, split="official")
    (tmp_path / "test_list.txt").unlink()
    with pytest.raises(InputError, match=r"there is no test_list\.txt"):
        read_nih(tmp_path, split="official")


def test_nihs_sample_has_headers_and_ages_of_its_own(tmp_path):
    """The sample's underscored headers and ages such as 040Y are understood."""
    picture(tmp_path / "images" / "00000013_005.png", 1)
    header = (
        "Image_Index,Finding_Labels,Follow_Up_#,Patient_ID,Patient_Age,Patient_Gender,View_Position"
    )
    table(tmp_path / "sample_labels.csv", [header, "00000013_005.png,Mass|Edema,5,13,060Y,M,AP"])
    cohort = read_nih(tmp_path)
    assert row(cohort, "00000013_005")[["age", "sex", "Edema"]].tolist() == [60, "M", 1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Image Index,Finding Labels\na.png,Mass", r"Patient ID are missing; it has Image Index"),
        (
            f"{NIH_HEADER}\n00000001_000.png,Masses,0,1,58,F,PA,1,1,1,1,",
            r"row 1: the class 'Masses'",
        ),
        (f"{NIH_HEADER}\n00009999_000.png,Mass,0,1,58,F,PA,1,1,1,1,", r"none of its 1 images was"),
    ],
)
def test_nihs_table_may_be_damaged(tmp_path, content, words):
    """A missing column, an unknown class and a table of other images are told."""
    write_nih(tmp_path)
    table(tmp_path / "Data_Entry_2017.csv", [content])
    with pytest.raises(InputError, match=words) as caught:
        read_nih(tmp_path)
    assert "Data_Entry_2017.csv" in str(caught.value)


def test_an_impossible_age_is_unknown(tmp_path):
    """NIH has ages of 412 years; they count as unknown."""
    path = write_nih(tmp_path) / "Data_Entry_2017.csv"
    path.write_text(path.read_text().replace(",58,", ",412,", 1))
    assert np.isnan(row(read_nih(tmp_path), "00000001_000")["age"])


def test_images_that_were_not_downloaded_are_counted(tmp_path):
    """A part of the set is enough; the rest is counted in the notes."""
    write_nih(tmp_path)
    (tmp_path / "images_002" / "images" / "00000001_000.png").unlink()
    cohort = read_nih(tmp_path)
    assert len(cohort.table) == 5
    assert cohort.notes["images listed in Data_Entry_2017.csv but not on disk"] == "1"


# CheXpert


def test_chexpert_becomes_a_study_table(tmp_path):
    """Ids are CheXlocalize's; uncertain labels and blanks stay what they are."""
    cohort = read_chexpert(write_chexpert(tmp_path))
    first = row(cohort, "patient00001_study1_view1_frontal")
    assert (first["patient_id"], first["study_id"]) == ("patient00001", "patient00001_study1")
    assert (first["view"], first["sex"], first["age"]) == ("AP", "F", 68)
    assert first[["Cardiomegaly", "Lung Opacity", "Edema"]].tolist() == [1, -1, 0]
    assert np.isnan(first["Fracture"])
    assert reasons(cohort)["patient00001_study1_view2_lateral"] == (
        "view LATERAL is not among PA, AP"
    )
    assert len(read_chexpert(tmp_path, views=("PA", "AP", "LATERAL")).table) == 10


def test_chexperts_valid_set_tests_where_there_is_no_test_set(tmp_path):
    """Without the test set, valid is the test split; with it, the three parts are as named."""
    two = read_chexpert(write_chexpert(tmp_path / "a"), split="official").table
    assert two["split"].tolist() == ["train"] * 3 + ["test"] * 2
    three = read_chexpert(write_chexpert(tmp_path / "b", test=1), split="official").table
    assert three["split"].tolist() == ["train"] * 3 + ["validate"] * 2 + ["test"]


def test_chexperts_batches_are_found_wherever_they_lie(tmp_path):
    """The full set's batch folders have other names than the paths in the table."""
    home = write_chexpert(tmp_path) / "CheXpert-v1.0-small"
    (home / "train").rename(home / "CheXpert-v1.0 batch 2 (train 1)")
    assert len(read_chexpert(home).table) == 5


def test_chexperts_frontals_of_no_kind_stay(tmp_path):
    """The test set's table tells no AP from PA; its frontals stay where both count."""
    write_chexpert(tmp_path, test=1)
    path = tmp_path / "CheXpert-v1.0-small" / "test.csv"
    names = ["Path", *OBSERVATIONS]
    rows = [
        f"test/patient00006/study1/view{v}.jpg{',0.0' * 14}" for v in ("1_frontal", "2_lateral")
    ]
    table(path.with_name("test_labels.csv"), [",".join(names), *rows])
    path.unlink()
    cohort = read_chexpert(tmp_path)
    assert row(cohort, "patient00006_study1_view1_frontal")["view"] == ""
    assert "patient00006_study1_view2_lateral" in reasons(cohort)
    assert "patient00006_study1_view1_frontal" in reasons(read_chexpert(tmp_path, views=("AP",)))


@pytest.mark.parametrize("path", ["../../etc/passwd", "view1_frontal.jpg", "/a/b/c.jpg"])
def test_a_path_that_is_none_of_chexperts_is_named(tmp_path, path):
    """A path of another form is refused with its row; nothing outside the folder is read."""
    home = write_chexpert(tmp_path) / "CheXpert-v1.0-small"
    text = (home / "train.csv").read_text().splitlines()
    text[2] = path + "," + text[2].split(",", 1)[1]
    table(home / "train.csv", text)
    with pytest.raises(InputError, match=r"train\.csv, row 2: Path is "):
        read_chexpert(tmp_path)


# VinDr-CXR


def test_vindrs_readers_are_counted(tmp_path):
    """Seen by most: present; by none: absent; by one of three: uncertain."""
    cohort = read_vindr(write_vindr(tmp_path))
    first = row(cohort, f"{0:032x}")
    assert first[["Lung Lesion", "Pleural Effusion", "Edema", "Pneumonia"]].tolist() == [
        1,
        1,
        -1,
        0,
    ]
    assert np.isnan(first["Fracture"])  # ribs and clavicles alone are annotated
    assert np.isnan(first["Support Devices"])
    assert (first["view"], first["sex"], first["age"]) == ("PA", "M", 61)
    assert first["patient_id"] == first.name
    assert "patient of its own" in cohort.notes["patients"]
    assert row(cohort, f"{3:032x}")["No Finding"] == 1


def test_vindrs_parts_are_its_split(tmp_path):
    """train and test are the official split."""
    found = read_vindr(write_vindr(tmp_path), split="official").table["split"]
    assert found.tolist() == ["train"] * 3 + ["test"] * 2
    (tmp_path / "annotations" / "image_labels_test.csv").unlink()
    with pytest.raises(InputError, match=r"image_labels_test\.csv"):
        read_vindr(tmp_path, split="official")


def test_vindr_as_kaggle_gives_it(tmp_path):
    """Rows of boxes are read reader by reader; a class boxed twice is one vote."""
    for number, name in enumerate(("aa", "bb")):
        (tmp_path / "train").mkdir(exist_ok=True)
        write_dicom(tmp_path / "train" / f"{name}.dicom", phantom(24, 20, seed=number))
    rows = [
        "aa,Cardiomegaly,3,R1,1,2,3,4",
        "aa,Cardiomegaly,3,R1,5,6,7,8",
        "aa,No finding,14,R2,,,,",
        "aa,No finding,14,R3,,,,",
        "bb,Nodule/Mass,8,R1,1,1,2,2",
        "bb,Nodule/Mass,8,R2,1,1,2,2",
        "bb,Pleural effusion,10,R3,1,1,2,2",
    ]
    header = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max"
    table(tmp_path / "train.csv", [header, *rows])
    cohort = read_vindr(tmp_path)
    assert row(cohort, "aa")[["Cardiomegaly", "No Finding", "Lung Lesion"]].tolist() == [-1, 1, 0]
    assert row(cohort, "bb")[["Lung Lesion", "Pleural Effusion"]].tolist() == [1, -1]
    assert np.isnan(row(cohort, "aa")["Edema"])  # inside Kaggle's "Other lesion"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [(",1,", ",2,", "row 1: .* is '2'; expected 0 or 1"), ("Edema", "Oedema", "class 'Oedema'")],
)
def test_vindrs_table_may_be_damaged(tmp_path, old, new, words):
    """Another value than 0 and 1, and an unknown class, are named."""
    path = write_vindr(tmp_path) / "annotations" / "image_labels_train.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=words) as caught:
        read_vindr(tmp_path)
    assert "image_labels_train.csv" in str(caught.value)


# PadChest


def test_padchest_becomes_a_study_table(tmp_path):
    """Terms in a list are mapped; projections, birth years and blanks are understood."""
    cells = "\"['pleural effusion', ' cardiomegaly ', 'loc right', 'heart insufficiency']\""
    rows = [
        {"Labels": cells, "Projection": "AP_horizontal"},
        {"Projection": "L"},
        {"Projection": "EXCLUDE"},
        {"Labels": "\"['exclude', 'normal']\""},
        {"Labels": "['unchanged']"},
        {"Labels": ""},
        {},
    ]
    cohort = read_padchest(write_padchest(tmp_path, rows))
    first = row(cohort, "21680000_abc")
    assert (first["view"], first["sex"], first["age"]) == ("AP", "F", 84)
    assert (first["study_id"], first["patient_id"]) == ("s0", "p0")
    assert first[["Pleural Effusion", "Cardiomegaly", "Edema"]].tolist() == [1, 1, -1]
    assert first["Pneumonia"] == 0
    assert row(cohort, "21680006_abc")["No Finding"] == 1
    assert list(reasons(cohort).values()) == [
        "view LATERAL is not among PA, AP",
        "view EXCLUDE is not among PA, AP",
        "its label is 'exclude'",
        "its only label is 'unchanged'",
        "it has no label",
    ]


# Open-i


def test_openi_as_csv(tmp_path):
    """Reports are read under their headings; PA is told by the study's title."""
    cohort = read_openi(write_openi(tmp_path))
    first = row(cohort, "1_IM-0001-1001")
    assert (first["patient_id"], first["view"]) == ("1", "PA")
    assert first["report"].splitlines()[-1] == "FINDINGS: Heart is enlarged."
    assert cohort.label_source == ""
    assert len(reasons(cohort)) == 3


def test_openis_headings_are_labels(tmp_path):
    """MeSH headings, bare and with their first qualifier, are mapped."""
    cohort = read_openi(write_openi(tmp_path), labels="own")
    first = row(cohort, "1_IM-0001-1001")
    assert first[["Cardiomegaly", "Pleural Other", "No Finding", "Edema"]].tolist() == [1, 1, 0, 0]
    assert row(cohort, "2_IM-0001-1001")["No Finding"] == 1


def test_openi_as_xml(tmp_path):
    """XML reports and DICOM images, whose headers tell view and sex, need no CSV."""
    write_openi_xml(tmp_path, 7, findings="Clear lungs.", major="<major>Nodule/lung</major>")
    write_openi_xml(tmp_path, 8, impression="")
    for uid, view in ((7, "PA"), (8, "AP"), (9, "PA")):
        (tmp_path / str(uid)).mkdir()
        write_dicom(
            tmp_path / str(uid) / f"{uid}_IM-0001-1001.dcm",
            phantom(24, 20, seed=uid),
            ViewPosition=view,
            PatientSex="F",
        )
    cohort = read_openi(tmp_path)
    first = row(cohort, "7_IM-0001-1001")
    assert (first["view"], first["sex"]) == ("PA", "F")
    assert "FINDINGS: Clear lungs." in first["report"]
    assert reasons(cohort) == {
        "8_IM-0001-1001": "the report is empty",
        "9_IM-0001-1001": "the report is missing",
    }
    own = row(read_openi(tmp_path, labels="own"), "7_IM-0001-1001")
    assert own[["Lung Lesion", "Edema"]].tolist() == [1, 0]  # automatic headings do not count


def test_openis_pictures_alone_have_no_view(tmp_path):
    """XML and PNG without projections can't be told frontal from lateral."""
    write_openi_xml(tmp_path, 7, findings="Clear lungs.")
    picture(tmp_path / "NLMCXR_png" / "CXR7_IM-0001-1001.png", 1)
    with pytest.raises(InputError, match=r"the view is not known"):
        read_openi(tmp_path)
    assert len(read_openi(tmp_path, views=("PA", "AP", "")).table) == 1


@pytest.mark.parametrize("text", ["<eCitation>", '<!DOCTYPE a [<!ENTITY b "c">]><eCitation/>'])
def test_a_broken_report_is_named(tmp_path, text):
    """XML that is damaged, or that declares entities, is refused by name."""
    write_openi(tmp_path)
    (tmp_path / "indiana_reports.csv").unlink()
    table(tmp_path / "5.xml", [text])
    with pytest.raises(InputError, match=r"5\.xml: it "):
        read_openi(tmp_path)
