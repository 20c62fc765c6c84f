"""From the typed card to HTML and Markdown.

Everything is escaped: for HTML by Jinja2, for Markdown by `escape_markdown` as well.
"""

import re
from pathlib import Path
from typing import Any

from huggingface_hub.utils import yaml_dump
from markupsafe import Markup

from benchmark.card.model import Card
from benchmark.card.pages import environment, inert_json, render_page
from benchmark.card.words import slug

LIMIT_MB = 5


def render_html(card: Card, *, templates: Path | None = None) -> str:
    """Return the card as one self-contained HTML file, readable without scripts.

    Args:
        card: what it says.
        templates: a folder of the user's own, see `benchmark.card.pages`.

    Raises:
        InputError: one of the user's templates is wrong.
    """
    return render(card, paper=False, templates=templates)


def render(card: Card, *, paper: bool, templates: Path | None = None) -> str:
    """Return the card as HTML for the screen, or for the paper that the PDF is made of."""
    return render_page(
        "card.html.jinja",
        style="paper.css" if paper else "screen.css",
        script="" if paper else "card.js",
        templates=templates,
        card=card,
        paper=paper,
        points=_embedded(card),
    )


def render_markdown(card: Card) -> str:
    """Return the card as a Hugging Face model card: metadata with a model index, then text."""
    escaping = environment().overlay(finalize=escape_markdown)
    body = escaping.get_template("MODEL_CARD.md.jinja").render(card=card)
    metadata = yaml_dump(hub_metadata(card)).strip()
    return f"---\n{metadata}\n---\n\n{body}"


def hub_metadata(card: Card) -> dict[str, Any]:
    """Return Hugging Face's metadata: one model of the index per checkpoint.

    Only point estimates fit that form; the intervals stand in the text.
    """
    licence = next((f.value for f in card.owner if f.name == "Licence"), "")
    known = isinstance(licence, str) and re.fullmatch(r"[A-Za-z0-9.+-]+", licence)
    return {
        **({"license": str(licence).lower()} if known else {}),
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "language": "en",
        "tags": [
            "chest-x-ray",
            "radiology",
            "multi-label",
            "cxr-bench",
            *(["synthetic"] if card.synthetic else []),
        ],
        "metrics": ["roc_auc", "f1", "accuracy"],
        "model-index": _model_index(card),
    }


def _model_index(card: Card) -> list[dict[str, Any]]:
    index = []
    for place, checkpoint in enumerate(card.checkpoints):
        metrics = []
        for average in card.results.averages if card.results else ():
            scores = average.scores[place] if place < len(average.scores) else None
            for kind, name in (("auroc", "roc_auc"), ("f1", "f1"), ("accuracy", "accuracy")):
                number = getattr(scores, kind, None)
                if number is not None and number.value is not None:
                    label = f"{average.name} {kind.replace('auroc', 'AUROC')}"
                    value = float(f"{number.value:.6f}")
                    metrics.append({"type": name, "name": label, "value": value})
        if metrics:
            dataset = {"type": slug(card.cohort), "name": card.cohort, "split": "test"}
            task = {"type": "image-classification", "name": "multi-label classification"}
            result = {"task": task, "dataset": dataset, "metrics": metrics}
            index.append({"name": checkpoint.name, "results": [result]})
    return index


def escape_markdown(value: Any) -> Any:
    """Return text in which no character means anything to Markdown; other values as they are."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    flat = " ".join(value.split())
    return re.sub(r"([\\`*_\[\]|#~!])", r"\\\1", flat)


def _embedded(card: Card) -> Markup:
    """Return the counts by threshold as JSON that can't end the element it stands in."""
    points = card.operating_points
    values = (
        None
        if points is None
        else {"thresholds": points.thresholds, "start": points.start, "counts": points.counts}
    )
    return inert_json(values)
