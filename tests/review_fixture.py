"""A made-up `reviews/` folder in the documented shapes; `text` stands in every free text."""

import json
from pathlib import Path
from typing import Any

EDGE = {"estimate": 0.5, "low": 0.2, "high": 0.8}
MEASURED = {name: EDGE for name in ("sensitivity", "specificity", "kappa")}
AGREED = {name: EDGE for name in ("percent", "fleiss", "gwet")}
JUDGED: dict[str, Any] = {
    "maps": 4,
    "answers": {"well": 1, "partly": 1, "not at all": 1, "no finding": 1},
    "confirmed": EDGE,
    "touched": EDGE,
    "believed": {"estimate": 0.5, "reason": "one patient"},
}


def write_reviews(run: Path, text: str) -> None:
    """Write what readers' files turn into beside a made-up run."""
    reader = {
        "reader": text,
        "role": text,
        "finished": text,
        "cases": 3,
        "seconds": 9.5,
        "comments": 1,
        "boxes": 2,
    }
    common = {"digest": "0" * 64, "cases": 3, "patients": 3, "sampling": text}
    edema = {
        "answers": {"present": 1, "absent": 1, "unsure": 1},
        "agreement": AGREED,
        "pairs": [{"readers": [text, text], "kappa": EDGE}],
        "against": {"labels": MEASURED, "truth": MEASURED, "densenet121/seed-0": MEASURED},
    }
    weights = {"low": 1.0, "high": 2.0}
    blind = common | {
        "weights": weights,
        "readers": [reader],
        "observations": {"Edema": edema},
    }
    judged = {"densenet121/seed-0": {"Edema": JUDGED, "all": JUDGED}}
    maps = common | {"readers": [reader, reader], "agreement": AGREED, "networks": judged}
    signed = dict.fromkeys(("name", "role", "date", "decision", "remarks"), text)
    folder = run / "reviews"
    folder.mkdir()
    for name, content in (
        ("review", {"schema": 1, "blind": [blind], "maps": [maps]}),
        ("signoffs", [signed]),
        ("history", [{"edition": 2, "date": text, "why": [text]}]),
    ):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
