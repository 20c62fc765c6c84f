"""What the looks at pixels found: suspicions, and pictures of them and of every view."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from benchmark.inspection.model import Sheet, Suspicion
from cxr.dicom import load, quantize
from cxr.dicom.facts import Facts
from cxr.errors import RadiographError
from cxr.suspicions import CONSTANT, INVERTED, LATERAL, TEXT, Look

MOST_EXAMPLES = 12
SHEET = 18
_THUMBNAIL = 128
_SUSPICIONS = (
    (
        LATERAL,
        "A frontal image that looks like a lateral",
        "narrow, or unlike its mirror image; a white half of the chest looks so too",
    ),
    (INVERTED, "A frontal image that looks inverted", "its midline is darker than both lungs"),
    (CONSTANT, "An image that shows almost nothing", "one grey, or close to it"),
    (TEXT, "Burned-in text", "eight letters or more in line; a network may read it"),
)


@dataclass(frozen=True)
class Looks:
    """The images whose pixels were looked at.

    Attributes:
        rows: their rows in the study table.
        seen: what was measured on each, or its `problem`.
        name: what to call an image by its id.
    """

    rows: Sequence[int]
    seen: Sequence[dict[str, Any]]
    name: Callable[[str], str]

    @property
    def readable(self) -> list[int]:
        """The rows that could be read."""
        pairs = zip(self.rows, self.seen, strict=True)
        return [row for row, values in pairs if "problem" not in values]


def find_suspicions(
    table: pd.DataFrame, facts: Sequence[Facts], looks: Looks, *, hidden: bool
) -> tuple[Suspicion, ...]:
    """Return each kind of likely mistake with the first images that show it.

    Args:
        table: the study table.
        facts: of each of its rows.
        looks: at some of its rows.
        hidden: whether pictures are kept back.
    """
    views = table["view"].tolist()
    rows: dict[str, list[int]] = {kind: [] for kind, _, _ in _SUSPICIONS}
    for row, values in zip(looks.rows, looks.seen, strict=True):
        if "problem" not in values:
            for kind in Look(**values).suspicions(views[row]):
                rows[kind].append(row)
    unreadable = sorted(set(looks.rows) - set(looks.readable))
    annotated = [row for row, fact in enumerate(facts) if fact.annotated]
    odd = [(title, meaning, rows[kind]) for kind, title, meaning in _SUSPICIONS] + [
        ("Pixels that can't be read", "the run will leave them out", unreadable),
        ("A header that says text is burned in", "Burned In Annotation is YES", annotated),
    ]
    return tuple(
        Suspicion(
            title,
            meaning,
            count=len(found),
            images=_names(table, found[:MOST_EXAMPLES], looks),
            pictures=() if hidden else _pictures(table, found[:MOST_EXAMPLES], looks),
        )
        for title, meaning, found in odd
    )


def contact_sheets(table: pd.DataFrame, looks: Looks) -> tuple[Sheet, ...]:
    """Return images of each view, spread evenly over those that could be read."""
    readable = table.iloc[looks.readable].assign(row=looks.readable)
    sheets = []
    for view, images in readable.groupby("view"):
        spread = np.linspace(0, len(images) - 1, min(SHEET, len(images))).round().astype(int)
        chosen = images["row"].to_numpy()[spread].tolist()
        sheets.append(Sheet(str(view) or "unknown", _pictures(table, chosen, looks)))
    return tuple(sheets)


def _names(table: pd.DataFrame, rows: Sequence[int], looks: Looks) -> tuple[str, ...]:
    return tuple(looks.name(image_id) for image_id in table["image_id"].iloc[list(rows)])


def _pictures(
    table: pd.DataFrame, rows: Sequence[int], looks: Looks
) -> tuple[tuple[str, str], ...]:
    """Return (data URI, name) of the images that can be read."""
    shown = []
    for row, name in zip(rows, _names(table, rows, looks), strict=True):
        try:
            shown.append((_thumbnail(Path(table["image_path"].iloc[row])), name))
        except RadiographError:
            continue
    return tuple(shown)


def _thumbnail(path: Path) -> str:
    image = quantize(load(path, size=_THUMBNAIL, fit="letterbox"))
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode()}"
