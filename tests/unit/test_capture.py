from datetime import datetime

import numpy as np
import pytest
from pydicom import dcmread

from benchmark.asking.capture import write_capture
from cxr.errors import InputError
from tests.dicom_writer import phantom, write_dicom

NOW = datetime(2026, 1, 2, 3, 4, 5)
IDENTITY = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4", "PatientID": "p7"}


def test_a_capture_is_filed_beside_its_image(tmp_path):
    """Patient and study are the source's, the reference names it, and pixels come back."""
    source = write_dicom(
        tmp_path / "source.dcm", phantom(), PatientOrientation=["L", "F"], **IDENTITY
    )
    picture = np.random.default_rng(0).integers(0, 255, (31, 41, 3), dtype=np.uint8)
    path = tmp_path / "map.dcm"
    write_capture(path, source, picture, number=3, words="how it was made", now=NOW)
    given, written = dcmread(source), dcmread(path)
    np.testing.assert_array_equal(written.pixel_array, picture)
    assert (written.PatientID, written.StudyInstanceUID) == ("p7", "1.2.3")
    assert written.SeriesInstanceUID != given.SeriesInstanceUID
    (reference,) = written.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == given.SOPInstanceUID
    assert written.PatientOrientation == ["L", "F"]
    assert written.BurnedInAnnotation == "YES"
    assert "not for clinical use" in written.SeriesDescription
    assert written.InstanceNumber == 3


def test_an_image_without_identity_has_no_capture(tmp_path):
    """What can't be referred to is told, and nothing is written."""
    source = write_dicom(
        tmp_path / "source.dcm", phantom(), **IDENTITY | {"StudyInstanceUID": None}
    )
    with pytest.raises(InputError, match=r"source\.dcm: it has no StudyInstanceUID"):
        write_capture(
            tmp_path / "map.dcm", source, np.zeros((4, 4, 3), np.uint8), number=1, words="", now=NOW
        )
    assert not (tmp_path / "map.dcm").exists()
