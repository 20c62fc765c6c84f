"""The gallery of explanations and the table of where heatmaps point."""

import base64
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

from benchmark.card import words
from benchmark.card.model import (
    Checkpoint,
    Elsewhere,
    Example,
    ExampleGroup,
    LesionBoxes,
    LesionStratum,
    LocalizationRow,
    MapGain,
    Number,
    TrustCheck,
)
from benchmark.card.numbers import estimate, number
from benchmark.evidence import Evidence, key
from cxr.observations import OBSERVATIONS

OUTCOMES = {
    "TP": ("Found", "present by its label, and called"),
    "FP": ("False alarm", "absent by its label, but called"),
    "FN": ("Missed", "present by its label, but not called"),
}
TRUTHS: dict[Any, str] = {True: "present", False: "absent"}
BOX_LIMITS = ("0.1", "0.3", "0.5", "0.7")
"""Of the limits in localization.json, those that the card shows."""
MAX_SIDE = 384
"""Pictures larger than this are reduced: the card stays one small file."""
QUALITIES = (85, 75, 60, 45)
BUDGET = 3_000_000
"""Bytes that all pictures may take; the first JPEG quality that fits is used."""


def build_examples(
    evidence: Evidence, checkpoints: Sequence[Checkpoint]
) -> tuple[tuple[ExampleGroup, ...], str]:
    """Return the examples by observation and outcome, and why there are none."""
    found: dict[tuple[str, str], dict[str, list[tuple[str, dict[str, Any]]]]] = {}
    for checkpoint in checkpoints:
        file = f"{checkpoint.folder}/explanations/index.json"
        for place, entry in enumerate(evidence.document(file) or ()):
            group = (str(entry.get("observation")), str(entry.get("outcome")))
            by_checkpoint = found.setdefault(group, {}).setdefault(checkpoint.slug, [])
            by_checkpoint.append((f"{file}#{place}", entry))
    if not found:
        return (), f"{words.NOT_PROVIDED}: the run holds no explanations."
    pictures = _Pictures(evidence, checkpoints, found)
    groups = []
    for name in OBSERVATIONS:
        for outcome in OUTCOMES:
            entries = found.get((name, outcome))
            if entries:
                groups += _groups(evidence, checkpoints, name, outcome, entries, pictures)
    return tuple(groups), ""


def _groups(
    evidence: Evidence,
    checkpoints: Sequence[Checkpoint],
    name: str,
    outcome: str,
    entries: dict[str, list[tuple[str, dict[str, Any]]]],
    pictures: "_Pictures",
) -> list[ExampleGroup]:
    title, meaning = OUTCOMES[outcome]
    return [
        ExampleGroup(
            observation=name,
            slug=words.slug(f"{name}-{outcome}-{place}" if place else f"{name}-{outcome}"),
            outcome=title,
            outcome_words=meaning,
            examples=tuple(
                (c, _example(evidence, c, entries.get(c.slug, ()), place, pictures))
                for c in checkpoints
            ),
        )
        for place in range(max(len(shown) for shown in entries.values()))
    ]


def _example(
    evidence: Evidence,
    checkpoint: Checkpoint,
    entries: Sequence[tuple[str, dict[str, Any]]],
    place: int,
    pictures: "_Pictures",
) -> Example | None:
    if place >= len(entries):
        return None
    source, entry = entries[place]
    name, title = str(entry["observation"]), OUTCOMES[str(entry["outcome"])][0].lower()
    outlined, blank = bool(entry.get("outlined")), bool(entry.get("blank"))
    words_for_map = "an empty heatmap" if blank else "the heatmap"
    ground = "Radiograph" if entry.get("image") else "Schematic chest"
    outline = ", with the true lesion outlined" if outlined else ""
    return Example(
        checkpoint=checkpoint,
        score=number(evidence, f"{source}.score", words.ratio),
        label=_label(entry.get("label")),
        truth=TRUTHS.get(entry.get("truth", ""), ""),
        rule=str(entry.get("rule") or words.NOT_PROVIDED),
        image=pictures.uri(checkpoint, entry.get("image")),
        overlay=pictures.uri(checkpoint, entry.get("overlay")),
        outlined=outlined,
        blank=blank,
        alternative=(
            f"{ground} with {words_for_map} of {checkpoint.name} for {name} ({title}){outline}."
        ),
        case=_case(evidence, entry),
    )


