"""The card: one typed object built from a run folder, rendered as HTML, PDF and Markdown."""

from benchmark.card.build import build_card
from benchmark.card.chai import render_chai
from benchmark.card.model import Card
from benchmark.card.pdf import check_pdf, render_pdf
from benchmark.card.render import render_html, render_markdown

__all__ = [
    "Card",
    "build_card",
    "check_pdf",
    "render_chai",
    "render_html",
    "render_markdown",
    "render_pdf",
]
