"""The study's README from its tables."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

METRICS = {"auroc": "AUROC", "average_precision": "average precision"}


def readme(table: pd.DataFrame, about: Mapping[str, Any], plan: str, cells: int, seeds: int) -> str:
    """Return README.md.

    Args:
        table, about: as `reading.read` gives them.
        plan: what was to be asked, as it was written before.
        cells, seeds: how many were planned.
    """
    test = table[table["split"] == "test"]
    parts = [
        "# Do published remedies help rare observations? A study on synthetic images",
        _verdict(table, about, cells, seeds),
        f"## The question: rare observations, against the truth\n\n{_rare(about)}",
        *(
            f"**{words[0].upper()}{words[1:]}**\n\n"
            + _compared(_part(test, "truth", "rare", metric))
            for metric, words in METRICS.items()
        ),
        "## Beside it: described, not tested",
        *(
            f"**{group}, against {labels}: {words}**\n\n"
            + _compared(_part(test, kind, which, metric), tested=False)
            for which, group in (("rare", "Rare observations"), ("all", "All observations"))
            for kind, labels in (("truth", "the truth"), ("reports", "reports, hedges left out"))
            for metric, words in METRICS.items()
            if (which, kind) != ("rare", "truth")
        ),
        f"## The plan\n\n{plan.strip()}",
        _made(about),
    ]
    return "\n\n".join(parts) + "\n"


def _part(table: pd.DataFrame, labels: str, group: str, metric: str) -> pd.DataFrame:
    return table[
        (table["labels"] == labels) & (table["group"] == group) & (table["metric"] == metric)
    ]


def _verdict(table: pd.DataFrame, about: Mapping[str, Any], cells: int, seeds: int) -> str:
    asked = table[table["p_holm"].notna()]
    shown = asked[asked["p_holm"] < 0.05]
    done, trained = len(about["cells"]), len(about["seeds"])
    parts = ["**Synthetic.** Phantoms and narrated reports; nothing here is about patients."]
    if (done, trained) != (cells, seeds):
        parts.append(
            f"**Unfinished**: {done} of {cells} cells with {trained} of {seeds} seeds. "
            "`study.py train` goes on."
        )
    if trained == 1:
        parts.append(
            "One seed can't tell a remedy from a seed: nothing is tested, and the intervals below "
            "hold the spread over patients alone."
        )
    elif len(shown):
        said = [
            f"{row.cell} {row.difference:+.3f} in {METRICS[row.metric]} "
            f"(Holm p {_chance(row.p_holm)})"
            for row in shown.itertuples()
        ]
        parts.append(f"Beyond the spread of seeds and patients: {'; '.join(said)}.")
    else:
        parts.append(f"None of the {len(asked)} tests shows a difference after Holm's adjustment.")
    chosen = about["chosen_on_validation"]
    asked = _part(table[table["split"] == "test"], "truth", "rare", "average_precision")
    row = asked[(asked["cell"] == chosen) & asked["difference"].notna()]
    if len(row):
        lead = row.iloc[0]
        parts.append(
            f"On validation images *{chosen}* was best; on test images its average precision over "
            f"the rare observations differs from the baseline's by {_interval(lead)}."
        )
    elif chosen:
        parts.append(f"On validation images the baseline (*{chosen}*) was best.")
    return "\n\n".join(parts)


def _rare(about: Mapping[str, Any]) -> str:
    test = about["cases"]["test"]
    return (
        f"{test['images']} test images of {test['patients']} patients, "
        f"{about['cases']['train']['images']} training images; "
        f"{len(about['seeds'])} seed(s). Rare: {', '.join(about['rare'])}; of these estimable: "
        f"{', '.join(about['rare_estimable'])}."
    )


def _compared(rows: pd.DataFrame, *, tested: bool = True) -> str:
    head = "| cell | mean | spread over seeds | less the baseline |"
    line = "|---|---|---|---|"
    if tested:
        head, line = head + " p | p after Holm |", line + "---|---|"
    lines = [head, line]
    for _, row in rows.iterrows():
        spread = "" if pd.isna(row["seed_sd"]) else f"{row['seed_sd']:.3f}"
        cells = [row["cell"], f"{row['mean']:.3f}", spread]
        cells.append("" if pd.isna(row["difference"]) else _interval(row))
        if tested:
            cells += [_chance(row[p]) for p in ("p", "p_holm")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _interval(row: pd.Series) -> str:
    return f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def _chance(p: float) -> str:
    if pd.isna(p):
        return ""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def _made(about: Mapping[str, Any]) -> str:
    return (
        "## How it was made\n\n"
        "`study.py train WORK` trains the cells and may be killed; `study.py read WORK` writes "
        "this file, `remedies.csv` (every group and observation) and `remedies.json` (settings). "
        "DenseNet-121 from random weights on 64 pixels, the schedule of the preset `synthetic`, "
        "one thread. That preset starts the head's bias at the findings' prevalence, which suits "
        "cross-entropy; losses that weigh positives up have to leave it first, within the same "
        "few epochs."
    )
