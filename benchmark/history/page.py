"""Histories as one self-contained HTML page, and as a table for the terminal."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from benchmark.card import svg
from benchmark.card.charts import axis_ticks
from benchmark.card.model import Chart, Number
from benchmark.card.render import render_page
from benchmark.card.words import slug
from benchmark.history.series import MACRO, ROWS, History
from benchmark.runs import write_text
from cxr import __version__

NAMES = {"auroc": "AUROC", "f1": "F1", "npv": "NPV", "mcc": "MCC", "brier": "Brier score"}
"""Metrics whose name is no plain word."""

_WIDTH, _HEIGHT, _LEFT, _TOP = 220.0, 110.0, 30.0, 8.0


def metric_name(metric: str) -> str:
    """Return a metric's name for people, such as "average precision"."""
    return NAMES.get(metric, metric.replace("_", " "))


def write_histories(path: Path, histories: Sequence[History], *, metric: str) -> None:
    """Write the page; it needs no network.

    Args:
        path: HTML file to write.
        histories: one for each protocol.
        metric: what the numbers are, as in metrics.json.
    """
    shown = []
    for history in histories:
        charts = {row: history_chart(history, row, metric) for row in ROWS}
        drawn = [chart for chart in charts.values() if chart]
        shown.append((history, drawn, [row for row, chart in charts.items() if not chart]))
    page = render_page(
        "history.html.jinja",
        style="screen.css",
        histories=shown,
        metric=metric_name(metric),
        synthetic=any(history.synthetic for history in histories),
        runs=sum(len(history.versions) for history in histories),
        version=__version__,
        paper=False,
        MACRO=MACRO,
        rows=ROWS,
    )
    write_text(path, page)


def terminal_table(histories: Sequence[History], *, metric: str) -> str:
    """Return the macro mean of every run and network, one protocol after the other."""
    blocks = []
    for history in histories:
        rows = [("run", "finished", "network", f"macro {metric_name(metric)}")]
        rows += [
            (version.run_id, version.finished, point.checkpoint.name, _plain(point.numbers[MACRO]))
            for version in history.versions
            for point in version.points
        ]
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        mark = " (SYNTHETIC)" if history.synthetic else ""
        lines = [f"{history.protocol}: {history.cohort}{mark}"]
        lines += [
            "  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _plain(number: Number) -> str:
    if number.low and number.high:
        return f"{number.text} [{number.low.text}, {number.high.text}]"
    return number.text or number.reason


def history_chart(history: History, row: str, metric: str) -> Chart | None:
    """Draw a metric of one observation (or the macro mean) over the runs; None without numbers.

    Runs stand at equal distances in the order in which they were finished: what is between two
    of them is work, not time.
    """
    series = {
        checkpoint.slug: [
            (place, point.numbers[row])
            for place, version in enumerate(history.versions)
            for point in version.points
            if point.checkpoint == checkpoint and point.numbers[row].value is not None
        ]
        for checkpoint in history.checkpoints
    }
    drawn = [number for points in series.values() for _, number in points]
    if not drawn:
        return None
    values = [one.value for number in drawn for one in (number, number.low, number.high) if one]
    heights = [value for value in values if value is not None]
    ticks = axis_ticks(min(heights), max(heights))
    title = "Macro mean" if row == MACRO else row
    words = f"{title}: {metric_name(metric)} over {len(history.versions)} runs; see the table."
    parts = _axes(ticks, len(history.versions))
    for checkpoint in history.checkpoints:
        shift = 3.0 * (checkpoint.slot - (len(history.checkpoints) + 1) / 2)
        parts += _line(
            series[checkpoint.slug], checkpoint.slot, ticks, len(history.versions), shift
        )
    return Chart(
        slug=slug(f"{history.protocol}-{row}"),
        title=title,
        caption="",
        alternative=words,
        svg=svg.canvas(
            _LEFT + _WIDTH + 8,
            _TOP + _HEIGHT + 18,
            *parts,
            alternative=words,
            class_="chart history",
        ),
    )


def _axes(ticks: Sequence[float], runs: int) -> list[Markup]:
    parts = []
    for tick in ticks:
        y = _down(tick, ticks)
        parts += [
            svg.line(_LEFT, y, _LEFT + _WIDTH, y, "grid"),
            svg.text(_LEFT - 5, y + 3, f"{tick:g}", "muted small end"),
        ]
    step = max(1, -(-runs // 10))
    parts += [
        svg.text(_across(place, runs), _TOP + _HEIGHT + 13, str(place + 1), "muted small mid")
        for place in range(0, runs, step)
    ]
    return parts


def _line(
    points: Sequence[tuple[int, Number]], slot: int, ticks: Sequence[float], runs: int, shift: float
) -> list[Markup]:
    """A line through a network's points; whiskers are their intervals."""
    class_ = svg.slot_class(slot)
    places = [(_across(place, runs) + shift, number) for place, number in points]
    parts = []
    for x, number in places:
        low, high = number.low, number.high
        if low and high and low.value is not None and high.value is not None:
            ends = _down(low.value, ticks), _down(high.value, ticks)
            parts.append(svg.line(x, ends[0], x, ends[1], f"whisker thin {class_}"))
    dots = [(x, _down(number.value, ticks)) for x, number in places if number.value is not None]
    parts.append(svg.path(dots, f"line {class_}", svg.dash(slot)))
    return parts + [svg.marker(x, y, slot, 3) for x, y in dots]


def _across(place: int, runs: int) -> float:
    return _LEFT + (place + 0.5) / runs * _WIDTH


def _down(value: float, ticks: Sequence[float]) -> float:
    return _TOP + (ticks[-1] - value) / (ticks[-1] - ticks[0]) * _HEIGHT
