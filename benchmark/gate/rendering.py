"""One verdict, several dresses: a table for people, and what CI systems read."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from xml.etree import ElementTree

from benchmark.gate.verdict import CANNOT_COMPARE, FAIL, INCONCLUSIVE, PASS, Check, Verdict

_COLUMNS = ("verdict", "network", "observation", "metric", "found", "demand")
_RECIPE = ("recipe", "baseline", "run")
_SENTENCES = {
    (FAIL, 1): "The gate failed.",
    (INCONCLUSIVE, 1): "The gate is inconclusive and so does not pass.",
    (CANNOT_COMPARE, 2): "The gate could not compare the run with the baseline.",
    (INCONCLUSIVE, 0): "The gate is inconclusive where the thresholds allow it; nothing failed.",
}


SUFFIXES = {".md": "markdown", ".json": "json", ".xml": "junit", ".txt": "table"}
"""How a file's name tells the format that is saved in it."""


def render(verdict: Verdict, form: str) -> str:
    """Return the verdict as text in one of `FORMATS`, without a line feed at the end."""
    return FORMATS[form](verdict)


def sentence(verdict: Verdict) -> str:
    """Return the outcome as a sentence, with how many checks came out how."""
    counts = {
        word: sum(check.verdict == word for check in verdict.checks)
        for word in (PASS, FAIL, INCONCLUSIVE)
    }
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    start = _SENTENCES.get((verdict.word, verdict.exit_code), "The gate passed.")
    if not verdict.checks:
        return start
    noun = "check" if len(verdict.checks) == 1 else "checks"
    return f"{start} {len(verdict.checks)} {noun}: {told}."


def _table(verdict: Verdict) -> str:
    parts = [_aligned([_COLUMNS, *(_row(check) for check in verdict.checks)])]
    if not verdict.checks:
        parts = []
    if verdict.recipe:
        parts.append(_aligned([_RECIPE, *verdict.recipe]))
    last = [*verdict.notes, sentence(verdict)]
    if verdict.obstacle:
        last.append(f"{verdict.obstacle[0].upper()}{verdict.obstacle[1:]}")
    return "\n\n".join([*parts, "\n".join(last)])


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _markdown(verdict: Verdict) -> str:
    parts = [f"### Model gate: {verdict.word}", f"{sentence(verdict)} Run `{verdict.run}`."]
    if verdict.obstacle:
        parts.append(f"**{_escaped(verdict.obstacle)}**")
    if verdict.checks:
        parts.append(_grid([_COLUMNS, *(_row(check) for check in verdict.checks)]))
    parts += [_escaped(note) for note in verdict.notes]
    if verdict.recipe:
        parts += ["What differs in the recipe:", _grid([_RECIPE, *verdict.recipe])]
    return "\n\n".join(parts)


def _grid(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [rows[0], ("---",) * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in lines)


def _json(verdict: Verdict) -> str:
    values = {
        "schema": 1,
        "run": verdict.run,
        "verdict": verdict.word,
        "exit_code": verdict.exit_code,
        "obstacle": verdict.obstacle or None,
        "notes": list(verdict.notes),
        "recipe": [
            {"what": what, "baseline": before, "run": after}
            for what, before, after in verdict.recipe
        ],
        "checks": [
            dataclasses.asdict(check) | {"found": check.found.as_json()} for check in verdict.checks
        ],
    }
    return json.dumps(values, indent=1, sort_keys=True, allow_nan=False)


def _junit(verdict: Verdict) -> str:
    """JUnit's XML; an inconclusive check that is allowed is "skipped", another one a failure."""
    suite = ElementTree.Element("testsuite", name=f"cxr-bench check {verdict.run}")
    failures = skipped = 0
    for check in verdict.checks:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{check.network}.seed-{check.seed}.{check.group}",
            name=f"{check.observation}: {check.metric} {check.demand}",
        )
        if check.verdict == INCONCLUSIVE and check.allowed:
            ElementTree.SubElement(case, "skipped", message=_told(check))
            skipped += 1
        elif check.verdict in (FAIL, INCONCLUSIVE):
            ElementTree.SubElement(case, "failure", type=check.verdict, message=_told(check))
            failures += 1
    if verdict.obstacle:
        case = ElementTree.SubElement(suite, "testcase", classname="baseline", name="comparison")
        ElementTree.SubElement(case, "error", type=CANNOT_COMPARE, message=verdict.obstacle)
    counts = {
        "tests": len(suite),
        "failures": failures,
        "errors": int(bool(verdict.obstacle)),
        "skipped": skipped,
    }
    suite.attrib.update({name: str(count) for name, count in counts.items()})
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=False)


def _github(verdict: Verdict) -> str:
    """Workflow commands, which GitHub shows beside the change."""
    lines = []
    for check in verdict.checks:
        if check.verdict == PASS:
            continue
        level = "warning" if check.verdict == INCONCLUSIVE and check.allowed else "error"
        words = f"{check.network}, {check.observation}: {check.metric} {_told(check)}"
        lines.append(f"::{level} title=Model gate {check.verdict}::{_one_line(words)}")
    if verdict.obstacle:
        lines.append(f"::error title=Model gate::{_one_line(verdict.obstacle)}")
    level = "notice" if verdict.exit_code == 0 else "error"
    return "\n".join([*lines, f"::{level} title=Model gate::{_one_line(sentence(verdict))}"])


FORMATS: dict[str, Callable[[Verdict], str]] = {
    "table": _table,
    "markdown": _markdown,
    "json": _json,
    "junit": _junit,
    "github": _github,
}


def _row(check: Check) -> tuple[str, ...]:
    mark = "allowed" if check.decides else "not deciding"
    word = f"{check.verdict} ({mark})" if _excused(check) else check.verdict
    network = check.network if check.seed == 0 else f"{check.network} seed {check.seed}"
    observation = (
        check.observation if check.group == "all" else f"{check.observation} ({check.group})"
    )
    return (word, network, observation, check.metric, _number(check), check.demand)


def _excused(check: Check) -> bool:
    return check.verdict == INCONCLUSIVE and check.allowed


def _number(check: Check) -> str:
    found = check.found
    if not found.known:
        return f"not estimable: {found.reason}"
    digits = "{:z.3f}"  # z: no minus before a zero
    interval = f" [{digits.format(found.low)}, {digits.format(found.high)}]"
    return digits.format(found.estimate) + (interval if found.low == found.low else "")


def _told(check: Check) -> str:
    return f"{_number(check)}, demanded {check.demand}"


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _one_line(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
