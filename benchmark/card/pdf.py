"""The card on paper: tagged PDF/UA through WeasyPrint, which needs the Pango library.

WeasyPrint is imported when a PDF is made, so that everything else works without Pango.
"""

import logging
from pathlib import Path
from types import ModuleType

from benchmark.card.chai import render_chai
from benchmark.card.model import Card
from benchmark.card.render import render
from cxr.errors import InputError


def check_pdf() -> None:
    """Raise InputError where no PDF can be made here, with the ways out."""
    _weasyprint()


def render_pdf(card: Card, *, templates: Path | None = None) -> bytes:
    """Return the card as a tagged PDF/UA-1 file, the CHAI card in its metadata.

    Args:
        card: what it says, and on which paper.
        templates: a folder of the user's own, see `benchmark.card.pages`.

    Raises:
        InputError: Pango can't be loaded, or one of the user's templates is wrong.
    """
    weasyprint = _weasyprint()
    logging.getLogger("weasyprint").setLevel(logging.ERROR)  # it warns of CSS for screens
    embedded_only = weasyprint.URLFetcher(allowed_protocols=["data"])
    page = weasyprint.HTML(
        string=render(card, paper=True, templates=templates), url_fetcher=embedded_only
    )
    options = {"pdf_variant": "pdf/ua-1", "pdf_tags": True, "custom_metadata": True}
    document = page.render(**options)
    # Set here and not by <meta>, whose names lose their capitals.
    document.metadata.custom = {
        "chaiMcXml": render_chai(card),
        "chaiMcSoftwareId": f"cxr-bench {card.version}",
    }
    pdf: bytes = document.write_pdf(**options)
    return pdf


def _weasyprint() -> ModuleType:
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        raise InputError(
            f"no PDF can be made here: Pango can't be loaded ({_first_line(error)}). Install it "
            "(Debian, Ubuntu: apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0; "
            "macOS: brew install pango), or go without with --no-pdf."
        ) from error
    return weasyprint


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
