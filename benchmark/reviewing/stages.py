"""The two stages of a review: reading blind, then judging the heatmaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.config import stored_config
from benchmark.events import Events
from benchmark.reviewing.export import (
    blind_set,
    check_observations,
    draw_blind,
    maps_set,
    write_form,
)
from benchmark.reviewing.folder import Reviews, ReviewSet
from benchmark.reviewing.pictures import read_pictures, source_files
from benchmark.runs import Run
from cxr.errors import InputError


@dataclass(frozen=True)
class Wanted:
    """How a form is to be made.

    Attributes:
        output: the HTML file.
        seed: which cases are drawn.
        size: pixels of a radiograph's longer side, at most.
        overrides: "section.key=value" items over the run's config.
        include_restricted: images of a restricted source may be shown.
    """

    output: Path
    seed: int
    size: int
    overrides: tuple[str, ...]
    include_restricted: bool

    def files(self, run: Run, events: Events) -> dict[str, Path]:
        """Return the file of each image of the run."""
        return source_files(
            run,
            overrides=self.overrides,
            include_restricted=self.include_restricted,
            events=events,
        )


def export_blind(
    run: Run, wanted: Wanted, count: int, observations: Sequence[str], events: Events
) -> ReviewSet:
    """Write the blind form and keep its cases beside the run.

    Raises:
        InputError: an unknown observation, no cases, or images that can't be had.
    """
    asked = check_observations(observations)
    drawn, about = draw_blind(run, asked, count=count, seed=wanted.seed)
    pictures = read_pictures(wanted.files(run, events), list(drawn["image_id"]), size=wanted.size)
    chosen = blind_set(drawn, pictures, asked, about)
    synthetic = bool(run.read()["cohort"]["synthetic"])
    write_form(wanted.output, chosen, pictures, synthetic=synthetic)
    Reviews(run).add_set(chosen)
    return chosen


def export_maps(run: Run, wanted: Wanted, each: int, digest: str, events: Events) -> ReviewSet:
    """Write the form for maps and keep its cases beside the run.

    Raises:
        InputError: no blind answers were imported, or images or checkpoints can't be had.
    """
    from benchmark.reviewing import maps  # torch, which a blind form does not need

    reviews = Reviews(run)
    blind = answered_blind(reviews, digest)
    values = run.read()
    config = stored_config(values["config"], where=f"{run.path}/run.json: config")
    asked = maps.called_maps(run, blind, config, each=each, seed=wanted.seed)
    image_ids = list(dict.fromkeys(one["image_id"] for one in asked))
    files = wanted.files(run, events)
    pictures = read_pictures(files, image_ids, size=wanted.size)
    eyes = maps.read_eyes(run, files, image_ids, config)
    overlays = maps.draw_overlays(run, asked, eyes, pictures, config)
    chosen = maps_set(blind, asked, pictures, overlays, seed=wanted.seed, each=each)
    by_case = {one["case"]: overlay for one, overlay in zip(chosen.cases, overlays, strict=True)}
    synthetic = bool(values["cohort"]["synthetic"])
    write_form(wanted.output, chosen, pictures, by_case, synthetic=synthetic)
    reviews.add_set(chosen)
    return chosen


def answered_blind(reviews: Reviews, digest: str) -> ReviewSet:
    """Return the blind form that was answered; maps before that would unblind its readers.

    Raises:
        InputError: none was, or several were and none of them is named.
    """
    answered = [each for each in reviews.sets("blind") if reviews.answers(each)]
    chosen = [each for each in answered if each.digest.startswith(digest)]
    if not answered:
        raise InputError(
            "no blind answers were imported yet, and whoever has seen maps can't read blind any "
            "more; first: cxr-bench review export RUN --stage blind, then review import."
        )
    if len(chosen) != 1:
        names = ", ".join(each.digest[:8] for each in answered)
        raise InputError(f"say which blind form the maps are for, as --of DIGEST: {names}.")
    return chosen[0]
