"""An inspection as lines for the terminal and as a page."""

from benchmark.card.render import render_page
from benchmark.inspection.model import Inspection, Table

_WIDTH = 46


def as_html(inspection: Inspection) -> str:
    """Return the page: one file that needs no network."""
    return render_page("inspect.html.jinja", style="inspect.css", seen=inspection)


def as_text(inspection: Inspection) -> str:
    """Return what fits a terminal: the same counts without pictures."""
    synthetic = " (SYNTHETIC)" if inspection.synthetic else ""
    lines = [f"{inspection.title}: {inspection.source}{synthetic}", ""]
    lines += [f"  {name:<{_WIDTH}}{value:>10}" for name, value in inspection.totals]
    lines += [f"  {name}: {value}" for name, value in inspection.notes]
    for table in (*inspection.people, *inspection.files, inspection.exclusions):
        lines += _table(table)
    if inspection.labels:
        lines += ["", f"{'Labels, by image':<{_WIDTH - 10}}{'1':>8}{'-1':>8}{'0':>8}{'blank':>8}"]
        lines += [
            f"  {row.observation:<{_WIDTH - 12}}{row.positive:>8,}{row.uncertain:>8,}"
            f"{row.negative:>8,}{row.blank:>8,}"
            for row in inspection.labels
        ]
    lines += ["", "One picture in several places"]
    for found in inspection.duplicates:
        lines.append(f"  {found.title:<{_WIDTH}}{found.groups:>10,}")
        lines += [f"    {' = '.join(group)}" for group in found.examples[:3]]
    lines += ["", f"Worth a look (pixels of {inspection.looked:,} images)"]
    for odd in inspection.suspicions:
        lines.append(f"  {odd.title:<{_WIDTH}}{odd.count:>10,}")
        if odd.images:
            more = ", ..." if odd.count > 3 else ""
            lines.append(f"    {', '.join(odd.images[:3])}{more}")
    return "\n".join(lines)


def _table(table: Table) -> list[str]:
    if not table.rows:
        return []
    lines = ["", table.title]
    for row in table.rows:
        name = row.name if len(row.name) <= _WIDTH - 1 else row.name[: _WIDTH - 4] + "..."
        mark = "  !" if row.warn else ""
        lines.append(f"  {name:<{_WIDTH}}{row.count:>10,} {row.share:>6.1%}{mark}")
    if table.more:
        lines.append(f"  and {table.more:,} more")
    return lines