def _case(evidence: Evidence, entry: dict[str, Any]) -> str:
    """The example's id; empty where the source is restricted and ids were not asked for."""
    restricted = evidence.value("run.json#cohort.restricted")
    asked = evidence.value("run.json#config.card.include_restricted")
    return "" if restricted and not asked else str(entry.get("image_id", ""))


def _label(value: Any) -> str:
    if not words.is_number(value):
        return {None: "not mentioned"}.get(value, str(value))
    return {1.0: "stated present", 0.0: "stated absent", -1.0: "hedged"}.get(
        float(value), str(value)
    )


class _Pictures:
    """Every picture of the gallery as a data URI, at the first quality that fits the budget."""

    def __init__(
        self,
        evidence: Evidence,
        checkpoints: Sequence[Checkpoint],
        found: dict[tuple[str, str], dict[str, list[tuple[str, dict[str, Any]]]]],
    ) -> None:
        self._evidence = evidence
        folders = {c.slug: c.folder for c in checkpoints}
        files = {
            f"{folders[slug]}/{entry[kind]}"
            for by_checkpoint in found.values()
            for slug, entries in by_checkpoint.items()
            for _, entry in entries
            for kind in ("image", "overlay")
            if entry.get(kind)
        }
        opened = {file: _open(evidence, file) for file in sorted(files)}
        self._encoded: dict[str, bytes] = {}
        for quality in QUALITIES:
            self._encoded = {file: _jpeg(image, quality) for file, image in opened.items() if image}
            if sum(map(len, self._encoded.values())) * 4 / 3 <= BUDGET:
                break

    def uri(self, checkpoint: Checkpoint, file: Any) -> str:
        data = self._encoded.get(f"{checkpoint.folder}/{file}")
        return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" if data else ""


def _open(evidence: Evidence, file: str) -> Image.Image | None:
    path = evidence.path(file)
    if path is None:
        return None
    with Image.open(path) as image:
        picture = image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB")
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    return picture


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True, subsampling=0)
    return buffer.getvalue()


def build_localization(
    evidence: Evidence, checkpoints: Sequence[Checkpoint]
) -> tuple[tuple[LocalizationRow, ...], str]:
    """Return hit rates and overlaps beside what knowing nothing scores, and why there are none."""
    rows = []
    for name in OBSERVATIONS:
        for checkpoint in checkpoints:
            base = f"{checkpoint.folder}/localization.json#observations.{key(name)}"
            if evidence.value(base):
                rows.append(_localization_row(evidence, name, checkpoint, base))
    if not rows:
        return (), (
            f"{words.NOT_PROVIDED}: no lesion outlines are known for this cohort, so where the "
            "heatmaps point can't be measured."
        )
    return tuple(rows), ""


def _localization_row(
    evidence: Evidence, name: str, checkpoint: Checkpoint, base: str
) -> LocalizationRow:
    def measured(path: str) -> Number:
        return estimate(evidence, f"{base}.{path}")

    return LocalizationRow(
        observation=name,
        slug=words.slug(name),
        checkpoint=checkpoint,
        images=number(evidence, f"{base}.present.images"),
        patients=number(evidence, f"{base}.present.patients"),
        hit_rate=measured("present.hit_rate"),
        iou=measured("present.iou"),
        correct_images=number(evidence, f"{base}.correct.images"),
        correct_hit_rate=measured("correct.hit_rate"),
        correct_iou=measured("correct.iou"),
        random=measured("baselines.random"),
        centre=measured("baselines.centre"),
        mean_lesion=measured("baselines.mean_lesion"),
        words=str(evidence.value(f"{base}.words") or words.NOT_PROVIDED),
    )


