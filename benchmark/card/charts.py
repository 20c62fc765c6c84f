"""The card's charts, drawn from its own numbers and from the test scores.

ROC and precision-recall curves, training curves and confusion matrices; AUROC by observation is
drawn in `benchmark.card.forest`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from benchmark.card import svg
from benchmark.card.model import Chart, Checkpoint, Number, ObservationResult
from benchmark.card.words import ratio
from cxr.metrics import precision_recall_curve, roc_curve
from cxr.statistics import ratio_interval

PANEL = 190.0
"""Side of a curve's panel in view box units; the plot is 150 a side."""
_LEFT, _TOP, _SIDE = 30.0, 8.0, 150.0
GROUPS = 5
"""Groups of a reliability chart: few, so that each has an interval worth drawing."""


_Series = tuple[Checkpoint, str, NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Curve:
    """One checkpoint's test scores on one observation.

    Attributes:
        labels: (n,) bool; present, hedged counted so.
        scores: (n,) probabilities.
        patients: (n,) int; equal for images of one patient.
    """

    checkpoint: Checkpoint
    labels: NDArray[np.bool_]
    scores: NDArray[np.float64]
    patients: NDArray[np.intp]


def curve_chart(kind: str, observation: ObservationResult, curves: Sequence[Curve]) -> Chart:
    """The ROC ("roc") or precision-recall ("pr") curve of one observation."""
    parts = _square_axes(kind)
    shown = []
    estimable = any(scores.auroc.value is not None for scores in observation.scores)
    for curve in curves if estimable else ():
        if not curve.labels.any() or curve.labels.all():
            continue
        points = _roc_points(curve) if kind == "roc" else _pr_points(curve)
        class_ = f"line {svg.slot_class(curve.checkpoint.slot)}"
        parts.append(
            svg.path(
                [(_LEFT + x * _SIDE, _TOP + (1 - y) * _SIDE) for x, y in points],
                class_,
                svg.dash(curve.checkpoint.slot),
                data_net=curve.checkpoint.slug,
            )
        )
        shown.append(curve.checkpoint.name)
    if kind == "pr" and curves and len(curves[0].labels):
        y = _TOP + (1 - float(curves[0].labels.mean())) * _SIDE
        parts.insert(0, svg.line(_LEFT, y, _LEFT + _SIDE, y, "chance"))
    if not shown:
        parts.append(svg.text(_LEFT + _SIDE / 2, _TOP + _SIDE / 2, "not estimable", "muted mid"))
    name = "ROC" if kind == "roc" else "Precision-recall"
    words = f"{name} curves of {' and '.join(shown) or 'no checkpoint'} for {observation.name}."
    return Chart(
        slug=f"{kind}-{observation.slug}",
        title=observation.name,
        caption="",
        alternative=words,
        svg=svg.canvas(PANEL, PANEL, *parts, alternative=words, class_=f"chart {kind}"),
        observation=observation.name,
    )


def _roc_points(curve: Curve) -> list[tuple[float, float]]:
    false, true, _ = roc_curve(curve.labels, curve.scores)
    return list(zip(false.tolist(), true.tolist(), strict=True))


def _pr_points(curve: Curve) -> list[tuple[float, float]]:
    precision, recall, _ = precision_recall_curve(curve.labels, curve.scores)
    points = [(0.0, float(precision[0]))]
    for x, y in zip(recall.tolist(), precision.tolist(), strict=True):
        # Steps, not slopes: precision does not run straight between two operating points.
        points += [(x, points[-1][1]), (x, y)]
    return points


def reliability_chart(observation: ObservationResult, curves: Sequence[Curve]) -> Chart:
    """Share of positives against the mean score, in `GROUPS` groups of equally many cases."""
    parts = _square_axes("reliability")
    estimable = any(scores.auroc.value is not None for scores in observation.scores)
    for curve in curves if estimable else ():
        slot = curve.checkpoint.slot
        points = []
        for score, share, low, high in _reliability(curve):
            x, y = _LEFT + score * _SIDE, _TOP + (1 - share) * _SIDE
            points.append((x, y))
            ends = _TOP + (1 - low) * _SIDE, _TOP + (1 - high) * _SIDE
            whisker = svg.line(x, ends[0], x, ends[1], f"whisker thin {svg.slot_class(slot)}")
            mark = svg.marker(x, y, slot, 2.8)
            parts.append(svg.element("g", whisker, mark, data_net=curve.checkpoint.slug))
        class_ = f"line thin {svg.slot_class(slot)}"
        parts.append(svg.path(points, class_, svg.dash(slot), data_net=curve.checkpoint.slug))
    if not estimable:
        parts.append(svg.text(_LEFT + _SIDE / 2, _TOP + _SIDE / 2, "not estimable", "muted mid"))
    words = f"Reliability of the scores for {observation.name}: share present by mean score."
    return Chart(
        slug=f"reliability-{observation.slug}",
        title=observation.name,
        caption="",
        alternative=words,
        svg=svg.canvas(PANEL, PANEL, *parts, alternative=words, class_="chart reliability"),
        observation=observation.name,
    )


def _reliability(curve: Curve) -> list[tuple[float, float, float, float]]:
    """Mean score, share of positives and the ends of its interval, by group."""
    found = []
    for rows in np.array_split(np.argsort(curve.scores, kind="stable"), GROUPS):
        if not len(rows):
            continue
        patients = np.unique(curve.patients[rows], return_inverse=True)[1]
        whole = np.bincount(patients).astype(float)
        part = np.bincount(patients, weights=curve.labels[rows]).astype(float)
        ends = ratio_interval(part, whole)
        if np.isfinite([ends.low, ends.high]).all():
            share = float(curve.labels[rows].mean())
            found.append((float(curve.scores[rows].mean()), share, ends.low, ends.high))
    return found


def _square_axes(kind: str) -> list[Markup]:
    right, bottom = _LEFT + _SIDE, _TOP + _SIDE
    parts = []
    for tick in (0.0, 0.5, 1.0):
        x, y = _LEFT + tick * _SIDE, _TOP + (1 - tick) * _SIDE
        parts += [
            svg.line(x, _TOP, x, bottom, "grid"),
            svg.line(_LEFT, y, right, y, "grid"),
            svg.text(x, bottom + 12, f"{tick:g}", "muted small mid"),
            svg.text(_LEFT - 5, y + 3, f"{tick:g}", "muted small end"),
        ]
    names = {
        "roc": ("1 − specificity", "sensitivity"),
        "pr": ("recall", "precision"),
        "reliability": ("mean score", "share present"),
    }[kind]
    parts.append(svg.text(_LEFT + _SIDE / 2, bottom + 25, names[0], "muted small mid"))
    middle = _TOP + _SIDE / 2
    turned = f"rotate(-90 9 {middle:g})"
    parts.append(svg.text(9, middle, names[1], "muted small mid", transform=turned))
    if kind != "pr":
        parts.append(svg.line(_LEFT, bottom, right, _TOP, "chance"))
    return parts


def history_charts(histories: Sequence[tuple[Checkpoint, pd.DataFrame]]) -> tuple[Chart, ...]:
    """Loss and validation AUROC by epoch, one chart each."""
    charts = []
    for slug, title, columns in (
        ("loss", "Loss by epoch", (("train_loss", "training"), ("validation_loss", "validation"))),
        ("validation-auroc", "Validation macro AUROC by epoch", (("validation_auroc", ""),)),
    ):
        series = [
            (checkpoint, role, frame["epoch"].to_numpy(float), frame[column].to_numpy(float))
            for checkpoint, frame in histories
            for column, role in columns
            if column in frame and "epoch" in frame and frame[column].notna().any()
        ]
        if series:
            charts.append(_history_chart(slug, title, series))
    return tuple(charts)


def _history_chart(slug: str, title: str, series: Sequence[_Series]) -> Chart:
    values = np.concatenate([y[np.isfinite(y)] for *_, y in series])
    epochs = np.unique(np.concatenate([x for _, _, x, _ in series]))
    ticks = axis_ticks(float(values.min()), float(values.max()))
    left, top, width, height = 40.0, 8.0, 300.0, 150.0

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - epochs[0]) / max(1.0, epochs[-1] - epochs[0])
        return left + across * width, top + (ticks[-1] - y) / (ticks[-1] - ticks[0]) * height

    parts = []
    for tick in ticks:
        y = place(epochs[0], tick)[1]
        parts += [
            svg.line(left, y, left + width, y, "grid"),
            svg.text(left - 6, y + 3, f"{tick:g}", "muted small end"),
        ]
    for epoch in epochs[:: max(1, len(epochs) // 10)]:
        x = place(epoch, ticks[0])[0]
        parts.append(svg.text(x, top + height + 13, f"{epoch:g}", "muted small mid"))
    parts.append(svg.text(left + width / 2, top + height + 27, "epoch", "muted small mid"))
    for checkpoint, role, across, heights in series:
        points = [place(a, b) for a, b in zip(across, heights, strict=True) if np.isfinite(b)]
        class_ = f"line {svg.slot_class(checkpoint.slot)}" + (" thin" if role == "training" else "")
        parts.append(svg.path(points, class_, "2 3" if role == "training" else ""))
        if role != "training":
            parts += [svg.marker(a, b, checkpoint.slot, 2.6) for a, b in points]
    names = list(dict.fromkeys(checkpoint.name for checkpoint, *_ in series))
    words = f"{title} for {' and '.join(names)}, over {len(epochs)} epochs."
    solid = "Solid with markers: validation. Dotted: training." if slug == "loss" else ""
    return Chart(
        slug=slug,
        title=title,
        caption=solid,
        alternative=words,
        svg=svg.canvas(350, 190, *parts, alternative=words, class_="chart history"),
    )


def axis_ticks(low: float, high: float) -> list[float]:
    """Return about four round steps that hold low and high."""
    span = max(high - low, 1e-6)
    unit = 10 ** np.floor(np.log10(span / 3))
    step = next(s * unit for s in (1, 2, 5, 10) if span / (s * unit) <= 4)
    first, last = np.floor(low / step), np.ceil(high / step)
    return [round(float(n * step), 10) for n in np.arange(first, max(last, first + 1) + 1)]


def confusion_chart(results: Sequence[ObservationResult]) -> Chart | None:
    """Confusion matrices of every observation and checkpoint as tiles with their counts."""
    shown = [r for r in results if all(n.value is not None for s in r.scores for n in s.confusion)]
    if not shown:
        return None
    checkpoints = [s.checkpoint for s in shown[0].scores]
    columns = 3 if len(checkpoints) <= 2 else 1
    cell = 74.0 * len(checkpoints) + 16
    rows = -(-len(shown) // columns)
    parts: list[Markup] = []
    for place, result in enumerate(shown):
        x, y = (place % columns) * cell, (place // columns) * 88.0
        parts.append(svg.text(x, y + 12, result.name, "strong"))
        for step, scores in enumerate(result.scores):
            parts.extend(_matrix(x + 74 * step, y + 20, scores.checkpoint, scores.confusion))
    words = (
        f"Confusion matrices of {len(shown)} observations at the operating point: in each, "
        "the upper row is present (found, missed), the lower row absent (false alarm, left out)."
    )
    return Chart(
        slug="confusion",
        title="Confusion matrices",
        caption="Upper row: present (found, missed). Lower row: absent (false alarms, rightly "
        "left out). The darker a tile, the larger its share of the row.",
        alternative=words,
        svg=svg.canvas(
            columns * cell, rows * 88.0, *parts, alternative=words, class_="chart confusion"
        ),
    )


def _matrix(x: float, y: float, checkpoint: Checkpoint, cells: Sequence[Number]) -> list[Markup]:
    tp, fp, fn, tn = cells
    parts = []
    for number, other, column, row in (
        (tp, fn, 0, 0),
        (fn, tp, 1, 0),
        (fp, tn, 0, 1),
        (tn, fp, 1, 1),
    ):
        value = number.value or 0.0
        whole = value + (other.value or 0.0)
        left, top = x + 34.0 * column, y + 28.0 * row
        tile = svg.element(
            "rect",
            x=left,
            y=top,
            width=33,
            height=27,
            class_=f"tile {svg.slot_class(checkpoint.slot)}",
            fill_opacity=ratio(0.06 + 0.34 * value / whole if whole else 0.06),
        )
        parts += [tile, svg.text(left + 16.5, top + 17.5, svg.sourced(number), "small mid")]
    return parts
