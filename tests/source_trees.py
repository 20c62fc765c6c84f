"""Small trees in the true layout of each published set, with its own headers; images are noise."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.dicom_writer import phantom, write_dicom

NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
)
CHEXPERT_HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
    "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
    "Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
_VINDR_CLASSES = (
    "Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,"
    "Edema,Emphysema,Enlarged PA,ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,"
    "Mediastinal shift,Nodule/Mass,Pleural effusion,Pleural thickening,Pneumothorax,"
    "Pulmonary fibrosis,Rib fracture,Other lesion,COPD,Lung tumor,Pneumonia,Tuberculosis,"
    "Other diseases,No finding"
)
VINDR_CLASSES = _VINDR_CLASSES.split(",")
PADCHEST_HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,"
    "ViewPosition_DICOM,Projection,MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,"
    "PhotometricInterpretation_DICOM,PixelRepresentation_DICOM,PixelAspectRatio_DICOM,"
    "SpatialResolution_DICOM,BitsStored_DICOM,WindowCenter_DICOM,WindowWidth_DICOM,Rows_DICOM,"
    "Columns_DICOM,XRayTubeCurrent_DICOM,Exposure_DICOM,ExposureInuAs_DICOM,ExposureTime,"
    "RelativeXRayExposure_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,"
    "LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS"
)
OPENI_XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation>
   <uId id="CXR{uid}"/>
   <MedlineCitation><Article><Abstract>
     <AbstractText Label="COMPARISON">None.</AbstractText>
     <AbstractText Label="INDICATION">{indication}</AbstractText>
     <AbstractText Label="FINDINGS">{findings}</AbstractText>
     <AbstractText Label="IMPRESSION">{impression}</AbstractText>
   </Abstract></Article></MedlineCitation>
   <MeSH>{major}<automatic>edema</automatic></MeSH>
   <parentImage id="CXR{uid}_IM-0001-1001"><caption>{caption}</caption></parentImage>
</eCitation>
"""


def picture(path: Path, seed: int, *, rows: int = 24, columns: int = 20, bits: int = 8) -> Path:
    """Write a PNG or JPEG of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), phantom(rows, columns, bits, seed=seed))
    return path


def table(path: Path, lines: Sequence[str]) -> Path:
    """Write the lines of a CSV or a list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def write_nih(root: Path, patients: int = 3) -> Path:
    """Two images of each patient, the first with findings; a third of the patients is tested."""
    rows = [NIH_HEADER]
    lists: dict[str, list[str]] = {"train_val_list.txt": [], "test_list.txt": []}
    for patient in range(1, patients + 1):
        for follow, labels in enumerate(("Effusion|Nodule|Pleural_Thickening", "No Finding")):
            name = f"{patient:08}_{follow:03}.png"
            rows.append(
                f"{name},{labels},{follow},{patient},58,F,{'PA' if follow else 'AP'},"
                "2682,2749,0.143,0.143,"
            )
            picture(root / f"images_{1 + patient % 2:03}" / "images" / name, 10 * patient + follow)
            lists["train_val_list.txt" if patient % 3 else "test_list.txt"].append(name)
    table(root / "Data_Entry_2017.csv", rows)
    for name, names in lists.items():
        table(root / name, names)
    return root


def write_chexpert(root: Path, patients: int = 3, *, valid: int = 2, test: int = 0) -> Path:
    """A frontal and a lateral of each patient, with uncertain labels in the training part."""
    home, number = root / "CheXpert-v1.0-small", 0
    for part, count in (("train", patients), ("valid", valid), ("test", test)):
        rows = [CHEXPERT_HEADER]
        for _ in range(count):
            number += 1
            labels = "0.0," * 13 + "1.0" if part != "train" else ",,1.0,-1.0,,0.0" + "," * 8
            for view, side, position in ((1, "frontal", "AP"), (2, "lateral", "")):
                path = f"{part}/patient{number:05}/study1/view{view}_{side}.jpg"
                rows.append(
                    f"CheXpert-v1.0-small/{path},Female,68,{side.title()},{position},{labels}"
                )
                picture(home / path, 10 * number + view)
        if count:
            table(home / f"{part}.csv", rows)
    return root


