import gzip

import numpy as np
import pytest

from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.sources.manifest import read_manifest
from tests.dicom_writer import phantom, write_dicom

PLAIN = """image_path,patient_id,view,sex,age,report,split
a.png,p1,PA,F,61,Heart enlarged.,train
b.png,p1,ap,female,045Y,Lungs are clear.,val
sub/c.png,p2,,m,,No effusion.,test
"""


@pytest.fixture
def write(tmp_path):
    """Write a manifest and return its path."""

    def write(text, name="manifest.csv"):
        path = tmp_path / name
        content = text.encode() if isinstance(text, str) else text
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        read_manifest(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.csv.gz"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_manifest_becomes_a_study_table(write, tmp_path, name, mark):
    """Plain words for view, sex, age and split are understood, with or without a byte mark."""
    cohort = read_manifest(write(mark + PLAIN, name))
    table = cohort.table
    assert table["image_id"].tolist() == ["a.png", "b.png", "sub/c.png"]
    assert table["study_id"].tolist() == table["image_id"].tolist()
    assert table["patient_id"].tolist() == ["p1", "p1", "p2"]
    assert table["view"].tolist() == ["PA", "AP", ""]
    assert table["sex"].tolist() == ["F", "F", "M"]
    np.testing.assert_array_equal(table["age"], [61, 45, np.nan])
    assert table["split"].tolist() == ["train", "validate", "test"]
    assert table["report"].iloc[0] == "Heart enlarged."
    assert table["image_path"].iloc[2] == str(tmp_path / "sub" / "c.png")
    assert (cohort.name, cohort.restricted, cohort.label_source) == ("manifest", False, "")
    assert not set(OBSERVATIONS) & set(table.columns)


def test_a_path_and_a_patient_are_enough_with_label_columns(write):
    """Observations without a column stay blank, and blank cells stay blank."""
    path = write("path,patient_id,Edema,Fracture\nx.png,1,1.0,\ny.png,2,-1,0\n")
    cohort = read_manifest(path, labels="columns")
    assert cohort.label_source == "columns"
    np.testing.assert_array_equal(cohort.table["Edema"], [1, -1])
    np.testing.assert_array_equal(cohort.table["Fracture"], [np.nan, 0])
    assert cohort.table["Pneumonia"].isna().all()
    assert [name for name in cohort.table if name in OBSERVATIONS] == list(OBSERVATIONS)


def test_ids_keep_their_zeros(write):
    """Ids are text: 007 is not 7."""
    path = write("path,patient_id,image_id,Edema\nx.png,007,001,1\n")
    table = read_manifest(path, labels="columns").table
    assert (table["patient_id"][0], table["image_id"][0]) == ("007", "001")


def test_other_views_and_empty_reports_are_excluded_with_the_reason(write):
    """A lateral and a row without report are listed; an unknown view stays."""
    text = PLAIN + "d.png,p3,LL,,,A report.,\ne.png,p3,PA,,, ,\n"
    cohort = read_manifest(write(text))
    found = dict(zip(cohort.exclusions["image_id"], cohort.exclusions["reason"], strict=True))
    assert found == {
        "d.png": "view LATERAL is not among PA, AP",
        "e.png": "the report is empty",
    }
    assert len(cohort.table) == 3


def test_a_dicom_without_a_view_is_asked_for_it(write, tmp_path):
    """View, sex and age that the manifest leaves blank come from a DICOM's header."""
    facts = {"PatientSex": "M", "PatientAge": "030Y"}
    write_dicom(tmp_path / "front.dcm", phantom(20, 20), ViewPosition="PA", **facts)
    write_dicom(tmp_path / "side.dcm", phantom(20, 20), ViewPosition="LL", **facts)
    (tmp_path / "broken.dcm").write_text("text")
    path = write("path,patient_id,age,Edema\nfront.dcm,1,77,1\nside.dcm,1,,1\nbroken.dcm,2,,0\n")
    cohort = read_manifest(path, labels="columns")
    assert cohort.table["view"].tolist() == ["PA", ""]
    assert cohort.table["sex"].tolist() == ["M", ""]
    assert cohort.table["age"].iloc[0] == 77
    assert cohort.exclusions["image_id"].tolist() == ["side.dcm"]


@pytest.mark.parametrize("climbing", ["../x.png", "sub/../../x.png", "..\\x.png", ".."])
def test_a_path_does_not_climb_out_of_the_folder(write, climbing):
    """A relative path that leads out of the manifest's folder is refused with its row."""
    text = f"path,patient_id,Edema\nok.png,1,1\n{climbing},1,1\n"
    assert "row 2" in refusal(write(text), labels="columns")


def test_an_absolute_path_is_taken_as_it_is(write, tmp_path):
    """An absolute path may lie anywhere."""
    target = str(tmp_path.parent / "elsewhere.png")
    table = read_manifest(write(f"path,patient_id,Edema\n{target},1,1\n"), labels="columns").table
    assert table["image_path"].tolist() == [target]


def test_restricted_is_what_the_caller_says(write):
    """A manifest can be marked restricted."""
    assert read_manifest(write(PLAIN), restricted=True).restricted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,patient_id,report\nx,1,t\n", "image_path (or path) is missing; it has image, pat"),
        ("path,patient,report\nx,1,t\n", "patient_id are missing; it has path, patient, report"),
        ("path,patient_id,Edema\nx,1,1\n", "need a column 'report' or 'text'"),
        ("path,patient_id,report\n", "it lists no images"),
        ("path,patient_id,report\n,1,t\n", "row 1: the image path is empty"),
        ("path,patient_id,report\nx,,t\n", "row 1: patient_id is empty"),
        ("path,patient_id,report\nx,1,t\n./x,1,t\n", "row 2: the same image as in row 1"),
        ("path,patient_id,image_id,report\nx,1,i,t\ny,1,i,t\n", "image_id 'i' occurs more than"),
        ("path,patient_id,study_id,report\nx,1,s,t\ny,2,s,t\n", "study 's' belongs to two"),
        ("path,patient_id,view,report\nx,1,PA,t\ny,1,SIDE,t\n", "row 2: view is 'SIDE'"),
        ("path,patient_id,split,report\nx,1,dev,t\n", "row 1: split is 'dev'"),
    ],
)
def test_mistakes_are_told_with_row_and_columns(write, text, words):
    """Each mistake is one sentence that names the file, and the row or columns."""
    assert words in refusal(write(text))


@pytest.mark.parametrize("cell", ["2", "yes", "0.5", "-2"])
def test_a_label_that_is_none_is_refused_with_its_row(write, cell):
    """Labels are 1, 0, -1 or blank."""
    text = f"path,patient_id,Edema\nx.png,1,1\ny.png,1,{cell}\n"
    assert f"row 2: 'Edema' is '{cell}'" in refusal(write(text), labels="columns")


def test_label_columns_that_are_not_there_are_named(write):
    """Without a column of the 14 the existing columns are listed."""
    message = refusal(write("path,patient_id,Effusion\nx.png,1,1\n"), labels="columns")
    assert "it has path, patient_id, Effusion" in message


def test_a_manifest_that_is_no_table_is_refused(write, tmp_path):
    """A missing, binary or Latin-1 file is named."""
    assert "there is no such file" in refusal(tmp_path / "none.csv")
    assert "not UTF-8" in refusal(write(PLAIN.replace("p1", "pä").encode("latin-1")))
    assert "is not a CSV table" in refusal(write(""))


def test_a_manifest_of_which_every_row_is_left_out_is_refused(write):
    """Nothing left to use is told as such."""
    assert "no images were found" in refusal(write("path,patient_id,view,text\nx,1,LL,t\n"))
