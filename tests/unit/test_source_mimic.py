import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.sources.mimic import read_mimic
from tests.dicom_writer import phantom, write_dicom

IMAGES = (  # dicom_id, subject_id, study_id, ViewPosition
    ("aaaa-1", "10000032", "50414267", "PA"),
    ("aaaa-2", "10000032", "50414267", "LATERAL"),
    ("bbbb-1", "10000032", "53189527", "AP"),
    ("cccc-1", "10000764", "57375967", "PA"),
    ("dddd-1", "11000001", "58000001", "AP"),
)
METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,"
    "StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,"
    "PatientOrientationCodeSequence_CodeMeaning"
)
TEXT = "FINDINGS: The heart is enlarged.\n"


def image_path(root, image):
    image_id, patient, study, _ = image
    return root / "files" / f"p{patient[:2]}" / f"p{patient}" / f"s{study}" / f"{image_id}.dcm"


def report_path(root, image):
    return image_path(root, image).parent.with_suffix(".txt")


@pytest.fixture
def root(tmp_path):
    """A tree of images with reports beside, and no table at all."""
    root = tmp_path / "mimic"
    for number, image in enumerate(IMAGES):
        path = image_path(root, image)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_dicom(
            path,
            phantom(20, 20, seed=number),
            ViewPosition=image[3],
            PatientSex="F",
            PatientAge="050Y",
        )
        report_path(root, image).write_text(TEXT)
    return root


def write_metadata(folder, images=IMAGES, name="mimic-cxr-2.0.0-metadata.csv", views=None):
    rows = [
        f"{image_id},{patient},{study},CHEST,{view if views is None else views},20,20,21800506,"
        "213014.531,CHEST,postero-anterior,Erect"
        for image_id, patient, study, view in images
    ]
    write_table(folder / name, "\n".join([METADATA, *rows]))