def write_vindr(root: Path, images: int = 3, *, test: int = 2) -> Path:
    """DICOM images that three readers rated: Edema seen by one, effusion by two, nodule by all."""
    seen = {"Edema": 1, "Pleural effusion": 2, "Nodule/Mass": 3}
    rows = [f"image_id,rad_id,{','.join(VINDR_CLASSES)}"]
    for number in range(images):
        name = f"{number:032x}"
        _vindr_image(root / "train" / f"{name}.dicom", number)
        for reader in range(3):
            cells = ["1" if reader < seen.get(label, 0) else "0" for label in VINDR_CLASSES]
            rows.append(f"{name},R{reader + 1},{','.join(cells)}")
    table(root / "annotations" / "image_labels_train.csv", rows)
    renamed = [label.replace("Other diseases", "Other disease") for label in VINDR_CLASSES]
    rows = [f"image_id,{','.join(renamed)}"]
    for number in range(images, images + test):
        name = f"{number:032x}"
        _vindr_image(root / "test" / f"{name}.dicom", number)
        rows.append(f"{name},{'0,' * (len(VINDR_CLASSES) - 1)}1")
    table(root / "annotations" / "image_labels_test.csv", rows)
    return root


def _vindr_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dicom(path, phantom(24, 20, seed=seed), PatientSex="M", PatientAge="061Y")


def write_padchest(root: Path, rows: Sequence[dict[str, str]]) -> Path:
    """16-bit PNG in numbered folders, one for each row; a row gives cells by column."""
    columns = PADCHEST_HEADER.split(",")
    lines = [PADCHEST_HEADER]
    for number, given in enumerate(rows):
        name = f"2168{number:04}_abc.png"
        cells = {
            "ImageID": name,
            "ImageDir": str(number % 3),
            "StudyDate_DICOM": "20140915",
            "StudyID": f"s{number}",
            "PatientID": f"p{number}",
            "PatientBirth": "1930.0",
            "PatientSex_DICOM": "F",
            "Projection": "PA",
            "Labels": "\"['normal']\"",
            **given,
        }
        lines.append(",".join(cells.get(column, "") for column in columns))
        picture(root / cells["ImageDir"] / name, number, bits=16)
    table(root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", lines)
    return root


def write_openi_xml(root: Path, uid: int, **parts: str) -> Path:
    """One report as Open-i publishes it."""
    defaults = {
        "indication": "Cough.",
        "findings": "",
        "impression": "",
        "caption": "",
        "major": "<major>normal</major>",
    }
    path = root / "ecgen-radiology" / f"{uid}.xml"
    return table(path, [OPENI_XML.format(uid=uid, **{**defaults, **parts})])


def write_openi(root: Path, patients: int = 3) -> Path:
    """Kaggle's CSV form: a frontal and a lateral PNG of each report."""
    reports = ["uid,MeSH,Problems,image,indication,comparison,findings,impression"]
    projections = ["uid,filename,projection"]
    for uid in range(1, patients + 1):
        mesh = "Cardiomegaly/borderline;Thickening/pleura" if uid % 2 else "normal"
        text = "Heart is enlarged." if uid % 2 else "No acute disease."
        reports.append(f"{uid},{mesh},x,Xray Chest PA and Lateral,Cough.,None.,{text},")
        for number, side in ((1001, "Frontal"), (2001, "Lateral")):
            name = f"{uid}_IM-0001-{number}.dcm.png"
            projections.append(f"{uid},{name},{side}")
            picture(root / "images" / "images_normalized" / name, 10 * uid + number % 1000)
    table(root / "indiana_reports.csv", reports)
    table(root / "indiana_projections.csv", projections)
    return root


def labels_of(row: object, *names: str) -> list[float]:
    """Return some labels of a study table's row."""
    return [float(np.asarray(row[name])) for name in names]  # type: ignore[index]
