"""The run's figures as SVG files: the same drawings as in the card, for papers and slides.

Equal results give equal bytes: the drawings hold no date, no random id and no font outlines.
"""

from pathlib import Path

from benchmark.card import svg
from benchmark.card.build import build_charts
from benchmark.card.results import build_checkpoints, build_results
from benchmark.evidence import Evidence
from benchmark.runs import write_text


def draw_figures(run_folder: Path) -> list[Path]:
    """Write `figures/*.svg` into the run folder and return the files.

    Raises:
        InputError: no run folder, or a file in it that can't be read.
    """
    evidence = Evidence(run_folder)
    checkpoints = build_checkpoints(evidence)
    charts = build_charts(evidence, checkpoints, build_results(evidence, checkpoints))
    written = []
    for name, chart in charts.files().items():
        path = run_folder / "figures" / f"{name}.svg"
        write_text(path, svg.standalone(chart.svg) + "\n")
        written.append(path)
    return written
