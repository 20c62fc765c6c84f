"""What happens in which order: from a config to a finished run folder.

This module is meant to be read in one sitting. How each thing is done stands in the module that
it calls.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.card import check_pdf
from benchmark.card_files import write_card
from benchmark.cohorts import LABEL_COLUMNS, Prepared, digest_of, prepare
from benchmark.config import Config
from benchmark.description import describe_run
from benchmark.evaluation.documents import protocol_of, write_document
from benchmark.evaluation.preflight import foresee
from benchmark.evaluation.scoring import SCORES, evaluate_scores
from benchmark.events import Events, Silent
from benchmark.explanation.examples import explain_run
from benchmark.explanation.lesions import known_lesions, known_marks
from benchmark.inference.prediction import load_network, predict_split, read_scores
from benchmark.labels.reading import reading_document
from benchmark.runs import Run, finish_run, open_run, write_frame
from benchmark.training.devices import resolve_device
from benchmark.training.distribution import check_ranks, current_ranks, receive, share
from benchmark.training.ensembles import write_ensembles
from benchmark.training.loop import TrainingData, train_network
from benchmark.training.state import check_settings
from cxr.errors import InputError
from cxr.masks import Runs, decode_mask
from cxr.observations import OBSERVATIONS
from cxr.policy import targets


def run(config: Config, *, results: Path, events: Events) -> Run:
    """Carry out `config` and return the finished run.

    Goes on with an unfinished run of the same config, data and code where one stands.

    Raises:
        InputError: what the user has to mend; what was finished is kept.
    """
    check_before(config)
    clock = Clock()
    with clock.stage("data"):
        data = prepare(config, events)
    check_ranks(current_ranks(), data.cases)
    events.say(foresee(data.cases, config.evaluation))
    protocol = protocol_of(data.cases, config)
    key = f"{config.digest()} {digest_of(data)}"
    started = datetime.now(UTC)
    with open_run(
        results, protocol["name"], key=key, config_digest=config.digest(), now=started
    ) as (work, resumed):
        if resumed:
            events.say(f"Going on with the unfinished run {work.run_id}.")
        write_frame(work.cases_file, data.cases)
        data.cohort.exclusions.to_csv(work.exclusions_file, index=False)
        share(lambda: (work, key))
        for network, seed in _trained(config):
            with clock.stage(f"train {network} seed {seed}"):
                _train(work, data, config, network, seed, events)
        with clock.stage("evaluate"):
            notices = _evaluate(work, data, config, events)
        with clock.stage("explain"):
            _explain(work, data, config, events)
        description = describe_run(work, data, config, protocol, started, notices)
        work.write({**description, "timings": clock.seconds})
        with clock.stage("card"):
            write_card(work, pdf=config.card.pdf, events=events)
        work.write({**description, "timings": clock.seconds})
        return finish_run(work)


def follow(config: Config) -> None:
    """Train beside rank 0, which carries out the run and alone reads and writes its folder.

    Raises:
        InputError: this process sees other data than rank 0.
    """
    work, key = receive()
    data = prepare(config, Silent())
    if key != f"{config.digest()} {digest_of(data)}":
        raise InputError(
            f"process {current_ranks().rank} of this run reads other data or settings than the "
            "first; give each the same files and options."
        )
    for network, seed in _trained(config):
        _train(work, data, config, network, seed, Silent())


def check_before(config: Config) -> None:
    """Raise InputError for whatever would stop the run later: weights, device, Pango."""
    check_settings(config.training)
    if config.card.pdf:
        check_pdf()


def _train(
    work: Run, data: Prepared, config: Config, network: str, seed: int, events: Events
) -> None:
    """Train one network and keep its scores of the validation and test images."""
    folder = work.network(network, seed)
    if share((folder / SCORES).is_file):
        return
    wanted, counted = targets(
        data.cases[LABEL_COLUMNS].to_numpy(float),
        **vars(config.labels),
        rng=np.random.default_rng(seed),
    )
    split = data.cases["split"].to_numpy()
    material = TrainingData(
        pixels=data.pixels,
        train_rows=np.flatnonzero(split == "train"),
        validate_rows=np.flatnonzero(split == "validate"),
        targets=wanted,
        counted=counted,
        image_ids=data.cases["image_id"].tolist(),
    )
    train_network(network, material, config.training, seed=seed, folder=folder, events=events)
    if not current_ranks().first:
        return
    scores = predict_split(network, folder, data.cases, data.pixels, config.training, events)
    write_frame(folder / SCORES, scores)


def _evaluate(work: Run, data: Prepared, config: Config, events: Events) -> list[str]:
    """Write the metrics of every network and their comparison; return the preflight's words."""
    scores = {pair: read_scores(work.network(*pair) / SCORES) for pair in _trained(config)}
    if config.training.ensemble:
        scores |= write_ensembles(work, scores)
    notices = evaluate_scores(work, data.cases, scores, config.evaluation, events)
    if reading := reading_document(data.cohort):
        write_document(reading, work.path / "label_reading.json")
    return notices


def _explain(work: Run, data: Prepared, config: Config, events: Events) -> None:
    """Write examples and localization of every network that has none yet."""
    cohort, split = data.cohort, data.cases["split"]
    shown = np.flatnonzero(split.isin(("validate", "test")))
    runs = known_lesions(config, cohort, events)
    masks, lesions = (
        _decoded(runs, data.cases.loc[rows, "image_id"]) if runs else None
        for rows in (split != "train", split == "train")
    )
    marks = _decoded(known_marks(cohort), data.cases["image_id"])
    training = config.training
    device = resolve_device(training.device)
    for network, seed in _trained(config):
        folder = work.network(network, seed)
        if (folder / "explanations" / "index.json").is_file():
            continue
        explain_run(
            network=network,
            seed=seed,
            model=load_network(network, folder, training, device),
            pixels=data.pixels[shown],
            cases=data.cases.iloc[shown],
            logits=read_scores(folder / SCORES)[list(OBSERVATIONS)].to_numpy(float),
            masks=masks,
            train_masks=lesions,
            settings=config.explanation,
            evaluation=config.evaluation,
            folder=folder,
            restricted=cohort.restricted and not config.card.include_restricted,
            device=device,
            events=events,
            fit=config.image.fit,
            marks=marks,
            siblings=[
                partial(load_network, network, work.network(network, other), training, device)
                for other in training.seeds
                if other != seed
            ],
        )


def _decoded(
    runs: dict[str, dict[str, Runs]], image_ids: pd.Series
) -> dict[str, dict[str, np.ndarray]]:
    return {
        image_id: {name: decode_mask(outline) for name, outline in runs[image_id].items()}
        for image_id in image_ids
        if image_id in runs
    }


def _trained(config: Config) -> list[tuple[str, int]]:
    training = config.training
    return [(network, seed) for network in training.networks for seed in training.seeds]


class Clock:
    """Seconds spent per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what the block takes under `name`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 2)
