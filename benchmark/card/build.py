"""From a run folder to the typed card."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.card import words
from benchmark.card.charts import (
    Curve,
    confusion_chart,
    curve_chart,
    history_charts,
    reliability_chart,
)
from benchmark.card.checklists import Known, build_checklists, build_points
from benchmark.card.comparing import build_comparison
from benchmark.card.data import (
    SPLIT_NAMES,
    build_breakdowns,
    build_cohort_facts,
    build_flow,
    build_label_facts,
    build_label_quality,
    build_prevalence,
    build_reading,
)
from benchmark.card.explanations import (
    build_elsewhere,
    build_examples,
    build_lesion_boxes,
    build_lesion_strata,
    build_localization,
    build_map_gains,
    build_trust,
)
from benchmark.card.external import build_external
from benchmark.card.forest import forest_chart
from benchmark.card.groups import build_groups
from benchmark.card.ladder import build_ladder
from benchmark.card.method import (
    build_config,
    build_hashes,
    build_method,
    build_provenance,
    build_reproduce,
    build_timings,
)
from benchmark.card.model import Card, Chart, Checkpoint, Results
from benchmark.card.narrative import (
    build_ethics,
    build_limits,
    build_owner,
    build_summary,
    build_use,
)
from benchmark.card.notes import build_contradictions, build_own_sections, read_notes
from benchmark.card.policies import build_policies, policy_names
from benchmark.card.ranking import ranking_chart
from benchmark.card.results import (
    build_checkpoints,
    build_operating_points,
    build_results,
    build_variants,
    present_labels,
)
from benchmark.card.reviewing import build_review
from benchmark.card.thresholds import build_calibration, build_chosen_points
from benchmark.evidence import Evidence
from cxr.observations import OBSERVATIONS


@dataclass(frozen=True)
class Charts:
    """Every chart of a run."""

    forest: Chart | None
    training: tuple[Chart, ...]
    roc: tuple[Chart, ...]
    precision_recall: tuple[Chart, ...]
    reliability: tuple[Chart, ...]
    confusion: Chart | None
    ranking: Chart | None

    def files(self) -> dict[str, Chart]:
        """Return file name without suffix -> chart."""
        single = [c for c in (self.forest, self.confusion, self.ranking) if c is not None]
        panels = (*self.roc, *self.precision_recall, *self.reliability)
        return {chart.slug: chart for chart in (*single, *self.training, *panels)}


Part = dict[str, Any]
"""Some of the card's fields by name."""


@dataclass(frozen=True)
class _Run:
    """What every part of the card is built from."""

    evidence: Evidence
    notes: dict[str, Any]
    checkpoints: tuple[Checkpoint, ...]
    results: Results | None

    def text(self, path: str) -> str:
        """Return what run.json holds at `path`, or that it is not provided."""
        value = self.evidence.value(f"run.json#{path}")
        return words.NOT_PROVIDED if value in (None, "") else str(value)

    def holds(self, source: str) -> bool:
        """Whether there is something, and not nothing, at `source`."""
        return bool(self.evidence.value(source))


def build_card(run_folder: Path) -> Card:
    """Return the card of the run in `run_folder`.

    Raises:
        InputError: no run folder, or a file in it that can't be read.
    """
    evidence = Evidence(run_folder)
    checkpoints = build_checkpoints(evidence)
    run = _Run(evidence, read_notes(evidence), checkpoints, build_results(evidence, checkpoints))
    parts = _identity(run) | _people(run) | _data(run) | _scores(run) | _charts(run) | _maps(run)
    return Card(**parts, **_closing(run, _known(run, parts)))


def _identity(run: _Run) -> Part:
    names = words.listed([c.name for c in run.checkpoints]) or "No network"
    return {
        "run_id": run.text("run_id"),
        "title": f"{names} on chest radiographs",
        "cohort": run.text("cohort.name"),
        "synthetic": run.holds("run.json#cohort.synthetic"),
        "restricted": run.holds("run.json#cohort.restricted"),
        "finished": words.moment(run.text("finished")),
        "version": run.text("provenance.cxr_bench"),
        "protocol": run.text("protocol.name"),
        "paper": str(run.evidence.value("run.json#config.card.paper") or "a4"),
        "checkpoints": run.checkpoints,
    }


def _people(run: _Run) -> Part:
    """What people state, and what readers said."""
    intended, out_of_scope = build_use(run.evidence, run.notes)
    return {
        "owner": build_owner(run.notes),
        "intended": intended,
        "out_of_scope": out_of_scope,
        "own": build_own_sections(run.notes),
        "contradictions": build_contradictions(run.evidence, run.notes),
        "review": build_review(run.evidence, run.checkpoints),
    }


