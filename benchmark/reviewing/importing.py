"""Answers and sign-offs into the run's `reviews/` folder, and a new edition of its card."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from benchmark.card.words import slug
from benchmark.reviewing.answers import Answers, check_signoff, read_answers
from benchmark.reviewing.folder import Reviews
from benchmark.reviewing.summary import summarize
from benchmark.runs import Run, write_json
from benchmark.sharing.editions import Look, write_edition
from cxr.errors import InputError

SIGNOFFS = "signoffs"


def import_answers(run: Run, files: Sequence[Path], *, now: datetime, pdf: bool) -> list[str]:
    """Check every file, keep them all, and make a new edition of the card.

    Args:
        run: that the forms were made of.
        files: as readers sent them. A reader's later file takes the place of the earlier one.
        now: UTC; dates the edition.
        pdf: make the PDF too.

    Returns:
        What was done, a sentence a file.

    Raises:
        InputError: a file is wrong; nothing is kept then.
    """
    reviews = Reviews(run)
    checked = [read_answers(file, reviews) for file in files]
    _one_file_a_reader(checked)
    said = [_keep(reviews, each) for each in checked]
    signed = [dict(each.signoff) for each in checked if each.signoff]
    known = reviews.records(SIGNOFFS)
    fresh = [each for each in signed if each not in known]
    reviews.add_records(SIGNOFFS, fresh)
    said += [_signed_words(each) for each in fresh]
    write_json(reviews.path / "review.json", summarize(run, reviews))
    write_edition(run, said, now=now, look=Look(pdf=pdf))
    return said


def sign_off(run: Run, values: Mapping[str, str], *, now: datetime, pdf: bool) -> str:
    """Keep a sign-off (name, role, decision, remarks) and make a new edition of the card.

    Raises:
        InputError: no name, or an unknown decision.
    """
    signed = check_signoff({**values, "date": f"{now:%Y-%m-%d}"}, where="sign-off")
    Reviews(run).add_records(SIGNOFFS, [signed])
    said = _signed_words(signed)
    write_edition(run, [said], now=now, look=Look(pdf=pdf))
    return said


def _one_file_a_reader(checked: Sequence[Answers]) -> None:
    seen: set[tuple[str, str]] = set()
    for each in checked:
        one = (each.chosen.digest, each.reader)
        if one in seen:
            raise InputError(
                f"two of the files are by {each.reader!r} about the same cases; give the one "
                "that counts."
            )
        seen.add(one)


def _keep(reviews: Reviews, answers: Answers) -> str:
    """Keep a file under a name that the reader alone decides; say what it is."""
    digest = hashlib.sha256(answers.reader.encode()).hexdigest()[:6]
    before = {each["reader"] for each in reviews.answers(answers.chosen)}
    reviews.add_answers(answers.chosen, f"{slug(answers.reader)}-{digest}", answers.text)
    given, asked = answers.answered
    again = " again, in place of the earlier file" if answers.reader in before else ""
    what = "radiographs" if answers.chosen.stage == "blind" else "maps"
    return f"{answers.reader} answered {given} of {asked} questions on {what}{again}."


def _signed_words(signed: Mapping[str, str]) -> str:
    role = f" ({signed['role']})" if signed["role"] else ""
    return f"{signed['name']}{role} signed off on {signed['date']}: {signed['decision']}."
