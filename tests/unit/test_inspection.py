"""`cxr-bench inspect`: what it counts, finds, keeps back and remembers."""

import json
import re
import shutil

import cv2
import numpy as np
import pytest

from benchmark.inspection.indexing import read_all
from benchmark.inspection.reading import guess_source
from cxr.dicom.facts import pixel_digest, read_facts
from cxr.synth.cohort import write_cohort
from tests.dicom_writer import SYNTAXES, phantom, write_dicom
from tests.source_trees import (
    picture,
    table,
    write_chexpert,
    write_nih,
    write_openi,
    write_openi_xml,
    write_padchest,
    write_vindr,
)
from tests.tiny_run import command


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """A cache and a key of this test's own."""
    monkeypatch.setenv("CXR_BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "key").write_bytes(b"k" * 32)
    monkeypatch.setenv("CXR_BENCH_KEY", str(tmp_path / "key"))


def inspected(path, *more):
    outcome = command("inspect", path, *more)
    assert outcome.code == 0, outcome.err
    return outcome.out


def count(text, name):
    """Return the number that stands behind a name in the terminal's tables."""
    found = re.search(rf"^ +{re.escape(name)} +([\d,]+)", text, re.MULTILINE)
    assert found, f"{name!r} is not in:\n{text}"
    return int(found[1].replace(",", ""))


# Facts


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_headers_tell_what_a_file_is(tmp_path, syntax):
    """Format, photometric interpretation, size and bits come without decoding."""
    eight = syntax == "jpeg-baseline"
    path = write_dicom(
        tmp_path / "a.dcm",
        phantom(40, 32, 8 if eight else 12),
        syntax=syntax,
        bits=8 if eight else 12,
        Manufacturer="Acme",
        ManufacturerModelName="X1",
        BurnedInAnnotation="YES",
    )
    facts = read_facts(path)
    assert (facts.problem, facts.rows, facts.columns) == ("", 40, 32)
    assert (facts.photometric, facts.bits, facts.device) == (
        "MONOCHROME2",
        8 if eight else 12,
        "Acme X1",
    )
    assert facts.annotated
    assert facts.format == SYNTAXES[syntax] or syntax == "deflated"


def test_content_is_of_the_pixels_alone(tmp_path):
    """Other headers over equal pixels give the same content; another pixel another digest."""
    pixels = phantom(64, 64)
    first = write_dicom(tmp_path / "a.dcm", pixels, PatientID="1")
    second = write_dicom(tmp_path / "b.dcm", pixels, PatientID="2", ViewPosition="PA")
    changed = pixels.copy()
    changed[0, 0] ^= 1
    third = write_dicom(tmp_path / "c.dcm", changed)
    assert read_facts(first).content == read_facts(second).content != ""
    assert pixel_digest(first) == pixel_digest(second) != pixel_digest(third)


def test_what_is_no_image_has_a_problem(tmp_path):
    """Text, an empty file, a cut PNG and an absent file are told, and none raises."""
    (tmp_path / "text.dcm").write_text("hello")
    (tmp_path / "empty.dcm").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(picture(tmp_path / "a.png", 0).read_bytes()[:12])
    for name in ("text.dcm", "empty.dcm", "cut.png", "absent.dcm"):
        assert read_facts(tmp_path / name).problem
        assert pixel_digest(tmp_path / name) in ("", pixel_digest(tmp_path / "cut.png"))


# Remembering


def _length(path):
    with (path.parent / "calls").open("a") as calls:
        calls.write("x")
    return {"bytes": path.stat().st_size}


def test_what_was_read_is_not_read_again(tmp_path):
    """A second look reads nothing, a changed file is read anew, and a torn last line is too."""
    paths = [str(table(tmp_path / f"{n}.txt", ["x" * n])) for n in range(5)]
    store, calls = tmp_path / "store" / "a.jsonl", tmp_path / "calls"
    first = read_all(_length, paths, store, version=1, jobs=1)
    assert [values["bytes"] for values in first] == [1, 2, 3, 4, 5]
    assert read_all(_length, paths, store, version=1, jobs=1) == first
    assert len(calls.read_text()) == 5
    store.write_text(store.read_text()[:-6])
    (tmp_path / "0.txt").write_text("longer")
    again = read_all(_length, paths, store, version=1, jobs=1)
    assert again[0]["bytes"] == 6
    assert again[1:] == first[1:]
    assert len(calls.read_text()) == 7
    read_all(_length, paths, store, version=2, jobs=1)
    assert len(calls.read_text()) == 12
    assert str(tmp_path) not in store.read_text()


# Which layout


def test_layouts_are_told_by_what_is_there(tmp_path):
    """Every published set, a manifest and a plain folder are told apart."""
    assert guess_source(write_nih(tmp_path / "nih")) == "nih"
    assert guess_source(write_chexpert(tmp_path / "chexpert")) == "chexpert"
    assert guess_source(write_vindr(tmp_path / "vindr")) == "vindr"
    assert guess_source(write_padchest(tmp_path / "padchest", [{}])) == "padchest"
    assert guess_source(write_openi(tmp_path / "openi")) == "openi"
    write_openi_xml(tmp_path / "xml", 1)
    assert guess_source(tmp_path / "xml") == "openi"
    study = tmp_path / "mimic" / "files" / "p10" / "p10000032" / "s50414267"
    picture(study / "a.jpg", 1)
    assert guess_source(tmp_path / "mimic") == "mimic-cxr-jpg"
    write_dicom(study / "b.dcm", phantom(24, 20))
    assert guess_source(tmp_path / "mimic") == "mimic-cxr"
    picture(tmp_path / "plain" / "a.png", 1)
    assert guess_source(tmp_path / "plain") == "folder"
    assert guess_source(tmp_path / "nih" / "Data_Entry_2017.csv") == "manifest"


# The whole


def test_a_synthetic_cohort_is_counted_and_shown(tmp_path):
    """Counts, labels of the reports, all views, and a page with pictures that says synthetic."""
    root = tmp_path / "cohort"
    write_cohort(root, studies=14, seed=3, size=128, conspicuity=1.0)
    page = tmp_path / "page.html"
    text = inspected(root, "-o", page)
    assert "(SYNTHETIC)" in text
    assert count(text, "Studies") == 14
    assert count(text, "Images") == count(text, "PA") + count(text, "AP") + count(text, "LATERAL")
    assert count(text, "No Finding") > 0
    html = page.read_text()
    assert "Synthetic.</strong>" in html
    assert html.count("data:image/jpeg;base64,") > 5
    assert "<script" not in html


def test_mistakes_of_a_folder_are_found(tmp_path):
    """A twin under another patient, constant pixels, a foreign modality and text are named."""
    root = tmp_path / "archive"
    (root / "deep").mkdir(parents=True)
    pixels = phantom(64, 64, seed=1)
    write_dicom(root / "a.dcm", pixels, PatientID="p1", ViewPosition="PA")
    write_dicom(root / "deep" / "b.dcm", pixels, PatientID="p2", ViewPosition="PA")
    write_dicom(root / "c.dcm", np.full((64, 64), 7, np.uint16), PatientID="p1")
    write_dicom(root / "d.dcm", phantom(64, 64, seed=2), PatientID="p3", Modality="MR")
    (root / "DICOMDIR").write_text("not an image")
    (root / "cut.dcm").write_bytes((root / "a.dcm").read_bytes()[:2000])
    text = inspected(root, "--include-restricted")
    assert count(text, "across patients") == 1
    assert "a.dcm = deep/b.dcm" in text
    assert count(text, "Pixels that can't be read") >= 2
    assert re.search(r"MR +1 +20.0%  !", text)
    assert count(text, "it is not a DICOM file") == 1


def test_a_restricted_source_shows_no_picture_and_no_id(tmp_path):
    """Without --include-restricted neither page nor terminal has a picture, path or id."""
    root = write_chexpert(tmp_path / "chexpert")
    shutil.copy(next(root.rglob("view1_frontal.jpg")), next(root.rglob("view2_lateral.jpg")))
    page = tmp_path / "page.html"
    text = inspected(root, "-o", page)
    for shown in (text.replace(str(page), ""), page.read_text()):
        assert "patient0" not in shown
        assert "data:image" not in shown
        assert str(root) not in shown
    assert count(text, "within a patient") == 1
    assert "patient00001_study1_view1_frontal" in inspected(root, "--include-restricted")


def test_one_picture_in_two_splits_is_named(tmp_path):
    """A copy of a training image in the test part is the worst of the duplicates."""
    root = write_nih(tmp_path / "nih", 3)
    shutil.copy(next(root.rglob("00000001_000.png")), next(root.rglob("00000003_000.png")))
    text = inspected(root, "--set", "split.method=official")
    assert count(text, "across splits") == 1
    assert count(inspected(root), "across patients") == 1


def test_a_manifest_without_labels_can_be_inspected(tmp_path):
    """Paths and patients are enough for a look."""
    picture(tmp_path / "a.png", 1)
    path = table(tmp_path / "list.csv", ["path,patient_id", "a.png,1"])
    text = inspected(path)
    assert "Labels" not in text
    assert count(text, "Images") == 1


def test_text_in_a_header_can_not_break_the_page(tmp_path):
    """A device name with markup is escaped."""
    (tmp_path / "d").mkdir()
    path = tmp_path / "d" / "a.dcm"
    write_dicom(path, phantom(64, 64), Manufacturer="<script>alert(1)</script>")
    page = tmp_path / "page.html"
    inspected(tmp_path / "d", "-o", page)
    assert "<script>" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no such file or folder"),
        ([".", "--source", "mimic"], "is not one of 'mimic-cxr'"),
        ([".", "--source", "nih"], "there is no Data_Entry_2017"),
    ],
)
def test_mistakes_of_the_user_are_one_sentence(tmp_path, monkeypatch, arguments, words):
    """A wrong path, layout or download ends with code 2 and no traceback."""
    monkeypatch.chdir(tmp_path)
    outcome = command("inspect", *arguments)
    assert outcome.code == 2
    assert words in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err


