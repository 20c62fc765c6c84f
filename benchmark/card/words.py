"""How values are written: digits, intervals, percentages, p values, names.

A number is shown to the digits that its interval supports: two decimals, or three where the
95 % interval is narrower than 0.03. P values follow the AMA Manual of Style (11th ed., 19.5).
"""

import math
import re
from datetime import UTC, datetime

from cxr.estimates import Estimate

MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"
NOT_PROVIDED = "not provided"

_NETWORKS = {"densenet121": "DenseNet-121", "resnet50": "ResNet-50"}


def network_name(name: str) -> str:
    """Return the name that readers know a network by."""
    return _NETWORKS.get(name, name)


_TERMS = {
    "bce": "binary cross-entropy on logits, one output per observation",
    "weighted": "binary cross-entropy, positives weighted by rarity",
    "class-balanced": "class-balanced binary cross-entropy",
    "focal": "focal loss",
    "asymmetric": "asymmetric focal loss",
    "adam": "Adam",
    "adamw": "AdamW",
    "sgd": "SGD",
    "imagenet": "ImageNet",
    "gradcam": "Grad-CAM",
    "plateau": "reduced on a plateau of the validation loss",
    "squash": "squashed to a square",
    "letterbox": "padded to a square",
    "mimic-cxr": "MIMIC-CXR",
}


def term(text: str) -> str:
    """Return a setting's value as readers write it."""
    return _TERMS.get(text, text)


def friendly(text: str) -> str:
    """Return a sentence with the networks' proper names and true minus signs."""
    for name, proper in _NETWORKS.items():
        text = text.replace(name, proper)
    return re.sub(r"(?<![\w-])-(?=[\d.])", MINUS, text)


def moment(text: str) -> str:
    """Return an ISO 8601 time as a date and minute in UTC; other texts as they are."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    if when.tzinfo is not None:
        when = when.astimezone(UTC)
    return f"{when.day} {when:%B %Y, %H:%M} UTC"


def slug(text: str) -> str:
    """Return `text` as a word for ids, classes and links: lower case letters, digits, hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"


def decimals(estimate: Estimate) -> int:
    """Return how many decimals the interval supports; two where there is none."""
    width = estimate.high - estimate.low
    return 3 if width < 0.03 else 2


def ratio(value: float, places: int = 2) -> str:
    """Return a number with a fixed count of decimals and a true minus sign."""
    text = f"{value:.{places}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def signed(value: float, places: int = 2) -> str:
    """Return a difference with its sign, plus included."""
    text = ratio(value, places)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def count(value: float) -> str:
    """Return a whole number with commas between thousands; other numbers as they are."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def p_value(value: float) -> str:
    """Return a p value: below 0.001 and above 0.99 as that, else two decimals.

    Three below 0.01, and where two would hide on which side of 0.05 it lies.
    """
    if value < 0.001:
        return "<0.001"
    if value >= 0.995:
        return ">0.99"
    return f"{value:.3f}" if value < 0.01 or 0.045 <= value < 0.055 else f"{value:.2f}"


def percent(part: float, whole: float) -> str:
    """Return a share as a percentage; one decimal below 10 %."""
    if not whole:
        return ""
    share = 100 * part / whole
    shown = f"{share:.1f}" if 0 < share < 9.95 else f"{share:.0f}"
    return f"{shown}{SPACE}%"


def seconds(value: float) -> str:
    """Return a time in the unit a reader would choose."""
    if value < 120:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def listed(words: list[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def is_number(value: object) -> bool:
    """Whether `value` is a finite number (and no bool)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
