"""Forms for readers: which cases, what is asked, and the one HTML file that holds it all.

A blind form holds pictures and questions and nothing that tells an answer: no label, no score, no
weight, no id. Those stay in the run's `reviews/` folder, under the digest that the form carries.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.card.pages import inert_json, render_page
from benchmark.reviewing.folder import ReviewSet
from benchmark.reviewing.pictures import Picture
from benchmark.reviewing.sampling import WORDS, sample_cases
from benchmark.runs import Run, write_text
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

DEFAULT_OBSERVATIONS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Pleural Effusion",
)
"""The five that CheXpert's readers were measured on (Irvin et al. 2019)."""

PRESENCE = (("present", "Present"), ("absent", "Absent"), ("unsure", "Can't tell"))
COVERAGE = (
    ("well", "Well"),
    ("partly", "Partly"),
    ("not at all", "Not at all"),
    ("no finding", "I see no such finding"),
)
BELIEF = (("yes", "Yes"), ("no", "No"), ("unsure", "Can't tell"))
MAP, SCORE = "map", "score"


@dataclass(frozen=True)
class Question:
    """One question of a case; `key` names it in the answers, `box` lets a place be drawn."""

    key: str
    text: str
    choices: tuple[tuple[str, str], ...]
    box: bool = False


def questions_of(chosen: ReviewSet, case: Mapping[str, Any]) -> tuple[Question, ...]:
    """Return what is asked about one case of a set."""
    if chosen.stage == "blind":
        return tuple(
            Question(name, name, PRESENCE, box=name != "No Finding") for name in chosen.observations
        )
    return (
        Question(MAP, f"Is the map on the finding, {case['observation']}?", COVERAGE),
        Question(
            SCORE,
            f"Is the score of {case['score']:.2f} for {case['observation']} believable?",
            BELIEF,
        ),
    )


def check_observations(names: Sequence[str]) -> tuple[str, ...]:
    """Return the observations in their order; the default where none is named.

    Raises:
        InputError: a name that is none of the 14.
    """
    for name in names:
        if name not in OBSERVATIONS:
            raise InputError(f"{name!r} is no observation; known are {', '.join(OBSERVATIONS)}.")
    return tuple(name for name in OBSERVATIONS if name in (names or DEFAULT_OBSERVATIONS))


def draw_blind(
    run: Run, observations: Sequence[str], *, count: int, seed: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Draw the cases of a blind form from the test images, and say how.

    Raises:
        InputError: there are no cases.
    """
    cases = pd.read_parquet(run.cases_file)
    test = cases[cases["split"] == "test"]
    if test.empty:
        raise InputError(f"{run.run_id} has no test images to read.")
    rng = np.random.default_rng(seed)
    drawn = sample_cases(test, observations, count=count, rng=rng)
    return drawn, {"seed": seed, "sampling": WORDS, "asked": count}


def blind_set(
    drawn: pd.DataFrame,
    pictures: Mapping[str, Picture],
    observations: Sequence[str],
    about: Mapping[str, Any],
) -> ReviewSet:
    """Return the drawn cases as a set, numbered in the order in which they are read."""
    cases = tuple(
        {
            "case": str(number),
            "image_id": image_id,
            "patient_id": patient_id,
            "weight": float(weight),
            "picture": pictures[image_id].digest,
        }
        for number, (image_id, patient_id, weight) in enumerate(
            zip(drawn["image_id"], drawn["patient_id"], drawn["weight"], strict=True), 1
        )
    )
    return ReviewSet("blind", tuple(observations), cases, about)


def maps_set(
    blind: ReviewSet,
    maps: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, Picture],
    overlays: Sequence[bytes],
    *,
    seed: int,
    each: int,
) -> ReviewSet:
    """Return the maps as a set, numbered in the order in which they are judged."""
    cases = tuple(
        {
            "case": str(number),
            **one,
            "picture": pictures[one["image_id"]].digest,
            "overlay": hashlib.sha256(overlay).hexdigest(),
        }
        for number, (one, overlay) in enumerate(zip(maps, overlays, strict=True), 1)
    )
    about = {
        "seed": seed,
        "blind": blind.digest,
        "sampling": f"at most {each} called cases of each network and finding",
    }
    return ReviewSet("maps", blind.observations, cases, about)


def write_form(
    path: Path,
    chosen: ReviewSet,
    pictures: Mapping[str, Picture],
    overlays: Mapping[str, bytes] | None = None,
    *,
    synthetic: bool,
) -> None:
    """Write the form: one HTML file that works without a network.

    Args:
        path: the file.
        chosen: the cases.
        pictures: by image id.
        overlays: PNG with transparency by case number; only for maps.
        synthetic: the images are phantoms.
    """
    shown = list(dict.fromkeys(str(case["image_id"]) for case in chosen.cases))
    content = {
        "format": "cxr-bench review answers",
        "version": 1,
        "stage": chosen.stage,
        "set": chosen.digest,
        "pictures": [_uri("jpeg", pictures[name].jpeg()) for name in shown],
        "cases": [
            {
                "case": case["case"],
                "picture": shown.index(str(case["image_id"])),
                "overlay": _uri("png", overlays[case["case"]]) if overlays else "",
                "questions": [
                    {"key": q.key, "text": q.text, "choices": q.choices, "box": q.box}
                    for q in questions_of(chosen, case)
                ],
            }
            for case in chosen.cases
        ],
    }
    page = render_page(
        "review.html.jinja",
        style="review.css",
        script="review.js",
        content=inert_json(content),
        stage=chosen.stage,
        count=len(chosen.cases),
        digest=chosen.digest,
        synthetic=synthetic,
    )
    write_text(path, page)


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
