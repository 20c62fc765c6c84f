"""Make README.md and coverage.svg of this folder from the simulations' tables.

    python results/gate/page.py

The tables: rates.csv by `tests/slow/gate_model.py`, and the published coverage table by
`tests/slow/coverage_model.py`; both modules state their model and how they are run.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from benchmark.card import svg
from cxr.statistics import Coverage, coverage_table

HERE = Path(__file__).parent
SUPPORTS = (3, 5, 10, 20, 40, 100, 400)
LINES = (
    "DeLong clustered by patient, moderated, logit t",
    "bootstrap over patients, BCa",
    "bootstrap over patients, percentile",
    "DeLong by image, Wald",
)
SAMPLES = {"same": "the same test cases (paired)", "other": "other patients (unpaired)"}


def main() -> None:
    """Write both files."""
    with (HERE / "rates.csv").open(encoding="utf-8") as stream:
        rates = list(csv.DictReader(stream))
    (HERE / "coverage.svg").write_text(svg.standalone(drawing()) + "\n", encoding="utf-8")
    (HERE / "README.md").write_text("\n".join(page(rates)) + "\n", encoding="utf-8")


def page(rates: Sequence[dict[str, str]]) -> Iterator[str]:
    """Yield the lines of README.md."""
    yield TOP
    yield "| truth | cases | margin | trials | fail | pass | inconclusive | a macro test can fail |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in rates:
        truth = "another seed" if row["drop"] == "0.0" else f"a drop of {float(row['drop']):g}"
        if row["seed_shift"] != "0.0":
            truth += f" with a common effect (SD {row['seed_shift']})"
        shares = [f"{100 * int(row[word]) / int(row['trials']):.1f} %" for word in WORDS]
        cells = (truth, SAMPLES[row["sample"]], f"{float(row['margin']):g}", row["trials"], *shares)
        yield f"| {' | '.join(cells)} | {100 * float(row['theory']):.1f} % |"
    yield THEORY.format(
        paired=_error(rates, "same"), unpaired=_error(rates, "other"), trials=rates[0]["trials"]
    )
    yield COVERAGE.format(sets=f"{coverage_table()[0].sets:,}")
    yield "| metric | scenario, truth | " + " | ".join(map(str, SUPPORTS)) + " |"
    yield "| --- | --- |" + " --- |" * len(SUPPORTS)
    for metric, scenario, truth in _designs():
        chosen = [row for row in _rows(metric, scenario, truth) if row.chosen]
        shown = {row.positive_patients: f"{100 * row.coverage:.1f}" for row in chosen}
        about = f"{scenario}, {truth:g}" if metric == "auroc" else scenario
        cells = " | ".join(shown.get(support, "") for support in SUPPORTS)
        yield f"| {metric.replace('_', ' ')} | {about} | {cells} |"
    few = [
        row.coverage
        for row in coverage_table()
        if row.metric == "auroc" and row.method == LINES[2] and row.positive_patients <= 10
    ]
    yield END.format(low=f"{100 * min(few):.0f}", high=f"{100 * max(few):.0f}")


WORDS = ("fail", "pass", "inconclusive")

TOP = """\
# Does the gate cry wolf, and do the intervals cover?

Simulated, on score tables alone: nothing was trained, and no figure here says anything about
patients or about a network. Made by `python results/gate/page.py` from `rates.csv` and the
published coverage table.

## The gate against a baseline

