"""A finished run's card made anew: a new edition beside the run's own, which stays as it is."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmark.card import (
    Card,
    build_card,
    render_chai,
    render_html,
    render_markdown,
    render_pdf,
)
from benchmark.reviewing.folder import Reviews
from benchmark.runs import Run, replacing, write_text

HISTORY = "history"


@dataclass(frozen=True)
class Look:
    """How a card is laid out.

    Attributes:
        pdf: make the PDF too.
        templates: a folder whose templates take the place of ours; None for ours.
        paper: "a4" or "letter"; empty for what the run says.
    """

    pdf: bool
    templates: Path | None = None
    paper: str = ""


def write_edition(run: Run, why: Sequence[str], *, now: datetime, look: Look) -> Path:
    """Render the card of a finished run anew into its `reviews/`, and note it in the history.

    Args:
        run: finished.
        why: what is new, in sentences.
        now: UTC.
        look: how it is laid out.

    Returns:
        The folder that holds it.

    Raises:
        InputError: the card can't be made; the edition before stays.
    """
    reviews = Reviews(run)
    before = reviews.records(HISTORY)
    number = len(before) + 2  # the run's own card is the first edition
    edition = {"edition": number, "date": f"{now:%Y-%m-%dT%H:%M:%SZ}", "why": list(why)}
    reviews.put_records(HISTORY, [*before, edition])
    try:
        write_card_files(build_card(run.path), reviews.path, look)
    except BaseException:
        reviews.put_records(HISTORY, before)
        raise
    reviews.seal()
    return reviews.path


def write_card_files(card: Card, folder: Path, look: Look) -> None:
    """Write a card in its forms: HTML, Markdown, XML and, where it is asked for, PDF.

    Raises:
        InputError: a template of the user's is wrong; nothing is written then.
    """
    card = dataclasses.replace(card, paper=look.paper or card.paper)
    page = render_html(card, templates=look.templates)
    content = render_pdf(card, templates=look.templates) if look.pdf else None
    write_text(folder / "card.html", page)
    write_text(folder / "MODEL_CARD.md", render_markdown(card))
    write_text(folder / "card.chai.xml", render_chai(card))
    if content is None:
        (folder / "card.pdf").unlink(missing_ok=True)  # that of an older edition
        return
    with replacing(folder / "card.pdf") as part:
        part.write_bytes(content)
