"""From a run folder to the typed card."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def build_card(run_folder: Path) -> Card:
    """Return the card of the run in `run_folder`.

    Raises:
        InputError: no run folder, or a file in it that can't be read.
    """
    evidence = Evidence(run_folder)
    notes = read_notes(evidence)
    checkpoints = build_checkpoints(evidence)
    results = build_results(evidence, checkpoints)
    truth = build_results(evidence, checkpoints, "metrics.truth.json")
    comparison = build_comparison(evidence, checkpoints)
    charts = build_charts(evidence, checkpoints, results)
    intended, out_of_scope = build_use(evidence, notes)
    breakdowns, groups = build_breakdowns(evidence), build_groups(evidence, checkpoints)
    reading, reading_words = build_reading(evidence)
    label_quality, label_quality_words = build_label_quality(evidence)
    variant_names, variants = build_variants(evidence, checkpoints)
    examples, examples_missing = build_examples(evidence, checkpoints)
    localization, localization_missing = build_localization(evidence, checkpoints)
    known = Known(
        synthetic=bool(evidence.value("run.json#cohort.synthetic")),
        results=results is not None,
        truth=bool(label_quality),
        variants=results is not None,
        examples=examples,
        groups=groups,
        breakdowns=breakdowns,
        readers=bool(evidence.value("reviews/review.json#blind")),
    )
    names = words.listed([c.name for c in checkpoints]) or "No network"
    return Card(
        run_id=_text(evidence, "run.json#run_id"),
        title=f"{names} on chest radiographs",
        cohort=_text(evidence, "run.json#cohort.name"),
        synthetic=bool(evidence.value("run.json#cohort.synthetic")),
        restricted=bool(evidence.value("run.json#cohort.restricted")),
        finished=words.moment(_text(evidence, "run.json#finished")),
        version=_text(evidence, "run.json#provenance.cxr_bench"),
        protocol=_text(evidence, "run.json#protocol.name"),
        checkpoints=checkpoints,
        summary=build_summary(evidence, checkpoints, results, truth, comparison),
        owner=build_owner(notes),
        intended=intended,
        out_of_scope=out_of_scope,
        flow=build_flow(evidence),
        splits=SPLIT_NAMES,
        prevalence=build_prevalence(evidence),
        breakdowns=breakdowns,
        cohort_facts=build_cohort_facts(evidence),
        label_facts=build_label_facts(evidence),
        reading=reading,
        reading_words=reading_words,
        label_quality=label_quality,
        label_quality_words=label_quality_words,
        method=build_method(evidence),
        deviations=tuple(str(line) for line in evidence.value("run.json#deviations") or ()),
        results=results,
        variants=variants,
        variant_names=variant_names,
        policies=build_policies(evidence, checkpoints),
        policy_names=policy_names(),
        comparison=comparison,
        external=build_external(evidence, checkpoints),
        forest=charts.forest,
        training_curves=charts.training,
        roc=charts.roc,
        precision_recall=charts.precision_recall,
        confusion=charts.confusion,
        reliability=charts.reliability,
        groups=groups,
        examples=examples,
        examples_missing=examples_missing,
        schematic=bool(examples) and not any(e.image for g in examples for _, e in g.examples if e),
        localization=localization,
        localization_missing=localization_missing,
        map_gains=build_map_gains(evidence, checkpoints),
        lesion_boxes=build_lesion_boxes(evidence, checkpoints),
        lesion_strata=build_lesion_strata(evidence, checkpoints),
        elsewhere=build_elsewhere(evidence, checkpoints),
        trust=build_trust(evidence, checkpoints),
        ladder=build_ladder(evidence, checkpoints, results),
        review=build_review(evidence, checkpoints),
        own=build_own_sections(notes),
        contradictions=build_contradictions(evidence, notes),
        paper=str(evidence.value("run.json#config.card.paper") or "a4"),
        limits=build_limits(evidence, results, notes),
        ethics=build_ethics(evidence, notes),
        points=build_points(evidence, known, notes),
        checklists=build_checklists(known, notes),
        provenance=build_provenance(evidence),
        hashes=build_hashes(evidence, checkpoints),
        timings=build_timings(evidence),
        reproduce=build_reproduce(evidence),
        config=build_config(evidence),
        chosen_points=build_chosen_points(evidence, checkpoints),
        calibration=build_calibration(evidence, checkpoints),
        operating_points=build_operating_points(
            evidence, checkpoints, results.threshold if results else ""
        ),
    )


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
            if f"label:{name}" in cases:
                curve = Curve(checkpoint, present_labels(cases, name), scores[:, place], patients)
                curves.setdefault(name, []).append(curve)
    return curves


def _text(evidence: Evidence, source: str) -> str:
    value = evidence.value(source)
    return words.NOT_PROVIDED if value in (None, "") else str(value)