def _data(run: _Run) -> Part:
    evidence = run.evidence
    reading, reading_words = build_reading(evidence)
    label_quality, label_quality_words = build_label_quality(evidence)
    return {
        "flow": build_flow(evidence),
        "splits": SPLIT_NAMES,
        "prevalence": build_prevalence(evidence),
        "breakdowns": build_breakdowns(evidence),
        "cohort_facts": build_cohort_facts(evidence),
        "label_facts": build_label_facts(evidence),
        "reading": reading,
        "reading_words": reading_words,
        "label_quality": label_quality,
        "label_quality_words": label_quality_words,
        "method": build_method(evidence),
        "deviations": tuple(str(line) for line in evidence.value("run.json#deviations") or ()),
    }


def _scores(run: _Run) -> Part:
    evidence, checkpoints, results = run.evidence, run.checkpoints, run.results
    truth = build_results(evidence, checkpoints, "metrics.truth.json")
    comparison = build_comparison(evidence, checkpoints)
    variant_names, variants = build_variants(evidence, checkpoints)
    return {
        "summary": build_summary(evidence, checkpoints, results, truth, comparison),
        "results": results,
        "variants": variants,
        "variant_names": variant_names,
        "policies": build_policies(evidence, checkpoints),
        "policy_names": policy_names(),
        "comparison": comparison,
        "external": build_external(evidence, checkpoints),
        "groups": build_groups(evidence, checkpoints),
        "ladder": build_ladder(evidence, checkpoints, results),
        "chosen_points": build_chosen_points(evidence, checkpoints),
        "calibration": build_calibration(evidence, checkpoints),
        "operating_points": build_operating_points(
            evidence, checkpoints, results.threshold if results else ""
        ),
    }


def _charts(run: _Run) -> Part:
    charts = build_charts(run.evidence, run.checkpoints, run.results)
    return {
        "forest": charts.forest,
        "training_curves": charts.training,
        "roc": charts.roc,
        "precision_recall": charts.precision_recall,
        "confusion": charts.confusion,
        "reliability": charts.reliability,
    }


def _maps(run: _Run) -> Part:
    evidence, checkpoints = run.evidence, run.checkpoints
    examples, examples_missing = build_examples(evidence, checkpoints)
    localization, localization_missing = build_localization(evidence, checkpoints)
    shown = [example for group in examples for _, example in group.examples if example]
    return {
        "examples": examples,
        "examples_missing": examples_missing,
        "schematic": bool(examples) and not any(example.image for example in shown),
        "localization": localization,
        "localization_missing": localization_missing,
        "map_gains": build_map_gains(evidence, checkpoints),
        "lesion_boxes": build_lesion_boxes(evidence, checkpoints),
        "lesion_strata": build_lesion_strata(evidence, checkpoints),
        "elsewhere": build_elsewhere(evidence, checkpoints),
        "trust": build_trust(evidence, checkpoints),
    }


def _known(run: _Run, parts: Part) -> Known:
    return Known(
        synthetic=parts["synthetic"],
        results=run.results is not None,
        truth=bool(parts["label_quality"]),
        variants=run.results is not None,
        examples=parts["examples"],
        groups=parts["groups"],
        breakdowns=parts["breakdowns"],
        readers=bool(parts["review"].blind),
    )


def _closing(run: _Run, known: Known) -> Part:
    evidence, notes = run.evidence, run.notes
    return {
        "limits": build_limits(evidence, run.results, notes),
        "ethics": build_ethics(evidence, notes),
        "points": build_points(evidence, known, notes),
        "checklists": build_checklists(known, notes),
        "provenance": build_provenance(evidence),
        "hashes": build_hashes(evidence, run.checkpoints),
        "timings": build_timings(evidence),
        "reproduce": build_reproduce(evidence),
        "config": build_config(evidence),
    }


def build_charts(
    evidence: Evidence, checkpoints: Sequence[Checkpoint], results: Results | None
) -> Charts:
    """Return the run's charts; those whose numbers are not there are left out."""
    histories = [
        (checkpoint, table)
        for checkpoint in checkpoints
        if (table := evidence.table(f"{checkpoint.folder}/history.csv")) is not None
    ]
    curves = _curves(evidence, checkpoints)
    observations = results.observations if results else ()
    drawn = [(o, curves[o.name]) for o in observations if o.name in curves]
    return Charts(
        forest=forest_chart(observations) if observations else None,
        training=history_charts(histories),
        roc=tuple(curve_chart("roc", o, scored) for o, scored in drawn),
        precision_recall=tuple(curve_chart("pr", o, scored) for o, scored in drawn),
        reliability=tuple(reliability_chart(o, scored) for o, scored in drawn),
        confusion=confusion_chart(observations),
        ranking=ranking_chart(evidence, checkpoints),
    )


def _curves(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> dict[str, list[Curve]]:
    curves: dict[str, list[Curve]] = {}
    for checkpoint in checkpoints:
        found = evidence.scored_cases(checkpoint.folder)
        if found is None:
            continue
        cases, scores = found
        patients = pd.factorize(cases["patient_id"])[0]
        for place, name in enumerate(OBSERVATIONS):
            if f"label:{name}" in cases and not np.isnan(scores[:, place]).any():
                curve = Curve(checkpoint, present_labels(cases, name), scores[:, place], patients)
                curves.setdefault(name, []).append(curve)
    return curves
