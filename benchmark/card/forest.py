"""AUROC of each observation and checkpoint with its 95 % interval: the study's Figure 3, honest.

Intervals are always drawn; where there is no estimate, its place says so. One drawing for wide
screens and paper, one for phones with the names above the marks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from benchmark.card import svg
from benchmark.card.model import Chart, Checkpoint, Number, ObservationResult

STEP = 13.0
"""Height of a checkpoint's row."""


@dataclass(frozen=True)
class Layout:
    """Where things stand, in view box units.

    Attributes:
        start: the AUROC at the left end of the axis; 1 stands at the right end.
        left, right: the ends of the axis.
        width: of the whole drawing.
        above: height that a name takes above its marks; 0 where it stands beside them.
    """

    start: float
    left: float
    right: float
    width: float
    above: float

    def across(self, value: float) -> float:
        """Return where an AUROC stands; those off the axis stand at its ends."""
        share = (min(max(value, self.start), 1.0) - self.start) / (1 - self.start)
        return self.left + share * (self.right - self.left)


def forest_chart(results: Sequence[ObservationResult]) -> Chart:
    """Draw the AUROC of each observation and checkpoint as markers with their intervals."""
    known = [r for r in results if any(s.auroc.value is not None for s in r.scores)]
    words = (
        f"Dot plot of the AUROC of {len(known)} observations with 95 % intervals; the numbers "
        "are those of the table of results."
    )
    start = _start(results)
    return Chart(
        slug="auroc",
        title="AUROC by observation",
        caption="Markers are estimates, lines their 95 % intervals over patients; "
        "the dashed line is chance.",
        alternative=words,
        svg=_draw(results, Layout(start, 180.0, 540.0, 690.0, 0.0), words, "chart forest"),
        narrow=_draw(results, Layout(start, 6.0, 246.0, 360.0, 15.0), words, "chart narrow"),
    )


def _start(results: Sequence[ObservationResult]) -> float:
    """A tenth that lies below everything drawn, chance included."""
    numbers = [n for r in results for s in r.scores for n in (s.auroc, s.auroc.low) if n]
    least = min([0.5, *(n.value for n in numbers if n.value is not None)])
    return float(max(0.0, np.floor(least * 10 - 0.5) / 10))


def _draw(results: Sequence[ObservationResult], layout: Layout, words: str, class_: str) -> Markup:
    rows = max((len(r.scores) for r in results), default=1)
    band = layout.above + 10.0 + STEP * rows
    bottom = 24.0 + band * len(results)
    parts = _axis(layout, bottom)
    for place, result in enumerate(results):
        top = 24.0 + band * place
        if place:
            parts.append(svg.line(0.0, top, layout.width, top, "grid"))
        level = top + layout.above if layout.above else top + band / 2 + 4
        parts.append(svg.text(0.0, level, result.name))
        for step, scores in enumerate(result.scores):
            y = top + layout.above + 11 + STEP * step
            parts.append(_mark(scores.checkpoint, scores.auroc, layout, y))
    return svg.canvas(layout.width, bottom + 36, *parts, alternative=words, class_=class_)


def _axis(layout: Layout, bottom: float) -> list[Markup]:
    parts = [svg.text(layout.width, 12.0, "AUROC (95 % interval)", "muted small end")]
    for tick in range(round(layout.start * 10), 11):
        x = layout.across(tick / 10)
        parts.append(svg.line(x, 20.0, x, bottom, "chance" if tick == 5 else "grid"))
        parts.append(svg.text(x, bottom + 14, f"{tick / 10:.1f}", "muted small mid"))
    middle = (layout.left + layout.right) / 2
    parts.append(svg.text(middle, bottom + 30, "AUROC (0.5: chance)", "muted mid"))
    return parts


def _mark(checkpoint: Checkpoint, number: Number, layout: Layout, y: float) -> Markup:
    if number.value is None:
        reason = number.reason.partition(" (")[0]
        said = svg.text(layout.width, y + 4, reason, "muted small end")
        return svg.element("g", said, data_net=checkpoint.slug)
    parts = []
    said = svg.sourced(number)
    low, high = number.low, number.high
    if low and high and low.value is not None and high.value is not None:
        ends = layout.across(low.value), layout.across(high.value)
        parts.append(svg.line(ends[0], y, ends[1], y, f"whisker {svg.slot_class(checkpoint.slot)}"))
        said += Markup(" (") + svg.sourced(low) + " to " + svg.sourced(high) + ")"
    parts.append(svg.marker(layout.across(number.value), y, checkpoint.slot))
    parts.append(svg.text(layout.width, y + 4, said, "small end"))
    return svg.element("g", *parts, data_net=checkpoint.slug)
