"""The card as a typed object: everything a template lays out, already decided and worded.

A `Number` carries the text that is shown and the source it was read from (see
`benchmark.evidence`); templates print both and compute nothing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from benchmark.card.notes import OwnSection
    from benchmark.card.reviewing import Review
    from benchmark.card.thresholds import Calibration, ChosenPoints


@dataclass(frozen=True)
class Number:
    """One value as shown, and where it stands in the run folder.

    Attributes:
        text: the value in the digits it supports; empty where there is none.
        source: file and path of the value, as `benchmark.evidence` reads them; empty for the
            published values of others.
        value: the value itself, for sorting; None where there is none.
        low, high: the ends of its 95 % interval.
        reason: why there is no value, or no interval.
    """

    text: str
    source: str = ""
    value: float | None = None
    low: "Number | None" = None
    high: "Number | None" = None
    reason: str = ""


@dataclass(frozen=True)
class Fact:
    """A named fact: a number, a text, or a text that says that it is not provided."""

    name: str
    value: Number | str
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure: the SVG, and what it shows in words."""

    slug: str
    title: str
    caption: str
    alternative: str
    svg: Markup
    observation: str = ""
    narrow: Markup | None = None  # the same for phones


@dataclass(frozen=True)
class Checkpoint:
    """One network trained with one seed.

    Attributes:
        slug: names it in links and classes, such as "densenet121-seed-0".
        slot: 1, 2, ...: its colour and marker everywhere.
        facts: size, best epoch, times.
    """

    slug: str
    name: str
    folder: str
    slot: int
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Scores:
    """What one checkpoint scored on one observation, or on average over them."""

    checkpoint: Checkpoint
    auroc: Number
    average_precision: Number
    f1: Number
    precision: Number
    recall: Number
    specificity: Number
    accuracy: Number
    brier: Number
    log_loss: Number
    confusion: tuple[Number, Number, Number, Number]  # TP, FP, FN, TN
    never: tuple[Number, Number]  # accuracy and F1 of always answering no
    always: tuple[Number, Number]  # accuracy and F1 of always answering yes
    over: Number
    more: tuple[Number, ...]  # further metrics, as `Results.more` names them


@dataclass(frozen=True)
class ObservationResult:
    """One observation in the test set, and every checkpoint's scores on it."""

    name: str
    slug: str
    positives: Number
    negatives: Number
    positive_patients: Number
    negative_patients: Number
    stated: Number
    hedged: Number
    scores: tuple[Scores, ...]


@dataclass(frozen=True)
class Averages:
    """Macro, micro or weighted scores of every checkpoint."""

    name: str
    meaning: str
    scores: tuple[Scores, ...]


@dataclass(frozen=True)
class Results:
    """Scores against one set of labels."""

    slug: str
    title: str
    observations: tuple[ObservationResult, ...]
    averages: tuple[Averages, ...]
    threshold: str
    more: tuple[str, ...]
    labels: str  # what the answers are called


@dataclass(frozen=True)
class Variant:
    """The same scores against several sets of labels: AUROC, one row per checkpoint."""

    observation: str
    slug: str
    rows: tuple[tuple[Checkpoint, tuple[Number, ...]], ...]


@dataclass(frozen=True)
class PolicyRow:
    """AUROC on one observation under each label policy; one row per checkpoint, with its range."""

    observation: str
    slug: str
    rows: tuple[tuple[Checkpoint, tuple[Number, ...], Number, Number], ...]


@dataclass(frozen=True)
class Difference:
    """A paired difference between two checkpoints on one observation."""

    observation: str
    slug: str
    values: tuple[Number, ...]  # the AUROC of each
    difference: Number
    p: Number
    p_holm: Number
    verdict: str
    more: tuple[Number, ...]  # differences in other metrics


@dataclass(frozen=True)
class PairRow:
    """Two of several networks: their macro difference, and where they part."""

    first: str
    second: str
    difference: Number
    p: Number
    p_holm: Number
    observations: str


@dataclass(frozen=True)
class Comparison:
    """Networks, paired on the same cases; three and more are ranked, two are set side by side."""

    names: tuple[str, ...]
    direction: str
    words: str
    adjustment: str
    more: tuple[str, ...]  # the other metrics whose differences are shown
    macro: Difference | None
    observations: tuple[Difference, ...]
    ranking: Chart | None = None
    pairs: tuple[PairRow, ...] = ()


@dataclass(frozen=True)
class ExternalRow:
    """One observation in the run and on another collection; a row per checkpoint."""

    observation: str
    slug: str
    rows: tuple[tuple[Checkpoint, Number, Number, Number, Number], ...]
    """Checkpoint, AUROC in the run, AUROC here, difference, p."""


