"""From the typed card to HTML and Markdown.

Templates lay out and never compute; an undefined name is an error that tells template and line.
Everything is escaped: for HTML by Jinja2, for Markdown by `escape_markdown` as well.
"""

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub.utils import yaml_dump
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmark.card import svg
from benchmark.card.model import Card, Number
from benchmark.card.words import slug
from benchmark.locations import templates_folder

LIMIT_MB = 5


def render_html(card: Card) -> str:
    """Return the card as one self-contained HTML file, readable without scripts."""
    return render(card, paper=False)


def render(card: Card, *, paper: bool) -> str:
    """Return the card as HTML for the screen, or for the paper that the PDF is made of."""
    return render_page(
        "card.html.jinja",
        style="paper.css" if paper else "screen.css",
        script="" if paper else "card.js",
        card=card,
        paper=paper,
        points=_embedded(card),
    )


def render_page(template: str, *, style: str, script: str = "", **values: Any) -> str:
    """Return a template with its style and script inside, and their hashes for the CSP.

    Args:
        template: its file, from the templates' folder, as `style` and `script` are.
        style: a CSS file.
        script: a JavaScript file; empty for none.
        values: what the template names.
    """
    styles, scripts = _asset(style), _asset(script) if script else ""
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(styles),
            script=Markup(scripts),
            style_hash=_csp_hash(styles),
            script_hash=_csp_hash(scripts),
            rendering=rendering_digest(),
            **values,
        )
    )


@cache
def rendering_digest() -> str:
    """Return 12 hexadecimal digits of all that makes a page of a card: templates and code."""
    code = Path(__file__).parent
    files = [*code.glob("*.py"), *code.glob("*.toml"), *templates_folder().rglob("*.*")]
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.name):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def inert_json(values: Any) -> Markup:
    """Return `values` as JSON that can't end the HTML element it stands in."""
    text = json.dumps(values, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))


def render_markdown(card: Card) -> str:
    """Return the card as a Hugging Face model card: metadata with a model index, then text."""
    body = _markdown_environment().get_template("MODEL_CARD.md.jinja").render(card=card)
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


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["slot"] = svg.slot_class
    environment.filters["slug"] = slug
    environment.filters["swatch"] = lambda checkpoint: svg.swatch(checkpoint.slot)
    environment.filters["picture"] = _picture
    environment.tests["number"] = lambda value: isinstance(value, Number)
    return environment


def _markdown_environment() -> Environment:
    environment = _environment().overlay(finalize=escape_markdown)
    return environment


def _picture(drawing: Markup) -> str:
    """Return a chart as a data URI that carries its own style."""
    data = base64.b64encode(svg.standalone(drawing).encode()).decode()
    return f"data:image/svg+xml;base64,{data}"


def _asset(name: str) -> str:
    path: Path = templates_folder() / name
    return path.read_text(encoding="utf-8").strip()


def _csp_hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _embedded(card: Card) -> Markup:
    """Return the counts by threshold as JSON that can't end the element it stands in."""
    points = card.operating_points
    values = (
        None
        if points is None
        else {"thresholds": points.thresholds, "start": points.start, "counts": points.counts}
    )
    return inert_json(values)
