"""The whole of `cxr-bench explain`: read the images, ask the networks, write the page."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmark.asking.answers import Case, write_answers
from benchmark.asking.capture import write_capture
from benchmark.asking.networks import open_networks
from benchmark.asking.page import render_page
from benchmark.asking.pictures import Picture, objections, read_picture
from benchmark.evaluation.points import Rule, parse_rule
from benchmark.events import Events
from benchmark.runs import read_run, write_text
from cxr.errors import InputError
from cxr.findings import NOTICE


def explain_images(
    folder: Path,
    images: Sequence[Path],
    output: Path,
    *,
    networks: Sequence[str],
    point: str | None,
    doubt: float,
    dicom: bool,
    anyway: bool,
    include_restricted: bool,
    events: Events,
) -> Path:
    """Ask a run's networks about images; return the page that tells what they answered.

    Args:
        folder: of the finished run.
        images: DICOM, PNG or JPEG files.
        output: folder that is written to.
        networks: names; empty for all.
        point: an operating point for all, a rule to choose one each, or None for the run's own.
        doubt: as `cxr.findings.call_observations` takes it.
        dicom: write Secondary Captures too.
        anyway: answer although an image is not of the networks' kind.
        include_restricted: show images and their names although the run's source is restricted.
        events: told of the progress.

    Raises:
        InputError: no such run or network, an image that can't be read, or one that the
            networks were not made for; nothing is written then.
    """
    run = read_run(folder)
    values = run.read()
    config, cohort = values["config"], values["cohort"]
    chosen = _point(point, float(config["evaluation"]["threshold"]))
    asked = open_networks(run, only=networks, point=chosen)
    cases = []
    for number, path in enumerate(images, 1):
        picture = read_picture(path, size=config["image"]["size"], fit=config["image"]["fit"])
        warnings = objections(
            picture, trained_on_phantoms=cohort["synthetic"], views=config["data"]["views"]
        )
        if warnings and not anyway:
            raise InputError(
                f"{path}: the networks were {warnings[0]}; choose other images, or add --anyway "
                "to get an answer that says so."
            )
        hidden = bool(cohort["restricted"]) and not include_restricted
        if dicom:
            _check_capture(picture, hidden)
        title = f"Image {number}" if hidden else path.name
        cases.append(Case(picture, title, tuple(warnings), hidden))
    about = {"run": _about(values, chosen)}
    answers = write_answers(output, about, cases, asked, doubt=doubt, events=events)
    if dicom:
        _write_captures(output, cases, answers)
    page = output / "explain.html"
    write_text(page, render_page(output, answers))
    return page


def _check_capture(picture: Picture, hidden: bool) -> None:
    """Raise InputError where no DICOM may, or can, be written of a picture."""
    if picture.header is None:
        raise InputError(f"{picture.path}: it is no DICOM, which --dicom needs; leave that out.")
    if hidden:
        raise InputError(
            "--dicom repeats the identity of each image, and the run's source is restricted; leave "
            "it out, or add --include-restricted."
        )


def _write_captures(folder: Path, cases: Sequence[Case], answers: dict[str, Any]) -> None:
    """Write every picture of a map as Secondary Capture beside it."""
    now = datetime.now()  # DICOM's times are local
    for case, image in zip(cases, answers["images"], strict=True):
        number = 0
        for network in image["networks"]:
            for name, found in network["observations"].items():
                if "overlay" not in found:
                    continue
                number += 1
                file = folder / found["overlay"]
                with Image.open(file) as opened:
                    picture = np.asarray(opened.convert("RGB"))
                write_capture(
                    file.with_suffix(".dcm"),
                    case.picture.path,
                    picture,
                    number=number,
                    words=f"{network['network']} for {name}. {network['maps']}. {NOTICE}",
                    now=now,
                )


def _point(given: str | None, usual: float) -> float | Rule:
    """Return the operating point for all observations, or how to choose one for each."""
    if given is None:
        return usual
    try:
        point = float(given)
    except ValueError:
        return parse_rule(given)
    if not 0 < point < 1:
        raise InputError(f"--point {given}: a score is above 0 and below 1.")
    return point


def _about(values: dict[str, Any], point: float | Rule) -> dict[str, Any]:
    cohort = values["cohort"]
    return {
        "run_id": values["run_id"],
        "protocol": values["protocol"]["name"],
        "cohort": cohort["name"],
        "synthetic": cohort["synthetic"],
        "restricted": cohort["restricted"],
        "points": (
            f"{point:g}"
            if isinstance(point, float)
            else f"chosen on the run's validation images, {point.meaning}"
        ),
    }
