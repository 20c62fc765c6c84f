import json
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from cxr.errors import InputError
from cxr.masks import decode_mask, read_masks
from cxr.observations import OBSERVATIONS
from cxr.synth import cohort as module
from cxr.synth.cohort import write_cohort, write_reports
from cxr.synth.phantom import render
from cxr.synth.sampling import sample_cohort

SETTINGS = {"studies": 9, "seed": 4, "size": 48, "conspicuity": 1.0}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort") / "synthetic"
    write_cohort(folder, **SETTINGS)  # type: ignore[arg-type]
    return folder


def contents(root: Path) -> dict[str, bytes]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_same_seed_same_bytes(root: Path, tmp_path: Path) -> None:
    """Two cohorts of one seed are equal to the byte, whatever the number of processes."""
    write_cohort(tmp_path / "again", **SETTINGS, jobs=2)  # type: ignore[arg-type]
    assert contents(tmp_path / "again") == contents(root)


def test_files_hold_the_rendered_pixels(root: Path) -> None:
    """Every file decodes to the phantom's pixels, inverted where white is stored as 0."""
    seen = set()
    for study in sample_cohort(SETTINGS["studies"], SETTINGS["seed"]):  # type: ignore[arg-type]
        for image in study.images:
            patient = study.patient.patient_id
            folder = root / "files" / f"p{patient[:2]}" / f"p{patient}" / f"s{study.study_id}"
            file = pydicom.dcmread(folder / f"{image.image_id}.dcm")
            pixels = file.pixel_array
            if file.PhotometricInterpretation == "MONOCHROME1":
                pixels = 4095 - pixels
            expected = render(study, image, size=48, conspicuity=1.0).pixels
            assert np.array_equal(pixels, expected)
            seen.add((file.file_meta.TransferSyntaxUID.name, file.PhotometricInterpretation))
    assert len({syntax for syntax, _ in seen}) == 3
    assert len({photometric for _, photometric in seen}) == 2


def test_headers_say_what_it_is(root: Path) -> None:
    """Headers carry view, sex, age and ids, and that nobody was X-rayed."""
    for path in root.rglob("*.dcm"):
        file = pydicom.dcmread(path, stop_before_pixels=True)
        assert file.Modality in ("CR", "DX")
        assert file.PatientName == "SYNTHETIC"
        assert file.Manufacturer == "cxr-bench synthetic phantom"
        assert file.ViewPosition in ("PA", "AP", "LL")
        assert file.PatientSex in ("F", "M")
        assert file.PatientAge.endswith("Y")
        assert file.BitsStored == 12
        assert path.parent.name == f"s{file.StudyID}"
        assert list(file.PatientOrientation) == (
            ["P", "F"] if file.ViewPosition == "LL" else ["L", "F"]
        )


def test_tables_have_mimics_columns(root: Path) -> None:
    """The tables' headers are those of MIMIC-CXR 2.0.0 and MIMIC-IV, one row per image."""
    metadata = pd.read_csv(root / "mimic-cxr-2.0.0-metadata.csv", dtype=str)
    split = pd.read_csv(root / "mimic-cxr-2.0.0-split.csv", dtype=str)
    patients = pd.read_csv(root / "patients.csv", dtype=str)
    assert ",".join(metadata) == (
        "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,"
        "Columns,StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,"
        "ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
    )
    assert list(split) == ["dicom_id", "study_id", "subject_id", "split"]
    assert ",".join(patients) == "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod"
    assert set(metadata["dicom_id"]) == {path.stem for path in root.rglob("*.dcm")}
    assert split.groupby("subject_id")["split"].nunique().max() == 1
    assert not patients["subject_id"].duplicated().any()


def test_a_patients_studies_follow_in_time(tmp_path: Path) -> None:
    """Study dates rise with the study's number."""
    for study in sample_cohort(300, 1):
        earlier = module._taken(study, study.images[0]).date
        later = module._taken(
            type(study)(**{**vars(study), "number": study.number + 1}), study.images[0]
        ).date
        assert earlier < later


