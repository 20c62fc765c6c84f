"""Names, dates and paths of patients stay where they are; no list leads out of its folder."""

import re

import pytest

from tests.dicom_writer import phantom, write_dicom
from tests.source_trees import table
from tests.tiny_run import command, tiny

NAMES = ("Zebrafinch", "19340217", "20190508", "Birchwood", "MRN-7788")


@pytest.fixture
def archive(tmp_path):
    """DICOM of patients with names and dates in every place, one of them broken, and a list."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = ["image_path,patient_id,report"]
    for number in range(40):
        path = write_dicom(
            folder / f"{number}.dcm",
            phantom(64, 64, seed=number),
            PatientName="Zebrafinch^Jane",
            PatientID="MRN-7788",
            PatientBirthDate="19340217",
            StudyDate="20190508",
            InstitutionName="Birchwood Clinic",
            ViewPosition="PA",
            StudyDescription="Zebrafinch follow-up",
        )
        words = "Pulmonary edema." if number // 2 % 2 else "No edema."
        rows.append(f"{path.name},p{number // 2},FINDINGS: {words}")
    (folder / "5.dcm").write_bytes((folder / "5.dcm").read_bytes()[:3000])
    return table(folder / "list.csv", rows)


def test_neither_output_nor_cache_nor_results_name_anyone(archive, tmp_path, monkeypatch):
    """A run, its progress, its cache and its folder hold nothing of the headers' private parts."""
    monkeypatch.setenv("CXR_BENCH_CACHE", str(tmp_path / "cache"))
    outcome = command(
        "run", "--data", archive, "-o", tmp_path / "out", "--no-pdf",
        *tiny("data.source=manifest", "data.restricted=true", "training.networks=resnet50"),
    )  # fmt: skip
    looked = command("inspect", archive, "-o", tmp_path / "page.html")
    assert (outcome.code, looked.code) == (0, 0), outcome.err + looked.err
    texts = [outcome.out, outcome.err, looked.out, looked.err]
    files = [file for place in ("cache", "out") for file in (tmp_path / place).rglob("*")]
    contents = [file.read_bytes() for file in [*files, tmp_path / "page.html"] if file.is_file()]
    for name in NAMES:
        assert not any(name in text for text in texts), name
        assert not any(name.encode() in content for content in contents), name
    uid = re.compile(rb"1\.2\.826\.\d+\.\d+")
    assert not any(uid.search(content) for content in contents)


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
