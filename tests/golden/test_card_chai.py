"""The Applied Model Card follows the CHAI schema 0.2, held against the schema file itself.

The schema (with its licence) lies beside this test. It is walked here with the standard library:
sequences, how often an element may occur, and text where text belongs.
"""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmark.card import build_card
from benchmark.card.chai import NAMESPACE, render_chai
from tests.card_fixture import write_run

XS = "{http://www.w3.org/2001/XMLSchema}"
SCHEMA = ElementTree.parse(Path(__file__).with_name("chai-applied-model-card-0.2.xsd")).getroot()
TYPES = {kind.get("name"): kind for kind in SCHEMA.findall(f"{XS}complexType")}


def faults(element: ElementTree.Element, kind: ElementTree.Element) -> list[str]:
    """Return where an element departs from its complex type."""
    sequence = kind.find(f"{XS}sequence")
    assert sequence is not None
    children = list(element)
    found = []
    often = sequence.get("maxOccurs") == "unbounded"
    for wanted in sequence.findall(f"{XS}element"):
        name, type_ = wanted.get("name"), wanted.get("type", "")
        least = 0 if often else int(wanted.get("minOccurs", "1"))
        most = 10**9 if often else wanted.get("maxOccurs", "1")
        most = 10**9 if most == "unbounded" else int(most)
        count = 0
        while children and children[0].tag == f"{{{NAMESPACE}}}{name}":
            child = children.pop(0)
            count += 1
            if type_ == "xs:string":
                found += [f"{name} has children"] if len(child) else []
                found += [] if (child.text or "").strip() else [f"{name} is empty"]
            else:
                found += faults(child, TYPES[type_.removeprefix("mc:")])
        if name and not least <= count <= most:
            found.append(f"{name} occurs {count} times in {element.tag}")
    return found + [f"{child.tag} is not expected" for child in children]


@pytest.mark.parametrize("optional", [True, False])
def test_it_follows_the_schema(tmp_path: Path, optional: bool) -> None:
    """From a whole and from a bare run, every element stands where the schema wants it."""
    run = write_run(tmp_path / "run", optional=optional, text=" <b>&amp; *x*\x07")
    root = ElementTree.fromstring(render_chai(build_card(run)))
    assert root.tag == f"{{{NAMESPACE}}}AppliedModelCard"
    outer = SCHEMA.find(f"{XS}element/{XS}complexType")
    assert outer is not None
    assert faults(root, outer) == []


def test_intervals_stand_as_structured_values(tmp_path: Path) -> None:
    """The macro AUROC of metrics.json is there as an estimate with its interval."""
    run = write_run(tmp_path / "run")
    root = ElementTree.fromstring(render_chai(build_card(run)))
    macro = json.loads((run / "densenet121/seed-0/metrics.json").read_text())["macro"]["auroc"]
    results = {
        result[0].text: json.loads(result[1].text or "")
        for result in root.iter(f"{{{NAMESPACE}}}MetricResult")
    }
    assert results["Macro average, DenseNet-121"] == {
        "kind": "estimate_ci",
        "estimate": macro["estimate"],
        "lower": macro["low"],
        "upper": macro["high"],
        "level": 95,
        "unit": "",
    }
    assert "Macro AUROC, sex F, ResNet-50" in results


def test_what_was_not_measured_is_not_provided(tmp_path: Path) -> None:
    """A family of metrics that the run has none of stands as not provided."""
    run = write_run(tmp_path / "run", optional=False)
    root = ElementTree.fromstring(render_chai(build_card(run)))
    fairness = root.find(f".//{{{NAMESPACE}}}FairnessEquity/{{{NAMESPACE}}}Results")
    assert fairness is not None
    assert [(result[0].text, result[1].text) for result in fairness] == [
        ("not provided", '{"kind": "single", "value": null}')
    ]