@dataclass(frozen=True)
class External:
    """What the networks lose on another collection than their run's."""

    run: str
    cohort: str
    images: Number
    patients: Number
    words: tuple[str, ...]
    rows: tuple[ExternalRow, ...]


@dataclass(frozen=True)
class FlowBox:
    """A box of the flow diagram; `counts` and, under it, what was left out."""

    title: str
    facts: tuple[Fact, ...]
    excluded: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class PrevalenceRow:
    """How often an observation is stated or hedged in each split."""

    observation: str
    splits: tuple[tuple[Number, Number, Number], ...]  # stated, hedged, share of images


@dataclass(frozen=True)
class Breakdown:
    """Images and patients by one trait (sex, age, view) in each split."""

    title: str
    rows: tuple[tuple[str, tuple[tuple[Number, Number], ...]], ...]
    missing: str = ""


@dataclass(frozen=True)
class LabelQuality:
    """Report labels against what is known to be true, over every image of the test split."""

    observation: str
    present: Number
    labeled: Number
    both: Number
    sensitivity: Number
    precision: Number


@dataclass(frozen=True)
class Reading:
    """How well the labeler read one observation: F1 against what the reports meant."""

    observation: str
    mention: Number
    negation: Number
    uncertainty: Number
    positive: Number


@dataclass(frozen=True)
class Example:
    """One explanation: the radiograph, the heatmap over it, and what to make of it."""

    checkpoint: Checkpoint
    score: Number
    label: str
    truth: str  # "present" or "absent"; empty where it is not known
    rule: str
    image: str  # data URI
    overlay: str  # data URI
    outlined: bool
    blank: bool
    alternative: str
    case: str


@dataclass(frozen=True)
class ExampleGroup:
    """The examples of one outcome for one observation, one of each checkpoint or None."""

    observation: str
    slug: str
    outcome: str
    outcome_words: str
    examples: tuple[tuple[Checkpoint, Example | None], ...]


@dataclass(frozen=True)
class LocalizationRow:
    """Where one checkpoint's heatmaps point for one observation."""

    observation: str
    slug: str
    checkpoint: Checkpoint
    images: Number
    patients: Number
    hit_rate: Number
    iou: Number
    correct_images: Number
    correct_hit_rate: Number
    correct_iou: Number
    random: Number
    centre: Number
    mean_lesion: Number
    words: str


@dataclass(frozen=True)
class MapGain:
    """How one checkpoint's maps are made, and what that gains over plain Grad-CAM, paired."""

    checkpoint: Checkpoint
    words: str
    hit_rate: Number
    iou: Number


@dataclass(frozen=True)
class LesionBoxes:
    """How one checkpoint's maps do as boxes and as rankings of pixels for one observation."""

    observation: str
    checkpoint: Checkpoint
    found: tuple[Number, ...]  # share of true boxes, at each of the limits shown
    wrong: Number  # boxes an image that match none
    pixel_precision: Number
    random: Number  # what the last would be for a map that knows nothing


@dataclass(frozen=True)
class LesionStratum:
    """Hit rates of every checkpoint for lesions of one size or number."""

    words: str
    pairs: Number
    random: Number
    hit_rates: tuple[tuple[Checkpoint, Number], ...]


@dataclass(frozen=True)
class Elsewhere:
    """How much of one checkpoint's evidence for one observation lies where no finding is."""

    observation: str
    checkpoint: Checkpoint
    images: Number
    outside: Number
    outside_area: Number
    on_marks: Number | None  # None where no mark is known
    marks_area: Number | None
    fall: Number | None  # of the logit without the mark, beyond that without its mirror
    words: str


@dataclass(frozen=True)
class TrustCheck:
    """One question to the maps of every checkpoint: value and verdict of each."""

    question: str
    limit: Number
    wanted: str
    answers: tuple[tuple[Checkpoint, Number, str], ...]


@dataclass(frozen=True)
class LadderRow:
    """One observation's AUROC beside what others published."""

    observation: str
    prevalence: Number | None
    ours: tuple[Number, ...]
    published: tuple[Number, ...]


@dataclass(frozen=True)
class Reference:
    """A published source of the ladder and how it differs."""

    name: str
    citation: str
    policy: str


@dataclass(frozen=True)
class Ladder:
    """Our AUROCs, chance, and the published values."""

    references: tuple[Reference, ...]
    columns: tuple[str, ...]
    rows: tuple[LadderRow, ...]
    macro: LadderRow
    flags: tuple[str, ...] = ()  # what lies far below the published band