def write_table(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt") as file:
        file.write(text + "\n")


def write_split(folder, splits):
    rows = [
        f"{image[0]},{image[2]},{image[1]},{split}"
        for image, split in zip(IMAGES, splits, strict=True)
    ]
    write_table(
        folder / "mimic-cxr-2.0.0-split.csv.gz",
        "\n".join(["dicom_id,study_id,subject_id,split", *rows]),
    )


def write_patients(path):
    write_table(
        path,
        "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod\n"
        "10000032,F,52,2180,2014 - 2016,2180-09-09\n"
        "10000764,M,80,2170,2014 - 2016,\n",
    )


def reasons(cohort):
    return dict(zip(cohort.exclusions["image_id"], cohort.exclusions["reason"], strict=True))


# Images and views


def test_images_and_reports_are_enough(root):
    """Without any table, view, sex and age come from the DICOM headers."""
    cohort = read_mimic(root)
    assert cohort.table["image_id"].tolist() == ["aaaa-1", "bbbb-1", "cccc-1", "dddd-1"]
    assert cohort.table["view"].tolist() == ["PA", "AP", "PA", "AP"]
    assert set(cohort.table["sex"]) == {"F"}
    assert set(cohort.table["age"]) == {50}
    assert set(cohort.table["report"]) == {TEXT}
    assert set(cohort.table["split"]) == {""}
    first = cohort.table.iloc[0]
    assert (first["study_id"], first["patient_id"]) == ("50414267", "10000032")
    assert Path(first["image_path"]) == image_path(root, IMAGES[0])
    assert reasons(cohort) == {"aaaa-2": "view LATERAL is not among PA, AP"}


def test_the_real_thing_is_restricted(root):
    """A MIMIC-CXR tree is restricted unless the caller says otherwise."""
    cohort = read_mimic(root)
    assert (cohort.name, cohort.restricted, cohort.synthetic) == ("MIMIC-CXR", True, False)
    assert not read_mimic(root, restricted=False).restricted


def test_the_metadata_table_spares_the_headers(root):
    """With metadata and patients no DICOM is opened, so broken ones wait for the decoder."""
    write_metadata(root)
    write_patients(root / "patients.csv.gz")
    for image in IMAGES:
        image_path(root, image).write_text("broken")
    cohort = read_mimic(root)
    assert cohort.table["view"].tolist() == ["PA", "AP", "PA", "AP"]
    assert cohort.table["sex"].tolist() == ["F", "F", "M", ""]


def test_age_is_anchor_age_plus_the_years_since(root):
    """Age at a study counts from MIMIC-IV's anchor; unknown patients have none."""
    write_metadata(root)
    write_patients(root / "patients.csv")
    table = read_mimic(root).table
    np.testing.assert_array_equal(table["age"], [52, 52, 90, np.nan])


def test_an_empty_view_position_is_told_by_the_view_code(root):
    """MIMIC's blank view positions are filled from the view code's meaning."""
    write_metadata(root, views="")
    assert set(read_mimic(root).table["view"]) == {"PA"}


def test_other_views_are_listed_by_their_name(root):
    """An oblique is left out by its own name, an unknown view as unknown."""
    path = image_path(root, IMAGES[3])
    write_dicom(path, phantom(20, 20), ViewPosition="LPO")
    write_dicom(image_path(root, IMAGES[4]), phantom(20, 20))
    found = reasons(read_mimic(root))
    assert found["cccc-1"] == "view LPO is not among PA, AP"
    assert found["dddd-1"] == "the view is not known"


def test_laterals_can_be_asked_for(root):
    """All views come where all are asked for."""
    cohort = read_mimic(root, views=("PA", "AP", "LATERAL"))
    assert len(cohort.table) == 5
    assert cohort.exclusions.empty


@pytest.mark.parametrize("content", [b"This is text.", b""])
def test_a_file_that_is_no_dicom_is_excluded_with_the_reason(root, content):
    """A file that no header can be read from is listed, and the rest goes on."""
    image_path(root, IMAGES[0]).write_bytes(content)
    cohort = read_mimic(root)
    assert len(cohort.table) == 3
    assert reasons(cohort)["aaaa-1"] in ("it is not a DICOM file.", "the file is empty.")


def test_a_tree_deep_in_a_download_is_found(root, tmp_path):
    """The tree is found under the folders that a download makes."""
    deep = tmp_path / "download" / "physionet.org" / "files" / "mimic-cxr" / "2.1.0"
    deep.parent.mkdir(parents=True)
    root.rename(deep)
    write_metadata(deep)
    assert len(read_mimic(tmp_path / "download").table) == 4
    assert len(read_mimic(deep / "files").table) == 4


def test_jpegs_of_mimic_cxr_jpg_are_images_too(root):
    """JPEGs in the tree count; where the DICOM is there as well it is taken."""
    write_metadata(root)
    image_path(root, IMAGES[0]).with_suffix(".jpg").write_bytes(b"")
    image_path(root, IMAGES[3]).rename(image_path(root, IMAGES[3]).with_suffix(".jpg"))
    paths = read_mimic(root).table.set_index("image_id")["image_path"]
    assert paths["aaaa-1"].endswith(".dcm")
    assert paths["cccc-1"].endswith(".jpg")


def test_what_is_not_downloaded_is_counted(root):
    """Images of the metadata table that are not on disk are told in the notes."""
    write_metadata(root, [*IMAGES, ("zzzz-1", "12000000", "59000000", "PA")])
    assert list(read_mimic(root).notes.values()) == ["1"]


# Reports


@pytest.mark.parametrize("place", ["mimic-cxr-reports", "mimic-cxr-reports/files", "elsewhere"])
def test_reports_in_a_tree_of_their_own_are_found(root, tmp_path, place):
    """Reports are found in mimic-cxr-reports, or where the caller says."""
    target = tmp_path / place if place == "elsewhere" else root / place
    for image in IMAGES:
        beside = report_path(root, image)
        if beside.exists():
            moved = target / beside.relative_to(root / "files")
            moved.parent.mkdir(parents=True, exist_ok=True)
            beside.rename(moved)
    given = target if place == "elsewhere" else None
    assert set(read_mimic(root, reports=given).table["report"]) == {TEXT}


@pytest.mark.parametrize("given", [False, True])
def test_reports_are_read_out_of_the_zip(root, given):
    """The zip that PhysioNet offers is read as it is."""
    path = root / "mimic-cxr-reports.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for image in IMAGES:
            beside = report_path(root, image)
            if beside.exists():
                archive.write(beside, beside.relative_to(root))
                beside.unlink()
    cohort = read_mimic(root, reports=path if given else None)
    assert set(cohort.table["report"]) == {TEXT}


def test_studies_without_a_report_are_excluded_with_the_reason(root):
    """A missing and an empty report are told apart, and only matter where labels need them."""
    report_path(root, IMAGES[2]).unlink()
    report_path(root, IMAGES[3]).write_text(" \n")
    found = reasons(read_mimic(root))
    assert found["bbbb-1"] == "the report is missing"
    assert found["cccc-1"] == "the report is empty"
    write_labels(root)
    assert "bbbb-1" in set(read_mimic(root, labels="chexpert").table["image_id"])


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("no zip")])
def test_reports_that_are_none_are_refused(root, tmp_path, make):
    """A reports path that is missing, or neither folder nor zip, is named."""
    path = tmp_path / "reports.zip"
    make(path)
    with pytest.raises(InputError, match=r"reports\.zip"):
        read_mimic(root, reports=path)


