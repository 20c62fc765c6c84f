"""Names, dates and paths of patients stay where they are; no list leads out of its folder."""

import re

import pytest

from benchmark.cohorts import prepare
from benchmark.config import load_config
from benchmark.events import Silent
from tests.dicom_writer import phantom, write_dicom
from tests.private_archive import leaks, write_archive
from tests.source_trees import table
from tests.tiny_run import command


def test_neither_output_nor_cache_nor_cases_name_anyone(tmp_path, monkeypatch):
    """Reading, decoding and looking leave nothing of the headers' private parts anywhere."""
    monkeypatch.setenv("CXR_BENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "out").mkdir()
    archive = write_archive(tmp_path / "data")
    settings = ["--data", archive, "--set", "data.source=manifest"]
    built = command("cache", "build", *settings)
    looked = command("inspect", archive, "-o", tmp_path / "out" / "page.html")
    assert (built.code, looked.code) == (0, 0), built.err + looked.err
    told = [
        "data.source=manifest",
        f"data.path={archive}",
        "data.restricted=true",
        "image.size=32",
        "split.fractions=[0.5, 0.2, 0.3]",
    ]
    data = prepare(load_config(overrides=told), Silent())
    data.cases.to_csv(tmp_path / "out" / "cases.csv")
    data.cohort.exclusions.to_csv(tmp_path / "out" / "exclusions.csv")
    texts = [built.out, built.err, looked.out, looked.err, str(data.cohort.notes)]
    assert leaks(texts, [tmp_path / "cache", tmp_path / "out"]) == []
    assert "can't be read" in built.out


@pytest.mark.parametrize("path", ["../secret.dcm", "a/../../secret.dcm", "..\\secret.dcm"])
def test_a_manifest_can_not_lead_out_of_its_folder(tmp_path, path):
    """Every way up is refused, and the file there is not read."""
    (tmp_path / "data").mkdir()
    write_dicom(tmp_path / "secret.dcm", phantom(32, 32))
    listed = table(tmp_path / "data" / "list.csv", ["image_path,patient_id", f"{path},p1"])
    outcome = command("inspect", listed)
    assert outcome.code == 2
    assert "leads out of the manifest's folder" in " ".join(outcome.err.split())


def test_a_dicomdir_is_not_followed(tmp_path):
    """What a DICOMDIR refers to, inside or outside its folder, is not opened through it."""
    from pydicom.fileset import FileSet

    inside = tmp_path / "media"
    files = FileSet()
    files.add(
        str(
            write_dicom(
                tmp_path / "a.dcm",
                phantom(32, 32),
                StudyInstanceUID="1.2.3",
                SeriesInstanceUID="1.2.4",
                SeriesNumber=1,
                StudyID="1",
                StudyDate="20200101",
                StudyTime="101010",
                InstanceNumber=1,
                AccessionNumber="1",
            )
        )
    )
    files.write(inside)
    directory = inside / "DICOMDIR"
    referred = next(path for path in inside.rglob("*") if path.is_file() and path != directory)
    content = directory.read_bytes()
    assert referred.name.encode() in content
    referred.unlink()
    (inside / "alone.dcm").write_bytes((tmp_path / "a.dcm").read_bytes())
    looked = command("inspect", inside)
    assert looked.code == 0, looked.err
    assert re.search(r"^ +Images +1$", looked.out, re.MULTILINE)
    assert "it holds no pixels" in looked.out
