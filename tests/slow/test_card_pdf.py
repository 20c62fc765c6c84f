"""The PDF card: tagged, embedded, marked, whole."""

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmark.card import build_card, render_pdf
from tests.card_fixture import write_run

pikepdf = pytest.importorskip("pikepdf", reason="pikepdf is not installed")


@pytest.fixture(scope="module")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("card")
    file = folder / "card.pdf"
    file.write_bytes(render_pdf(build_card(write_run(folder / "run"))))
    return file


def test_it_is_tagged_and_says_so(pdf: Path) -> None:
    """The file claims PDF/UA-1, has a language, a title that is shown, tags and bookmarks."""
    with pikepdf.open(pdf) as document:
        root = document.Root
        assert root.Lang == "en"
        assert root.MarkInfo.Marked
        assert root.ViewerPreferences.DisplayDocTitle
        assert "/StructTreeRoot" in root
        assert len(root.Outlines.keys()) > 0
        with document.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"
            assert metadata["dc:title"].startswith("DenseNet-121 and ResNet-50")


def test_the_chai_card_is_in_the_metadata(pdf: Path) -> None:
    """The Applied Model Card and the software's name stand under the keys that CHAI asks for."""
    with pikepdf.open(pdf) as document:
        assert str(document.docinfo["/chaiMcSoftwareId"]) == "cxr-bench 0.1.0"
        card = ElementTree.fromstring(str(document.docinfo["/chaiMcXml"]))
        assert card.tag.endswith("AppliedModelCard")


def test_every_figure_has_alternative_text(pdf: Path) -> None:
    """No figure in the structure is without words."""
    with pikepdf.open(pdf) as document:
        figures = [
            element
            for element in document.objects
            if isinstance(element, pikepdf.Dictionary) and element.get("/S") == "/Figure"
        ]
        assert len(figures) > 30
        assert all(str(figure.get("/Alt", "")) for figure in figures)


def test_every_table_has_headers(pdf: Path) -> None:
    """Each table of the structure holds header cells."""
    with pikepdf.open(pdf) as document:
        kinds = [
            str(element.get("/S"))
            for element in document.objects
            if isinstance(element, pikepdf.Dictionary) and "/S" in element
        ]
        assert kinds.count("/Table") >= 12
        assert kinds.count("/TH") > kinds.count("/Table")


def test_all_fonts_are_embedded(pdf: Path) -> None:
    """Each font travels with the file."""
    with pikepdf.open(pdf) as document:
        descriptors = [
            element
            for element in document.objects
            if isinstance(element, pikepdf.Dictionary) and element.get("/Type") == "/FontDescriptor"
        ]
        assert descriptors
        assert all(
            any(key in font for key in ("/FontFile", "/FontFile2", "/FontFile3"))
            for font in descriptors
        )


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="pdftotext is not installed")
def test_each_page_says_synthetic_and_its_number(pdf: Path) -> None:
    """Each page carries the run, the mark, and page x of y."""
    text = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True).stdout
    pages = text.split("\f")[:-1]
    assert len(pages) > 8
    for number, page in enumerate(pages, 1):
        assert "SYNTHETIC" in page
        assert "20260101T000000Z-abcd1234" in page
        assert re.search(rf"Page {number} of {len(pages)}\b", page)