def build_map_gains(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> tuple[MapGain, ...]:
    """Return how each checkpoint's maps are made and what that gains over plain Grad-CAM."""
    gains = []
    for checkpoint in checkpoints:
        base = f"{checkpoint.folder}/localization.json"
        if evidence.document(base) is None:
            continue
        made = evidence.value(f"{base}#words") or words.NOT_PROVIDED
        gained = evidence.value(f"{base}#gain.words") or words.NOT_PROVIDED
        gains.append(
            MapGain(
                checkpoint=checkpoint,
                words=f"{made}; against plain Grad-CAM: {gained}",
                hit_rate=estimate(evidence, f"{base}#gain.difference.hit_rate", difference=True),
                iou=estimate(evidence, f"{base}#gain.difference.iou", difference=True),
            )
        )
    return tuple(gains)


def build_lesion_boxes(
    evidence: Evidence, checkpoints: Sequence[Checkpoint]
) -> tuple[LesionBoxes, ...]:
    """Return the maps as boxes, at `BOX_LIMITS`, and as rankings of pixels."""
    rows = []
    for name in OBSERVATIONS:
        for checkpoint in checkpoints:
            base = f"{checkpoint.folder}/localization.json#observations.{key(name)}"
            if evidence.value(f"{base}.present.boxes"):
                rows.append(
                    LesionBoxes(
                        observation=name,
                        checkpoint=checkpoint,
                        found=tuple(
                            estimate(evidence, f"{base}.present.boxes.{key(limit)}")
                            for limit in BOX_LIMITS
                        ),
                        wrong=estimate(evidence, f"{base}.present.wrong_boxes"),
                        pixel_precision=estimate(evidence, f"{base}.present.pixel_precision"),
                        random=number(evidence, f"{base}.area", words.ratio),
                    )
                )
    return tuple(rows)


def build_lesion_strata(
    evidence: Evidence, checkpoints: Sequence[Checkpoint]
) -> tuple[LesionStratum, ...]:
    """Return hit rates by size and number of lesions; nothing where no lesion is known."""
    first = f"{checkpoints[0].folder}/localization.json#strata" if checkpoints else ""
    return tuple(
        LesionStratum(
            words=f"{str(entry['kind']).capitalize()}: {entry['words']}",
            pairs=number(evidence, f"{first}.{place}.pairs"),
            random=estimate(evidence, f"{first}.{place}.random"),
            hit_rates=tuple(
                (c, estimate(evidence, f"{c.folder}/localization.json#strata.{place}.hit_rate"))
                for c in checkpoints
            ),
        )
        for place, entry in enumerate((evidence.value(first) or ()) if first else ())
    )


def build_elsewhere(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> tuple[Elsewhere, ...]:
    """Return how much evidence lies outside the lungs and, where they are known, on marks."""
    rows = []
    for name in OBSERVATIONS:
        for checkpoint in checkpoints:
            base = f"{checkpoint.folder}/elsewhere.json#observations.{key(name)}"
            found = evidence.value(base)
            if not found:
                continue
            marked = "on_marks" in found
            rows.append(
                Elsewhere(
                    observation=name,
                    checkpoint=checkpoint,
                    images=number(evidence, f"{base}.images"),
                    outside=estimate(evidence, f"{base}.outside"),
                    outside_area=number(evidence, f"{base}.outside_area", words.ratio),
                    on_marks=estimate(evidence, f"{base}.on_marks") if marked else None,
                    marks_area=(
                        number(evidence, f"{base}.marks_area", words.ratio) if marked else None
                    ),
                    fall=(
                        estimate(evidence, f"{base}.fall_without_marks", difference=True)
                        if marked
                        else None
                    ),
                    words=str(found.get("words", "")),
                )
            )
    return tuple(rows)


def build_trust(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> tuple[TrustCheck, ...]:
    """Return what was asked of the heatmaps themselves; nothing where nothing was."""
    asked: dict[str, str] = {}
    places: dict[tuple[str, str], str] = {}
    for checkpoint in checkpoints:
        source = f"{checkpoint.folder}/trust.json#checks"
        for order, check in enumerate(evidence.value(source) or ()):
            asked.setdefault(check["question"], f"{source}.{order}")
            places[check["question"], checkpoint.slug] = f"{source}.{order}"
    return tuple(
        TrustCheck(
            question=question,
            limit=number(evidence, f"{first}.limit", lambda value: f"{value:g}"),
            wanted=str(evidence.value(f"{first}.wanted")),
            answers=tuple(
                (c, estimate(evidence, f"{place}.value"), str(evidence.value(f"{place}.verdict")))
                for c in checkpoints
                if (place := places.get((question, c.slug)))
            ),
        )
        for question, first in asked.items()
    )
