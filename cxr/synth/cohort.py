"""Write a synthetic cohort in MIMIC-CXR's layout: DICOM files, reports, tables, and the truth.

    files/p10/p10000032/s50414267/<image_id>.dcm    files/p10/p10000032/s50414267.txt
    mimic-cxr-2.0.0-metadata.csv  mimic-cxr-2.0.0-split.csv  patients.csv (MIMIC-IV's)
    truth/truth.csv   image_id, study_id and the 14 observations, 0 or 1: what is there
    truth/meant.csv   study_id and the 14 labels that the report means to say (1, 0, -1, blank)
    truth/masks.json  where findings are seen (`cxr.masks`)
    truth/marks.json  where a planted shortcut is, if one was planted: image_id, "mark", runs
    SYNTHETIC.json    the settings; written last, so its presence says that the cohort is whole

Everything follows from the settings: the same seed gives the same bytes, whatever `jobs` is.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from cxr import __version__
from cxr.errors import InputError
from cxr.masks import Runs, encode_mask, write_masks
from cxr.observations import OBSERVATIONS
from cxr.parallel import run_parallel
from cxr.synth.dicom_file import Taken, write_dicom
from cxr.synth.narrator import narrate
from cxr.synth.phantom import check_settings, render
from cxr.synth.sampling import sample_cohort
from cxr.synth.shortcut import Shortcut, find_shortcut, plant
from cxr.synth.truth import Image, Study, true_observations

COHORT_VERSION = 5
"""Goes up when the same settings give other bytes."""

DONE = "SYNTHETIC.json"
MARKS = "marks.json"
_BEGUN = "SYNTHETIC.unfinished.json"
_TABLES = "mimic-cxr-2.0.0-{}.csv"
_MIMIC_LABELS = sorted(OBSERVATIONS)

Masks = dict[str, dict[str, Runs]]


def write_cohort(
    root: Path,
    *,
    studies: int,
    seed: int,
    size: int,
    conspicuity: float,
    shortcut: str = "",
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write a whole cohort to `root`, or finish one of the same settings that was begun there.

    Args:
        root: a folder that is new, empty, or holds such a cohort.
        studies: how many studies.
        seed: fixes everything.
        size: pixels a side, 32 to 4096.
        conspicuity: how visible findings are; 1 plain, 0 invisible, up to 2.
        shortcut: one of `cxr.synth.shortcut.SHORTCUTS`, to plant it; empty for none.
        jobs: processes.
        progress: called with the number of studies just written.

    Raises:
        InputError: a setting out of range, or the folder holds something else.
    """
    check_settings(size, conspicuity)
    settings = {
        "format": 1,
        "studies": studies,
        "seed": seed,
        "size": size,
        "conspicuity": conspicuity,
        "version": __version__,
        "cohort_version": COHORT_VERSION,
    }
    planted = find_shortcut(shortcut) if shortcut else None
    if shortcut:
        settings["shortcut"] = shortcut
    if not _begin(root, settings):
        return
    cohort = _sample(studies, seed)
    task = partial(_write_study, root=root, size=size, conspicuity=conspicuity, shortcut=planted)
    written = run_parallel(task, cohort, jobs=jobs, progress=progress)
    _write_tables(root, cohort, size)
    _write_truth(root, cohort)
    _write_csv(root / "truth" / "meant.csv", [meant for meant, _, _ in written])
    outlined = {image_id: runs for _, masks, _ in written for image_id, runs in masks.items()}
    write_masks(root / "truth" / "masks.json", outlined)
    if planted:
        marks = {image_id: runs for _, _, found in written for image_id, runs in found.items()}
        write_masks(root / "truth" / MARKS, marks)
    (root / _BEGUN).replace(root / DONE)


def write_reports(
    root: Path, *, studies: int, seed: int, progress: Callable[[int], None] | None = None
) -> None:
    """Write the reports of a cohort, and truth/meant.csv, without images or tables.

    Raises:
        InputError: the folder holds something else.
    """
    settings = {"format": 1, "studies": studies, "seed": seed, "reports_only": True}
    if _begin(root, settings):
        cohort = _sample(studies, seed)
        rows = []
        for study in cohort:
            rows.append(_write_report(root, study))
            if progress:
                progress(1)
        _write_csv(root / "truth" / "meant.csv", rows)
        (root / _BEGUN).replace(root / "REPORTS.json")


def _sample(studies: int, seed: int) -> list[Study]:
    if studies < 1:
        raise InputError(f"studies is {studies}; choose 1 or more.")
    try:
        return sample_cohort(studies, seed)
    except ValueError as error:
        raise InputError(str(error)) from error


def _begin(root: Path, settings: Mapping[str, object]) -> bool:
    """Prepare the folder; False where the cohort is there already, whole.

    The marker of a begun cohort is written first and becomes that of a finished one at the end,
    so that a killed job neither looks whole nor blocks the next try.
    """
    text = json.dumps(settings, indent=2) + "\n"
    for name, whole in ((DONE, True), ("REPORTS.json", True), (_BEGUN, False)):
        if (root / name).is_file():
            if (root / name).read_text(encoding="utf-8") == text:
                return not whole
            raise InputError(
                f"{root}: a synthetic cohort of other settings is there ({name}); choose another "
                "folder or delete it."
            )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root}: something else is there; choose a new or empty folder.")
    (root / "truth").mkdir(parents=True)
    (root / _BEGUN).write_text(text, encoding="utf-8")
    return True


