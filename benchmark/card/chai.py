"""The card as an Applied Model Card of the Coalition for Health AI, version 0.2 (draft).

https://mc.chai.org; text fields are Markdown, intervals stand as structured values. What the run
does not know is "not provided". The PDF carries this text in its metadata.
"""

import json
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from benchmark.card.model import Card, Fact, Number
from benchmark.card.render import escape_markdown
from benchmark.card.words import NOT_PROVIDED

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"
BIBLIOGRAPHY = """@misc{song-wu-lu,
  author = {Song, Yiran and Wu, Yuhang and Lu, Jinzhou},
  title = {Automated Detection and Localization of Abnormalities in Chest X-rays using
           Weakly-Supervised Learning},
  howpublished = {National University of Singapore}
}"""

Tree = dict[str, "Content"]
Content = Tree | str | list[tuple[str, "Content"]]


def render_chai(card: Card) -> str:
    """Return the Applied Model Card as an XML document."""
    root = ElementTree.Element("AppliedModelCard", xmlns=NAMESPACE)
    _fill(root, _content(card))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _content(card: Card) -> Tree:
    owner = {fact.name: _told(fact) for fact in card.owner}
    return {
        "BasicInfo": {
            "ModelName": _text([card.title]),
            "ModelDeveloper": owner["Owner"],
            "DeveloperContact": owner["Contact"],
        },
        "ReleaseInfo": {
            "ReleaseStage": "Research; not for clinical use",
            "ReleaseDate": _text([card.finished]),
            "ReleaseVersion": _text([card.run_id]),
            "GlobalAvailability": owner["Availability of model and data"],
        },
        "ModelSummary": {
            "Summary": _text([card.summary.what, card.summary.comparison, card.summary.seeds]),
            "Keywords": [
                ("Keyword", word)
                for word in ("chest radiograph", "multi-label", "benchmark")
                + (("synthetic",) if card.synthetic else ())
            ],
        },
        "UsesAndDirections": {
            "IntendedUseAndWorkflow": _text(card.intended),
            "PrimaryIntendedUsers": _text([card.summary.whom]),
            "HowToUse": NOT_PROVIDED,
            "TargetedPatientPopulation": "None: phantoms" if card.synthetic else NOT_PROVIDED,
            "CautionedOutOfScopeSettings": _text(card.out_of_scope),
        },
        "Warnings": {
            "KnownRisksAndLimitations": _text(card.limits),
            "KnownBiasesOrEthicalConsiderations": _text(card.ethics),
            "ClinicalRiskLevel": NOT_PROVIDED,
        },
        "TrustIngredients": {
            "AISystemFacts": _system(card),
            "TransparencyInformation": {
                "FundingSource": owner["Funding"],
                "StakeholdersConsulted": NOT_PROVIDED,
            },
        },
        "KeyMetrics": _metrics(card),
        "Resources": {
            "PeerReviewedPublications": NOT_PROVIDED,
            "PatientConsentOrDisclosure": "No patients" if card.synthetic else NOT_PROVIDED,
        },
        "Bibliography": BIBLIOGRAPHY,
    }


def _system(card: Card) -> Tree:
    observations = [o.name for o in card.results.observations] if card.results else []
    counts = [f"{box.title}: {_listed(box.facts)}" for box in card.flow[1:]]
    return {
        "OutcomesAndOutputs": f"A score from 0 to 1 for each of: {', '.join(observations)}"
        if observations
        else NOT_PROVIDED,
        "ModelType": _text([f"Convolutional neural networks: {_names(card)}"]),
        "InputDataSource": _text(f"{f.name}: {_told(f)}" for f in card.cohort_facts),
        "OutputAndInputDataTypes": "Input: projection radiographs of the chest. Output: scores.",
        "DevelopmentDataCharacterization": _text(counts),
        "BiasMitigationApproaches": NOT_PROVIDED,
        "OngoingMaintenance": NOT_PROVIDED,
    }


def _metrics(card: Card) -> Tree:
    test = next((box for box in card.flow if box.title == "Test"), None)
    shared = {
        "TestType": "Retrospective, one cohort, patients of the test split only",
        "TestingDataDescription": _listed(test.facts) if test else NOT_PROVIDED,
        "ValidationProcessAndJustification": "Intervals over patients; see the card's method.",
    }
    macro = card.groups.rows[-1].rows if card.groups else ()
    groups = [
        (f"Macro AUROC, {group.trait.lower()} {group.value}, {checkpoint.name}", number)
        for checkpoint, numbers in macro
        for group, number in zip(card.groups.groups if card.groups else (), numbers, strict=True)
    ]
    return {
        "UsefulnessUsabilityEfficacy": {
            "MetricGoal": "Tell present from absent observations (AUROC)",
            "Results": _results(_scores(card, "auroc")),
            "Interpretation": _text([card.summary.comparison]),
            **shared,
        },
        "FairnessEquity": {
            "MetricGoal": "Work equally well for all groups of patients",
            "Results": _results(groups),
            "Interpretation": "See the card's subgroups" if groups else NOT_PROVIDED,
            **shared,
        },
        "SafetyReliability": {
            "MetricGoal": "Miss few present observations (recall at the operating point)",
            "Results": _results(_scores(card, "recall")),
            "Interpretation": "Operating points were not tuned for safety",
            **shared,
        },
    }


def _scores(card: Card, metric: str) -> list[tuple[str, Number]]:
    if card.results is None:
        return []
    rows = [(f"{a.name.capitalize()} average", a.scores) for a in card.results.averages[:1]]
    rows += [(o.name, o.scores) for o in card.results.observations]
    return [
        (f"{name}, {scores.checkpoint.name}", getattr(scores, metric))
        for name, measured in rows
        for scores in measured
    ]


def _results(numbers: Sequence[tuple[str, Number]]) -> list[tuple[str, Content]]:
    shown = numbers or [(NOT_PROVIDED, Number(""))]
    return [
        ("MetricResult", {"Label": _text([label]), "ValueJson": json.dumps(_value(number))})
        for label, number in shown
    ]


def _value(number: Number) -> dict[str, object]:
    low, high = number.low, number.high
    if number.value is None or low is None or high is None:
        return {"kind": "single", "value": number.value}
    return {
        "kind": "estimate_ci",
        "estimate": round(number.value, 6),
        "lower": round(low.value or 0.0, 6),
        "upper": round(high.value or 0.0, 6),
        "level": 95,
        "unit": "",
    }


def _fill(element: ElementTree.Element, content: Content) -> None:
    if isinstance(content, str):
        element.text = "".join(c for c in content if c.isprintable() or c in "\n\t")
        return
    for name, inner in content.items() if isinstance(content, dict) else content:
        _fill(ElementTree.SubElement(element, name), inner)


def _text(lines: Iterable[str]) -> str:
    return "\n\n".join(str(escape_markdown(line)) for line in lines) or NOT_PROVIDED


def _told(fact: Fact) -> str:
    value = fact.value
    shown = (value.text or value.reason) if isinstance(value, Number) else value
    return str(escape_markdown(shown))


def _listed(facts: Iterable[Fact]) -> str:
    return ", ".join(f"{_told(fact)} {fact.name}" for fact in facts)


def _names(card: Card) -> str:
    return ", ".join(checkpoint.name for checkpoint in card.checkpoints) or NOT_PROVIDED