@dataclass(frozen=True)
class Summary:
    """The first page."""

    what: str
    whom: str
    gate: str
    gate_state: str  # "passed", "failed", "inconclusive" or "" where no gate ran
    macro: Averages | None
    truth: Averages | None
    strongest: tuple[ObservationResult, ...]
    weakest: tuple[ObservationResult, ...]
    not_estimable: tuple[str, ...]
    comparison: str
    seeds: str


@dataclass(frozen=True)
class Group:
    """A subgroup of the test split, such as sex F."""

    file: str  # name of its metrics file in each network's folder
    trait: str
    value: str
    cases: Number
    patients: Number


@dataclass(frozen=True)
class GroupRow:
    """AUROC on one observation in every subgroup, one row per checkpoint."""

    observation: str
    slug: str
    rows: tuple[tuple[Checkpoint, tuple[Number, ...]], ...]


@dataclass(frozen=True)
class Gap:
    """The largest difference between two groups, out of so many that were compared."""

    observation: str
    checkpoint: Checkpoint
    lower: tuple[Group, Number]
    higher: tuple[Group, Number]
    compared: int


@dataclass(frozen=True)
class Groups:
    """All subgroups; `traits` are the names of neighbouring groups and how many they are."""

    groups: tuple[Group, ...]
    traits: tuple[tuple[str, int], ...]
    rows: tuple[GroupRow, ...]
    gap: Gap | None


@dataclass(frozen=True)
class OperatingPoints:
    """Counts by threshold, for the reader who moves the operating point."""

    thresholds: tuple[float, ...]
    start: int
    counts: dict[str, dict[str, tuple[tuple[int, ...], tuple[int, ...], int, int]]]
    """observation -> checkpoint slug -> true positives and false positives at each threshold,
    then the positives and the negatives."""


@dataclass(frozen=True)
class ChecklistItem:
    """One item of a checklist; `section` of the card speaks to it, or none does."""

    number: str
    text: str
    section: str


@dataclass(frozen=True)
class Checklist:
    """A reporting checklist, item by item."""

    name: str
    citation: str
    items: tuple[ChecklistItem, ...]


@dataclass(frozen=True)
class Point:
    """A question that reviewers ask first, the answer, and the section to read on."""

    title: str
    answer: str
    section: str


@dataclass(frozen=True)
class Card:
    """Everything that the card says."""

    run_id: str
    title: str
    cohort: str
    synthetic: bool
    restricted: bool
    finished: str
    version: str
    protocol: str
    checkpoints: tuple[Checkpoint, ...]
    summary: Summary
    owner: tuple[Fact, ...]
    intended: tuple[str, ...]
    out_of_scope: tuple[str, ...]
    flow: tuple[FlowBox, ...]
    splits: tuple[str, ...]
    prevalence: tuple[PrevalenceRow, ...]
    breakdowns: tuple[Breakdown, ...]
    cohort_facts: tuple[Fact, ...]
    label_facts: tuple[Fact, ...]
    reading: tuple[Reading, ...]
    reading_words: str
    label_quality: tuple[LabelQuality, ...]
    label_quality_words: str
    method: tuple[Fact, ...]
    deviations: tuple[str, ...]
    results: Results | None
    variants: tuple[Variant, ...]
    variant_names: tuple[str, ...]
    policies: tuple[PolicyRow, ...]
    policy_names: tuple[str, ...]
    comparison: Comparison | None
    external: External | None
    forest: Chart | None
    training_curves: tuple[Chart, ...]
    roc: tuple[Chart, ...]
    precision_recall: tuple[Chart, ...]
    confusion: Chart | None
    reliability: tuple[Chart, ...]
    groups: Groups | None
    examples: tuple[ExampleGroup, ...]
    examples_missing: str
    schematic: bool  # the radiographs are restricted; maps lie on a drawing of a chest
    localization: tuple[LocalizationRow, ...]
    localization_missing: str
    map_gains: tuple[MapGain, ...]
    lesion_boxes: tuple[LesionBoxes, ...]
    lesion_strata: tuple[LesionStratum, ...]
    elsewhere: tuple[Elsewhere, ...]
    trust: tuple[TrustCheck, ...]
    ladder: Ladder
    review: "Review"
    own: "tuple[OwnSection, ...]"
    contradictions: tuple[str, ...]
    paper: str
    limits: tuple[str, ...]
    ethics: tuple[str, ...]
    points: tuple[Point, ...]
    checklists: tuple[Checklist, ...]
    provenance: tuple[Fact, ...]
    hashes: tuple[Fact, ...]
    timings: tuple[Fact, ...]
    reproduce: tuple[str, ...]
    config: str
    operating_points: OperatingPoints | None
    chosen_points: "ChosenPoints | None"
    calibration: "Calibration | None"