def _study_folder(root: Path, study: Study) -> Path:
    patient = study.patient.patient_id
    return root / "files" / f"p{patient[:2]}" / f"p{patient}" / f"s{study.study_id}"


def _write_study(
    study: Study, *, root: Path, size: int, conspicuity: float, shortcut: Shortcut | None
) -> tuple[dict[str, object], Masks, Masks]:
    """Write one study's images and report; return what the report means, masks and marks."""
    folder = _study_folder(root, study)
    folder.mkdir(parents=True, exist_ok=True)
    masks: Masks = {}
    marks: Masks = {}
    for image in study.images:
        phantom = render(study, image, size=size, conspicuity=conspicuity)
        pixels = phantom.pixels
        if shortcut:
            present = bool(true_observations(study.findings)[shortcut.observation])
            pixels, mark = plant(pixels, image.image_id, shortcut=shortcut, present=present)
            if mark.any():
                marks[image.image_id] = {"mark": encode_mask(mark)}
        write_dicom(
            folder / f"{image.image_id}.dcm",
            study,
            image,
            _taken(study, image),
            pixels,
            spacing_mm=phantom.spacing_mm,
        )
        masks[image.image_id] = {
            name: encode_mask(phantom.masks[name]) for name in OBSERVATIONS if name in phantom.masks
        }
    return _write_report(root, study), masks, marks


def _write_report(root: Path, study: Study) -> dict[str, object]:
    """Write a study's report; return the row of meant.csv."""
    folder = _study_folder(root, study)
    folder.parent.mkdir(parents=True, exist_ok=True)
    narration = narrate(study)
    folder.with_suffix(".txt").write_text(narration.text, encoding="utf-8")
    meant = {name: narration.meant[name] for name in _MIMIC_LABELS}
    return {"study_id": study.study_id, **meant}


def _number(*parts: object, below: int) -> int:
    """Return a number that follows from `parts`."""
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") % below


def _anchor_year(study: Study) -> int:
    return 2110 + _number("year", study.patient.patient_id, below=85)


def _taken(study: Study, image: Image) -> Taken:
    """Return when the image was taken; a patient's studies follow one another in time."""
    patient = study.patient.patient_id
    day = _number("day", patient, below=200)
    day += sum(1 + _number("gap", patient, number, below=40) for number in range(study.number))
    date = pd.Timestamp(_anchor_year(study), 1, 1) + pd.Timedelta(days=day)
    second = 7 * 3600 + _number("time", study.study_id, below=14 * 3600)
    second += 60 * study.images.index(image)
    clock = f"{second // 3600:02d}{second // 60 % 60:02d}{second % 60:02d}"
    portable = image.view == "AP"
    return Taken(
        date=date.strftime("%Y%m%d"),
        time=f"{clock}.{_number('ms', image.image_id, below=1000):03d}",
        erect=not portable or _number("erect", study.study_id, below=3) == 0,
        procedure="CHEST (PORTABLE AP)" if portable else "CHEST (PA AND LAT)",
    )


def _write_tables(root: Path, cohort: Sequence[Study], size: int) -> None:
    """Write MIMIC-CXR's metadata and split tables and MIMIC-IV's patients table."""
    metadata, splits, patients = [], [], {}
    for study in cohort:
        person = study.patient
        year = _anchor_year(study)
        patients[person.patient_id] = {
            "subject_id": person.patient_id,
            "gender": person.sex,
            "anchor_age": person.age,
            "anchor_year": year,
            "anchor_year_group": "2011 - 2013",
            "dod": "",
        }
        for image in study.images:
            ids = {"subject_id": person.patient_id, "study_id": study.study_id}
            metadata.append({"dicom_id": image.image_id, **ids, **_metadata(study, image, size)})
            split = _official_split(person.patient_id)
            splits.append(
                {"dicom_id": image.image_id, **dict(reversed(ids.items())), "split": split}
            )
    _write_csv(root / _TABLES.format("metadata"), metadata)
    _write_csv(root / _TABLES.format("split"), splits)
    _write_csv(root / "patients.csv", list(patients.values()))


def _metadata(study: Study, image: Image, size: int) -> dict[str, object]:
    taken = _taken(study, image)
    views = {"PA": "postero-anterior", "AP": "antero-posterior", "LATERAL": "lateral"}
    return {
        "PerformedProcedureStepDescription": taken.procedure,
        "ViewPosition": image.view,
        "Rows": size,
        "Columns": size,
        "StudyDate": taken.date,
        "StudyTime": taken.time,
        "ProcedureCodeSequence_CodeMeaning": taken.procedure,
        "ViewCodeSequence_CodeMeaning": views[image.view],
        "PatientOrientationCodeSequence_CodeMeaning": "Erect" if taken.erect else "Recumbent",
    }


def _official_split(patient_id: str) -> str:
    place = _number("official split", patient_id, below=10)
    return {0: "validate", 1: "test"}.get(place, "train")


def _write_truth(root: Path, cohort: Sequence[Study]) -> None:
    rows = []
    for study in cohort:
        truth = true_observations(study.findings)
        present = {name: int(truth[name]) for name in OBSERVATIONS}
        rows += [
            {"image_id": image.image_id, "study_id": study.study_id, **present}
            for image in study.images
        ]
    _write_csv(root / "truth" / "truth.csv", rows)


def _write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    pd.DataFrame(rows).to_csv(path, index=False, lineterminator="\n")
