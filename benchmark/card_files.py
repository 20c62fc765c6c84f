"""The card's files in a run folder: figures, HTML, Markdown, XML and PDF."""

from benchmark.card import build_card, render_chai, render_html, render_markdown, render_pdf
from benchmark.events import Events
from benchmark.figures import draw_figures
from benchmark.runs import Run, write_text


def write_card(work: Run, *, pdf: bool, events: Events) -> None:
    """Draw the figures and render the card in its four forms."""
    events.stage("Writing the card")
    draw_figures(work.path)
    card = build_card(work.path)
    write_text(work.path / "card.html", render_html(card))
    write_text(work.path / "MODEL_CARD.md", render_markdown(card))
    write_text(work.path / "card.chai.xml", render_chai(card))
    if pdf:
        (work.path / "card.pdf").write_bytes(render_pdf(card))