# Labels and splits


def write_labels(folder, name="chexpert", cell="-1.0"):
    order = sorted(OBSERVATIONS)
    cells = {"Cardiomegaly": "1.0", "Edema": cell, "Fracture": "0.0"}
    row = ",".join(cells.get(observation, "") for observation in order)
    studies = sorted({(image[1], image[2]) for image in IMAGES[:4]})
    lines = [f"{patient},{study},{row}" for patient, study in studies]
    text = "\n".join([f"subject_id,study_id,{','.join(order)}", *lines])
    write_table(folder / f"mimic-cxr-2.0.0-{name}.csv.gz", text)


@pytest.mark.parametrize("name", ["chexpert", "negbio"])
def test_mimics_own_labels_are_joined_by_study(root, tmp_path, name):
    """Label tables give 1, 0, -1 and blank by study; unlisted studies are excluded."""
    write_labels(tmp_path / "tables", name)
    cohort = read_mimic(root, labels=name, tables=tmp_path / "tables")
    assert cohort.label_source == name
    assert set(cohort.table["Cardiomegaly"]) == {1.0}
    assert set(cohort.table["Edema"]) == {-1.0}
    assert set(cohort.table["Fracture"]) == {0.0}
    assert cohort.table["Pneumonia"].isna().all()
    assert reasons(cohort)["dddd-1"] == f"the study has no row in the {name} table"


def test_a_label_that_is_none_is_named_with_its_row(root):
    """A label of 2 stops with file, row and column."""
    write_labels(root, cell="2.0")
    with pytest.raises(InputError, match=r"chexpert\.csv\.gz, row 1: 'Edema' is '2\.0'"):
        read_mimic(root, labels="chexpert")


def test_without_label_columns_labels_are_still_to_be_made(root):
    """Labels from reports leave the label columns to the labeler."""
    cohort = read_mimic(root)
    assert cohort.label_source == ""
    assert not set(OBSERVATIONS) & set(cohort.table.columns)


def test_the_official_split_is_kept(root):
    """Images carry MIMIC's own split, and those that it does not list are excluded."""
    write_split(root, ["train", "train", "train", "test", "validate"])
    table = read_mimic(root, split="official").table
    assert table["split"].tolist() == ["train", "train", "test", "validate"]


def test_one_patient_in_two_official_splits_stops(root):
    """A leak in the official split is named by its patient."""
    write_split(root, ["train", "train", "test", "test", "validate"])
    with pytest.raises(InputError, match=r"split\.csv\.gz: patient '10000032'"):
        read_mimic(root, split="official")
    assert len(read_mimic(root).table) == 4