def test_the_store_holds_nothing_private(tmp_path):
    """What is remembered between looks names no path, patient or study."""
    root = tmp_path / "d"
    root.mkdir()
    write_dicom(
        root / "a.dcm",
        phantom(64, 64),
        PatientID="secret-id",
        StudyDate="20200102",
        PatientName="Doe^Jane",
        PatientAge="050Y",
    )
    inspected(root)
    kept = "".join(path.read_text() for path in (tmp_path / "cache").rglob("*.jsonl"))
    assert json.loads(kept.splitlines()[0])
    for secret in ("secret", "Doe", "20200102", "a.dcm", str(root), "1.2.826"):
        assert secret not in kept


def test_what_is_suspected_is_shown(tmp_path):
    """Beside the count of films with text stands the film, unless the source is restricted."""
    grey = np.zeros((512, 512), np.uint8)
    grey[100:400, 100:400] = phantom(300, 300, 8, scale=64)
    cv2.putText(grey, "P O R T A B L E", (12, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 2)
    (tmp_path / "films").mkdir()
    assert cv2.imwrite(str(tmp_path / "films" / "marked.png"), grey)
    page = tmp_path / "page.html"
    text = inspected(tmp_path / "films", "--include-restricted", "-o", page)
    assert count(text, "Burned-in text") == 1
    assert 'alt="Burned-in text marked.png"' in page.read_text()
    inspected(tmp_path / "films", "-o", page)
    assert "<img" not in page.read_text()
