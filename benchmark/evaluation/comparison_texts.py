"""A comparison as text: a table for the terminal, Markdown for a pull request, a page to open."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.card import words
from benchmark.card.comparing import build_comparison
from benchmark.card.render import render_page
from benchmark.card.results import build_checkpoints
from benchmark.evidence import Evidence
from benchmark.runs import write_json
from cxr.estimates import Estimate

Row = tuple[str, ...]

SYNTHETIC = "SYNTHETIC: phantom images; no figure here says anything about patients."
ONE_SEED = "One checkpoint of each network: another seed may turn a small difference round."
_RANK_HEAD = ("", "network", "macro AUROC")
_PAIRS_HEAD = ("networks", "macro difference", "p", "p (Holm)", "in words")


def render_comparison(document: Mapping[str, Any], form: str) -> str:
    """Return the document as text in one of `FORMATS`, without a line feed at the end."""
    return FORMATS[form](document)


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, allow_nan=False)


def _table(document: Mapping[str, Any]) -> str:
    blocks = [_aligned(head, rows) for head, rows in _tables(document)]
    return "\n\n".join([*_opening(document), *blocks])


def _markdown(document: Mapping[str, Any]) -> str:
    blocks = []
    for head, rows in _tables(document):
        lines = [head, ("---",) * len(head), *rows]
        blocks.append("\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines))
    return "\n\n".join(["### Comparison", *_opening(document), *blocks])


FORMATS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "table": _table,
    "json": _json,
    "markdown": _markdown,
}


def _opening(document: Mapping[str, Any]) -> list[str]:
    ranking = document.get("ranking")
    told = ranking["words"] if ranking else document["words"]
    cases = (
        f"{document['cases']} test images of {document['patients']} patients; margin "
        f"{document['margin']:g}."
    )
    return [*([SYNTHETIC] if document.get("synthetic") else []), f"{told} {cases}"]


def _tables(document: Mapping[str, Any]) -> list[tuple[Row, list[Row]]]:
    ranking = document.get("ranking")
    if not ranking:
        first, second = document["networks"]
        head = ("observation", first, second, "difference", "p", "p (Holm)", "in words")
        entries = {**document["observations"], "Macro average": document["macro"]}
        return [(head, [_pair_row(name, entry["auroc"]) for name, entry in entries.items()])]
    verdicts = {
        frozenset(pair["networks"]): pair["macro"]["auroc"]["verdict"] for pair in document["pairs"]
    }
    order: list[Row] = [
        (f"{place}.", entry["network"], _estimate(entry["auroc"]))
        for place, entry in enumerate(ranking["order"], 1)
    ]
    pairs: list[Row] = [
        (
            f"{pair['networks'][1]} less {pair['networks'][0]}",
            _estimate(pair["difference"], signed=True),
            _p(pair["p"]),
            _p(pair["p_holm"]),
            verdicts[frozenset(pair["networks"])],
        )
        for pair in ranking["pairs"]
    ]
    return [(_RANK_HEAD, order), (_PAIRS_HEAD, pairs)]


def _pair_row(name: str, entry: Mapping[str, Any]) -> Row:
    values = entry.get("values") or [None, None]
    return (
        name,
        *("" if value is None else f"{value:.3f}" for value in values),
        _estimate(entry["difference"], signed=True),
        _p(entry["p"]),
        _p(entry.get("p_holm")),
        entry["verdict"],
    )


def _estimate(values: Mapping[str, Any], *, signed: bool = False) -> str:
    found = Estimate.from_json(values)
    if not found.known:
        return ""
    sign = "+" if signed else ""
    if found.low != found.low:
        return f"{found.estimate:{sign}.3f}"
    return f"{found.estimate:{sign}.3f} [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"


def _p(value: float | None) -> str:
    return "" if value is None else words.p_value(value)


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def comparison_page(document: Mapping[str, Any]) -> str:
    """Return the comparison as one self-contained HTML page, made of the card's own section."""
    names = list(document["seeds"])
    entries = [{"name": name, "seed": 0, "folder": f"{name}/seed-0"} for name in names]
    with tempfile.TemporaryDirectory() as folder:  # the section reads a run folder
        write_json(Path(folder) / "run.json", {"networks": entries})
        write_json(Path(folder) / "comparison.json", dict(document))
        evidence = Evidence(Path(folder))
        comparison = build_comparison(evidence, build_checkpoints(evidence))
    seeds = {len(one) for one in document["seeds"].values()}
    told = f"{max(seeds)} seeds of each network." if min(seeds) > 1 else ONE_SEED
    return render_page(
        "comparison.html.jinja",
        style="screen.css",
        names=[words.network_name(name) for name in names],
        document=document,
        paper=False,
        card={
            "comparison": comparison,
            "external": None,
            "summary": {"seeds": told},
            "results": {"threshold": document["operating_point"]},
            "synthetic": document.get("synthetic", False),
        },
    )