@pytest.mark.parametrize("options", [{"split": "official"}, {"labels": "chexpert"}])
def test_a_table_that_is_needed_is_named_with_its_origin(root, options):
    """A missing table is named with where to get it."""
    with pytest.raises(InputError, match=r"mimic-cxr-2\.0\.0-\w+\.csv.*PhysioNet"):
        read_mimic(root, **options)


# Synthetic cohorts


def test_a_synthetic_cohort_brings_truth_masks_and_notes(root):
    """SYNTHETIC.json makes a tree synthetic and open, with its settings as notes."""
    (root / "SYNTHETIC.json").write_text(json.dumps({"format": 1, "conspicuity": 0.5}))
    folder = root / "truth"
    truth = pd.DataFrame({"image_id": ["aaaa-1", "bbbb-1", "other"], "study_id": "x"})
    for name in OBSERVATIONS:
        truth[name] = [1, 0, 1]
    folder.mkdir()
    truth.to_csv(folder / "truth.csv", index=False)
    (folder / "masks.json").write_text("{}")
    cohort = read_mimic(root)
    assert (cohort.synthetic, cohort.restricted) == (True, False)
    assert cohort.notes == {"format": "1", "conspicuity": "0.5"}
    assert cohort.masks == folder / "masks.json"
    assert cohort.truth.index.tolist() == ["aaaa-1", "bbbb-1"]
    assert cohort.truth["Edema"].tolist() == [True, False]
    assert cohort.truth.columns.tolist() == list(OBSERVATIONS)
    assert set(cohort.truth.dtypes) == {np.dtype(bool)}


def test_a_broken_description_of_a_cohort_is_refused(root):
    """A SYNTHETIC.json that is no JSON is named."""
    (root / "SYNTHETIC.json").write_text("{")
    with pytest.raises(InputError, match=r"SYNTHETIC\.json"):
        read_mimic(root)


# Mistakes


@pytest.mark.parametrize("option", ["root", "tables", "patients", "reports"])
def test_a_place_that_is_not_there_is_named(root, tmp_path, option):
    """A folder or file that does not exist is named with the setting to check."""
    places = {"root": root, option: tmp_path / "nowhere"}
    with pytest.raises(InputError, match=r"nowhere: there (is|are) no .*check data\."):
        read_mimic(**places)


def test_a_folder_without_images_tells_what_was_expected(tmp_path):
    """A folder without a tree names the layout that it should have."""
    (tmp_path / "files" / "p10").mkdir(parents=True)
    with pytest.raises(InputError, match="files/p10/p10000032/s50414267"):
        read_mimic(tmp_path)


def test_a_tree_of_which_nothing_can_be_used_tells_why(root):
    """Where every image is left out the commonest reason is told."""
    for image in IMAGES:
        report_path(root, image).unlink(missing_ok=True)
    with pytest.raises(InputError, match=r"the report is missing \(4 images\)"):
        read_mimic(root)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"dicom_id,subject_id\nx,y\n", "ViewPosition, StudyDate are missing; it has dicom_id"),
        (b"", "is not a CSV table"),
        (b"dicom_id\xff\xfe\n", "not UTF-8"),
    ],
)
def test_a_damaged_table_is_named(root, content, words):
    """A table that lacks columns, is empty, or is no text is named with what is wrong."""
    (root / "mimic-cxr-2.0.0-metadata.csv").write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_mimic(root)
    assert "mimic-cxr-2.0.0-metadata.csv: " in str(caught.value)


def test_a_truncated_gzip_is_named(root):
    """A table whose download broke off is named."""
    write_patients(root / "patients.csv.gz")
    path = root / "patients.csv.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"patients\.csv\.gz: it can't be read"):
        read_mimic(root)


def test_jpegs_without_their_metadata_are_refused_with_its_origin(root):
    """JPEG names no view, so MIMIC-CXR-JPG is asked for its metadata table."""
    for image in IMAGES:
        image_path(root, image).rename(image_path(root, image).with_suffix(".jpg"))
    with pytest.raises(InputError, match=r"metadata\.csv.* JPEG.*MIMIC-CXR-JPG on PhysioNet"):
        read_mimic(root)
    write_metadata(root)
    assert len(read_mimic(root).table) == 4
