"""A reader's file, checked before anything in it counts."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmark.reviewing.export import Question, questions_of
from benchmark.reviewing.folder import Reviews, ReviewSet
from cxr.errors import InputError

FORMAT, VERSION = "cxr-bench review answers", 1
DECISIONS = ("accepted", "accepted with limits", "rejected")
MOST_BYTES = 20_000_000
TEXTS = {"reader": 40, "role": 80, "comment": 2000, "name": 120, "remarks": 4000}


@dataclass(frozen=True)
class Answers:
    """A checked file of one reader.

    Attributes:
        text: the file as it was sent.
        chosen: the cases that it answers.
        reader: initials or code.
        signoff: name, role, decision, remarks and date; None where none was made.
        answered: how many questions have an answer, of how many.
    """

    text: str
    chosen: ReviewSet
    reader: str
    signoff: Mapping[str, str] | None
    answered: tuple[int, int]


def read_answers(path: Path, reviews: Reviews) -> Answers:
    """Return the answers in a file that a form saved.

    Raises:
        InputError: it is no such file, answers cases that were not exported from this run, or
            holds something that the form can't have written; says what and where.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is larger than any form's answers; is it the right file?")
        text = path.read_text(encoding="utf-8")
        values = json.loads(text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; check the path.") from error
    except ValueError as error:
        raise InputError(
            f"{path} is no JSON ({error}); ask the reader to save it again."
        ) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError(f"{path} is no file of answers; a form saves one as answers-*.json.")
    if values.get("version") != VERSION:
        raise InputError(f"{path} has version {values.get('version')!r}; {VERSION} can be read.")
    return _Checked(path, values, reviews).result(text)


class _Checked:
    """Checks one file; every message names the file and the place in it."""

    def __init__(self, path: Path, values: Mapping[str, Any], reviews: Reviews) -> None:
        self.path, self.values = path, values
        digest = str(values.get("set"))
        chosen = reviews.find(digest)
        if chosen is None or chosen.digest != digest or chosen.stage != values.get("stage"):
            raise InputError(
                f"{path} answers cases {digest[:8]!r}, which were not exported from this run; "
                "give the run that the form was made of."
            )
        self.chosen = chosen

    def result(self, text: str) -> Answers:
        reader = self._text(self.values, "reader", "the file", needed=True)
        self._text(self.values, "role", "the file")
        for name in ("started", "finished"):
            self._moment(name)
        answered = self._cases()
        asked = sum(len(questions_of(self.chosen, case)) for case in self.chosen.cases)
        return Answers(text, self.chosen, reader, self._signoff(), (answered, asked))

    def _cases(self) -> int:
        entries = self.values.get("answers")
        if not isinstance(entries, list):
            raise self._wrong("the file", "'answers' is no list")
        known = {case["case"]: case for case in self.chosen.cases}
        seen: set[str] = set()
        answered = 0
        for place, entry in enumerate(entries, 1):
            number = str(entry.get("case")) if isinstance(entry, dict) else ""
            if number not in known or number in seen:
                why = "is there twice" if number in seen else "is none of the form's"
                raise self._wrong(f"answer {place}", f"case {number!r} {why}")
            seen.add(number)
            answered += self._case(entry, questions_of(self.chosen, known[number]))
        return answered

    def _case(self, entry: Mapping[str, Any], questions: tuple[Question, ...]) -> int:
        where = f"case {entry['case']}"
        seconds = entry.get("seconds", 0)
        if not _is_number(seconds) or seconds < 0:
            raise self._wrong(where, f"'seconds' is {seconds!r}")
        self._text(entry, "comment", where)
        answers, boxes = entry.get("answers", {}), entry.get("boxes", {})
        if not (isinstance(answers, dict) and isinstance(boxes, dict)):
            raise self._wrong(where, "'answers' and 'boxes' are tables of the questions")
        asked = {question.key: question for question in questions}
        for key, value in answers.items():
            allowed = [choice for choice, _ in asked[key].choices] if key in asked else []
            if value not in allowed:
                raise self._wrong(where, f"{key!r} is {value!r}")
        for key, places in boxes.items():
            if key not in asked or not asked[key].box or not isinstance(places, list):
                raise self._wrong(where, f"boxes of {key!r} were not asked for")
            for box in places:
                if not _is_box(box):
                    raise self._wrong(where, f"{key!r} has the box {box!r}")
        return len(answers)

    def _signoff(self) -> Mapping[str, str] | None:
        found = self.values.get("signoff")
        if found is None:
            return None
        if not isinstance(found, dict):
            raise self._wrong("the file", f"'signoff' is {found!r}")
        return check_signoff(
            {name: found.get(name, "") for name in ("name", "role", "decision", "remarks")}
            | {"date": str(self.values["finished"])[:10]},
            where=str(self.path),
        )

    def _text(
        self, values: Mapping[str, Any], name: str, where: str, *, needed: bool = False
    ) -> str:
        found = values.get(name, "")
        if not isinstance(found, str) or len(found) > TEXTS[name] or (needed and not found.strip()):
            raise self._wrong(where, f"{name!r} is {str(found)[:60]!r}")
        return found.strip()

    def _moment(self, name: str) -> None:
        try:
            datetime.fromisoformat(self.values[name])
        except (KeyError, TypeError, ValueError) as error:
            raise self._wrong("the file", f"{name!r} is {self.values.get(name)!r}") from error

    def _wrong(self, where: str, what: str) -> InputError:
        return InputError(
            f"{self.path}, {where}: {what}, which no form writes; ask the reader to save again."
        )


def check_signoff(values: Mapping[str, Any], *, where: str) -> Mapping[str, str]:
    """Return a sign-off with a name, a date and a known decision.

    Raises:
        InputError: one of them is missing or unknown.
    """
    clean = {name: str(value or "").strip() for name, value in values.items()}
    if clean["decision"] not in DECISIONS:
        raise InputError(
            f"{where}: the decision is {clean['decision']!r}; expected {', '.join(DECISIONS)}."
        )
    for name, most in TEXTS.items():
        if len(clean.get(name, "")) > most:
            raise InputError(f"{where}: {name} is longer than {most} characters; shorten it.")
    if not clean["name"]:
        raise InputError(f"{where}: a sign-off needs the name of who signs.")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", clean["date"]):
        raise InputError(f"{where}: the date is {clean['date']!r}; write it as 2026-01-31.")
    return clean


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_box(box: Any) -> bool:
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
        return False
    x0, y0, x1, y1 = box
    return bool(0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1)