The model (`tests/slow/gate_model.py`): 441 test images of 80 patients, the study's number, with
prevalences near MIMIC-CXR's; binormal scores, half of whose variance is the patient's; two
networks' scores correlate 0.7 given the truth. Training with another seed moves each
observation's AUROC by a normal error of 0.007, the largest between-seed SD of DenseNet-121 on
MIMIC-CXR (CheXclusion, Seyyed-Kalantari et al. 2021, five seeds). A drop lowers every AUROC.
Short training moves all observations at once: over three seeds of the synthetic default, the
macro AUROC of ResNet-50 was 0.832, 0.808 and 0.830 (SD 0.013); two rows have that on top.
"""

THEORY = """
The last column is the share that a one-sided test at 2.5 % of the macro mean alone can fail, if it
knew the true error: Phi((drop - margin) / SD - 1.96), with the SD of the macro difference over the
trials ({paired} on the same cases, {unpaired} on others, without a common effect). The gate may
exceed it, for it also fails where a single observation is lower after Holm's adjustment; that is
why up to 5 % of false alarms are allowed in all, 2.5 % for either. With {trials} trials a share
of 5 % is known to +-1.4 points. A drop equal to the margin is the limit of what is allowed, and
fails as seldom. What another training seed changes is no part of the test: it knows the chance of
other patients alone. A margin well above what seeds do is what keeps it from failing.
"""

COVERAGE = """\
## The intervals

Share of {sets} simulated test sets whose 95 % interval holds the truth, for the methods that the
product uses, by positive patients (`tests/slow/coverage_model.py` states the model; the whole
table, other methods included, is `cxr/statistics/coverage.csv`). In "missed", 30 % of sick
patients score like healthy ones.
"""

END = """
![Coverage of the AUROC's interval by positive patients](coverage.svg)

Where patients are few, the intervals of AUROC cover more than 95 %: too careful rather than too
sure. The percentile bootstrap covers {low} to {high} % at 3 to 10 positive patients. A difference
of two AUROCs is given from 10 positive patients on; so is every estimate by default
(`evaluation.min_patients`)."""


def _error(rates: Sequence[dict[str, str]], sample: str) -> str:
    spreads = [
        float(row["macro_spread"])
        for row in rates
        if row["sample"] == sample and row["seed_shift"] == "0.0"
    ]
    return f"{np.mean(spreads):.3f}"


def _designs() -> list[tuple[str, str, float]]:
    seen = dict.fromkeys(
        (row.metric, row.scenario, row.truth if row.metric == "auroc" else 0.0)
        for row in coverage_table()
        if row.chosen
    )
    return list(seen)


def _rows(metric: str, scenario: str, truth: float) -> list[Coverage]:
    return [
        row
        for row in coverage_table()
        if (row.metric, row.scenario) == (metric, scenario)
        and (metric != "auroc" or row.truth == truth)
    ]


def drawing() -> Markup:
    """Draw coverage against positive patients for an AUROC of 0.8, method by method."""
    left, top, width, height = 40.0, 12.0, 380.0, 210.0

    def place(support: int, coverage: float) -> tuple[float, float]:
        across = SUPPORTS.index(support) / (len(SUPPORTS) - 1)
        return left + across * width, top + (1.0 - coverage) / 0.5 * height

    parts = []
    for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0):
        y = place(3, tick)[1]
        parts.append(svg.line(left, y, left + width, y, "chance" if tick == 0.95 else "grid"))
        parts.append(svg.text(left - 6, y + 3, f"{tick:g}", "muted small end"))
    for support in SUPPORTS:
        x = place(support, 0.5)[0]
        parts.append(svg.text(x, top + height + 14, str(support), "muted small mid"))
    middle = left + width / 2
    parts.append(svg.text(middle, top + height + 30, "positive patients", "muted mid"))
    for slot, method in enumerate(LINES, 1):
        rows = [row for row in _rows("auroc", "binormal", 0.8) if row.method == method]
        points = [place(row.positive_patients, row.coverage) for row in rows]
        parts.append(svg.path(points, f"line {svg.slot_class(slot)}", svg.dash(slot)))
        parts += [svg.marker(x, y, slot, 3.2) for x, y in points]
        level = top + height + 48 + 15 * (slot - 1)
        parts.append(svg.marker(left + 6, level - 4, slot, 3.2))
        parts.append(svg.text(left + 16, level, method))
    words = "Coverage of 95 % intervals of an AUROC of 0.8 by positive patients, four methods."
    bottom = top + height + 48 + 15 * len(LINES)
    return svg.canvas(left + width + 12, bottom, *parts, alternative=words)


if __name__ == "__main__":
    main()
