"""More than two networks in the order of their macro AUROC, as in a critical difference diagram.

Each network is a row with its estimate and interval; a bar joins networks of which no two are
shown to differ.
"""

from collections.abc import Callable, Sequence

import numpy as np
from markupsafe import Markup

from benchmark.card import svg, words
from benchmark.card.model import Chart, Checkpoint, Number
from benchmark.card.numbers import estimate
from benchmark.evidence import Evidence

SOURCE = "comparison.json#ranking"
STEP = 24.0
"""Height of a row, in view box units."""
LEFT, RIGHT, WIDTH = 190.0, 520.0, 690.0
BARS = 12.0
"""Width that each bar of a group takes, left of the axis."""


def ranking_chart(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> Chart | None:
    """Draw the order of the networks; None where two or fewer were compared."""
    order = evidence.value(f"{SOURCE}.order")
    if not order:
        return None
    names = [str(entry["network"]) for entry in order]
    numbers = [estimate(evidence, f"{SOURCE}.order.{place}.auroc") for place in range(len(names))]
    groups = evidence.value(f"{SOURCE}.groups") or []
    told = words.friendly(str(evidence.value(f"{SOURCE}.words") or ""))
    slots = [slot_of(checkpoints, name) for name in names]
    return Chart(
        slug="ranking",
        title="The networks in order",
        caption="Macro AUROC with its 95 % interval over patients; a bar on the left joins "
        "networks of which no two are shown to differ "
        f"({evidence.value(f'{SOURCE}.adjustment')}).",
        alternative=told,
        svg=_draw(names, numbers, slots, groups, told),
    )


def slot_of(checkpoints: Sequence[Checkpoint], network: str) -> int:
    """Return the colour and marker of a network: those of its first checkpoint."""
    return next((c.slot for c in checkpoints if c.folder.startswith(f"{network}/")), 1)


def _draw(
    names: Sequence[str],
    numbers: Sequence[Number],
    slots: Sequence[int],
    groups: Sequence[Sequence[str]],
    told: str,
) -> Markup:
    start = LEFT + BARS * len(groups)
    ends = [n.value for number in numbers for n in (number, number.low, number.high) if n]
    known = [value for value in ends if value is not None] or [0.5]
    low = float(np.floor(min(known) * 20 - 0.2) / 20)
    high = min(1.0, float(np.ceil(max(known) * 20 + 0.2) / 20))

    def across(value: float) -> float:
        return start + (value - low) / (high - low) * (RIGHT - start)

    bottom = 24.0 + STEP * len(names)
    parts = [svg.text(WIDTH, 12.0, "Macro AUROC (95 % interval)", "muted small end")]
    for tick in range(round(low * 20), round(high * 20) + 1):
        x = across(tick / 20)
        parts.append(svg.line(x, 20.0, x, bottom, "grid"))
        parts.append(svg.text(x, bottom + 14, f"{tick / 20:.2f}", "muted small mid"))
    for place, name in enumerate(names):
        y = 24.0 + STEP * (place + 0.5)
        parts.append(svg.text(0.0, y + 4, f"{place + 1}. {words.network_name(name)}"))
        parts += _mark(numbers[place], slots[place], across, y)
    for place, group in enumerate(groups):
        rows = [names.index(name) for name in group]
        x = LEFT + BARS * place
        top, end = (24.0 + STEP * (row + 0.5) for row in (min(rows), max(rows)))
        parts.append(svg.line(x, top - 6, x, end + 6, "joined"))
    return svg.canvas(WIDTH, bottom + 22, *parts, alternative=told, class_="chart ranking")


def _mark(number: Number, slot: int, across: Callable[[float], float], y: float) -> list[Markup]:
    if number.value is None:
        return [svg.text(WIDTH, y + 4, number.reason.partition(" (")[0], "muted small end")]
    parts, said = [], svg.sourced(number)
    low, high = number.low, number.high
    if low and high and low.value is not None and high.value is not None:
        ends = across(low.value), across(high.value)
        parts.append(svg.line(ends[0], y, ends[1], y, f"whisker {svg.slot_class(slot)}"))
        said += Markup(" (") + svg.sourced(low) + " to " + svg.sourced(high) + ")"
    parts.append(svg.marker(across(number.value), y, slot))
    return [*parts, svg.text(WIDTH, y + 4, said, "small end")]