def test_truth_stands_beside_the_images(root: Path) -> None:
    """Truth, meaning and masks name the same images and studies; masks only what is there."""
    truth = pd.read_csv(root / "truth" / "truth.csv", dtype={"study_id": str}).set_index("image_id")
    meant = pd.read_csv(root / "truth" / "meant.csv", dtype={"study_id": str})
    masks = read_masks(root / "truth" / "masks.json")
    assert list(truth)[1:] == list(OBSERVATIONS)
    assert set(meant) == {"study_id", *OBSERVATIONS}
    assert set(meant["study_id"]) == set(truth["study_id"])
    assert set(masks) == set(truth.index)
    for image_id, outlines in masks.items():
        for name, runs in outlines.items():
            assert truth.loc[image_id, name] == 1
            assert decode_mask(runs).any()


def test_every_study_has_a_report(root: Path) -> None:
    """Beside each study's folder lies its report."""
    folders = {path.parent for path in root.rglob("*.dcm")}
    assert len(folders) == SETTINGS["studies"]
    assert all(folder.with_suffix(".txt").read_text() for folder in folders)


def test_a_killed_job_does_not_look_whole(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an interrupt leaves has no SYNTHETIC.json, and the next try ends with the same bytes."""

    def interrupt(count: int) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        write_cohort(folder, **SETTINGS, progress=interrupt)  # type: ignore[arg-type]
    assert not (folder / "SYNTHETIC.json").exists()
    write_cohort(folder, **SETTINGS)  # type: ignore[arg-type]
    assert contents(folder) == contents(root)


def test_a_whole_cohort_is_left_alone(root: Path) -> None:
    """The same command on a whole cohort does nothing."""
    done: list[int] = []
    write_cohort(root, **SETTINGS, progress=done.append)  # type: ignore[arg-type]
    assert done == []


def test_other_contents_are_never_overwritten(root: Path, tmp_path: Path) -> None:
    """A cohort of other settings, and any other folder that is not empty, are refused."""
    with pytest.raises(InputError, match="other settings"):
        write_cohort(root, **{**SETTINGS, "seed": 5})  # type: ignore[arg-type]
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="something else is there"):
        write_cohort(tmp_path, **SETTINGS)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="studies is 0"):
        write_cohort(tmp_path / "none", **{**SETTINGS, "studies": 0})  # type: ignore[arg-type]


def test_settings_are_written_down(root: Path) -> None:
    """SYNTHETIC.json holds what the cohort was made with."""
    settings = json.loads((root / "SYNTHETIC.json").read_text())
    assert {name: settings[name] for name in SETTINGS} == SETTINGS
    assert settings["format"] == 1


def test_form_of_files_is_independent_of_findings() -> None:
    """Transfer syntax and photometric interpretation depend on the image id alone."""
    from cxr.synth.dicom_file import _form

    ids = [f"{number:08d}" for number in range(3000)]
    forms = [_form(image_id) for image_id in ids]
    assert forms == [_form(image_id) for image_id in ids]
    assert 0.3 < np.mean([inverted for _, inverted, _ in forms]) < 0.4
    assert 0.55 < np.mean([digital for *_, digital in forms]) < 0.65


def test_reports_alone(root: Path, tmp_path: Path) -> None:
    """Reports without images are the cohort's own, with what they mean."""
    write_reports(tmp_path / "reports", studies=9, seed=4)
    alone, whole = contents(tmp_path / "reports"), contents(root)
    texts = {name for name in alone if name.endswith(".txt")}
    assert len(texts) == 9
    assert all(alone[name] == whole[name] for name in texts)
    assert alone["truth/meant.csv"] == whole["truth/meant.csv"]
    assert not (tmp_path / "reports" / "SYNTHETIC.json").exists()
