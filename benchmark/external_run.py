"""A run's networks on another collection: a run folder of their own, with what they lose there."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.card import check_pdf
from benchmark.card_files import write_card
from benchmark.cohorts import Prepared, digest_of, prepare
from benchmark.config import Config, LimitConfig, SplitConfig, stored_config
from benchmark.description import describe_run
from benchmark.evaluation.documents import protocol_of, write_document
from benchmark.evaluation.scoring import SCORES, evaluate_scores, logits_of
from benchmark.evaluation.transfer import FILE, Sample, transfer, transfer_words
from benchmark.events import Events
from benchmark.inference.new_images import Trained, open_trained
from benchmark.inference.prediction import predict
from benchmark.runs import Run, finish_run, open_run, read_run, write_frame
from benchmark.training.devices import resolve_device
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.sources import SOURCES

TRAINING = "training.json"


def external_config(run: Run, overrides: Sequence[str]) -> Config:
    """Return the settings of an external test: the run's, and another collection's data.

    Args:
        run: the run whose networks are tested.
        overrides: "section.key=value" items; those of [data], [synth], [limit] and [split] say
            which collection.

    Raises:
        InputError: an unknown or impossible setting.
    """
    told = [item.partition("=")[0].strip() for item in overrides]
    for name in told:
        if name.startswith("image."):
            raise InputError(f"--set {name}: the networks were trained on images as they are.")
    values = run.read()["config"]
    base: dict[str, Any] = {
        **values,
        "data": {name: values["data"][name] for name in ("source", "labels")},
        "limit": vars(LimitConfig()),
        "split": vars(SplitConfig()),
    }
    if "data.source" in told and "data.labels" not in told:
        source = overrides[told.index("data.source")].partition("=")[2].strip().strip("\"'")
        usual = SOURCES[source].labels[0] if source in SOURCES else values["data"]["labels"]
        base["data"]["labels"] = usual
    return stored_config(base, where=str(run.path / "run.json"), overrides=overrides)


def run_external(path: Path, config: Config, *, results: Path, events: Events) -> Run:
    """Test a run's networks on the collection that `config` names; return the new run.

    Args:
        path: the finished run, with its checkpoints.
        config: as `external_config` gives it.
        results: where the new run gets a folder.
        events: told the progress.

    Raises:
        InputError: no finished run, no checkpoints, or what is wrong with the data.
    """
    if config.card.pdf:
        check_pdf()
    run = read_run(path)
    networks = open_trained(run, device=config.training.device)
    data = _all_tested(prepare(config, events, filled=False), run, config)
    protocol = protocol_of(data.cases, config)
    protocol["name"] = f"external-{protocol['name']}"
    started = datetime.now(UTC)
    key = f"{run.run_id} {config.digest()} {digest_of(data)}"
    with open_run(
        results, protocol["name"], key=key, config_digest=config.digest(), now=started
    ) as (work, _):
        write_frame(work.cases_file, data.cases)
        data.cohort.exclusions.to_csv(work.exclusions_file, index=False)
        scores = {
            (network.name, network.seed): _score(network, data, config, events)
            for network in networks
        }
        for pair, table in scores.items():
            write_frame(work.network(*pair) / SCORES, table)
            shutil.copy(run.network(*pair) / TRAINING, work.network(*pair) / TRAINING)
        notices = evaluate_scores(work, data.cases, scores, config.evaluation, events, look="test")
        document = _document(run, data.cases, scores, config)
        write_document(document, work.path / FILE)
        for sentence in document["words"]:
            events.say(sentence)
        trained = _with_networks(config, networks)
        described = describe_run(work, data, trained, protocol, started, notices)
        deviations = [
            f"The networks were trained in run {run.run_id}; nothing here was trained or chosen "
            "on these images, all of which are tested.",
        ]
        work.write(described | {"deviations": deviations})
        write_card(work, pdf=config.card.pdf, events=events)
        return finish_run(work)


def _with_networks(config: Config, networks: Sequence[Trained]) -> Config:
    names = tuple(dict.fromkeys(network.name for network in networks))
    seeds = tuple(dict.fromkeys(network.seed for network in networks))
    return replace(config, training=replace(config.training, networks=names, seeds=seeds))


def _all_tested(data: Prepared, run: Run, config: Config) -> Prepared:
    """Make every image a test image, but for patients whom the networks were trained on."""
    cases = data.cases.assign(split="test")
    if not _same_patients(run, config):
        return replace(data, cases=cases)
    known = pd.read_parquet(run.cases_file, columns=["patient_id", "split"])
    seen = set(known.loc[known["split"] != "test", "patient_id"])
    kept = ~cases["patient_id"].isin(seen).to_numpy()
    if not kept.any():
        raise InputError(
            f"every patient of this collection was in the training of {run.run_id}; an external "
            "test needs other patients."
        )
    left = cases.loc[~kept, ["image_id", "study_id", "patient_id"]]
    left = left.assign(reason="the patient was in the networks' training or validation")
    exclusions = pd.concat([data.cohort.exclusions, left], ignore_index=True)
    return Prepared(
        **{
            **vars(data),
            "cohort": replace(data.cohort, exclusions=exclusions),
            "cases": cases[kept].reset_index(drop=True),
            "pixels": data.pixels[np.flatnonzero(kept)],
        }
    )


def _same_patients(run: Run, config: Config) -> bool:
    """Whether equal ids are equal people: one source, and of phantoms one seed."""
    told = run.read()["config"]
    same = told["data"]["source"] == config.data.source
    return same and (
        config.data.source != "synthetic" or told["synth"]["seed"] == config.synth.seed
    )


def _score(network: Trained, data: Prepared, config: Config, events: Events) -> pd.DataFrame:
    events.stage(f"Scoring with {network.name}", total=len(data.cases), unit="images")
    logits = predict(
        network.model,
        data.pixels,
        np.arange(len(data.cases)),
        batch_size=config.training.batch_size,
        device=resolve_device(config.training.device),
        precision=config.training.precision,
        progress=events.advance,
    )
    table = pd.DataFrame(logits, columns=list(OBSERVATIONS))
    return pd.concat([data.cases[["image_id", "split"]].reset_index(drop=True), table], axis=1)


def _document(
    run: Run,
    cases: pd.DataFrame,
    scores: Mapping[tuple[str, int], pd.DataFrame],
    config: Config,
) -> dict[str, Any]:
    """Return external.json."""
    internal = pd.read_parquet(run.cases_file)
    internal = internal[internal["split"] == "test"].reset_index(drop=True)
    if not _same_patients(run, config):  # equal ids are a coincidence, and no equal people
        internal["patient_id"] = "run " + internal["patient_id"].astype(str)
    found = {}
    for (name, seed), table in scores.items():
        own = pd.read_parquet(run.network(name, seed) / SCORES)
        before, after = logits_of(own, "test"), logits_of(table, "test")
        found[f"{name}/seed-{seed}"] = transfer(
            Sample(internal, before), Sample(cases, after), config.evaluation
        )
    told = run.read()
    return {
        "schema": 1,
        "run": run.run_id,
        "internal": {
            "cohort": told["cohort"]["name"],
            "images": len(internal),
            "patients": int(internal["patient_id"].nunique()),
            "synthetic": bool(told["cohort"]["synthetic"]),
        },
        "external": {"images": len(cases), "patients": int(cases["patient_id"].nunique())},
        "direction": "external minus internal; below 0 the network is worse there",
        "adjustment": "Holm",
        "networks": found,
        "words": transfer_words(_titled(found)),
    }


def _titled(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the documents under the networks' names, with their seeds where one has several."""
    names = [folder.partition("/")[0] for folder in found]
    return {
        name if names.count(name) == 1 else folder.replace("/seed-", ", seed "): document
        for name, (folder, document) in zip(names, found.items(), strict=True)
    }
