"""A run folder from score tables alone: for networks that were trained elsewhere.

Everything but training and explanations: metrics with intervals, comparison, figures, card, and
what the gate reads.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.card import check_pdf
from benchmark.card_files import write_card
from benchmark.config import Config
from benchmark.description import describe_data
from benchmark.evaluation.documents import LABEL_COLUMNS, protocol_of, scored_columns
from benchmark.evaluation.scoring import SCORES, evaluate_scores
from benchmark.events import Events
from benchmark.locations import id_key
from benchmark.provenance import provenance
from benchmark.runs import SCHEMA, Run, file_digest, finish_run, open_run, write_frame
from benchmark.scores.matching import Matched, hide_ids, match
from benchmark.scores.tables import Predictions, Scale, read_predictions
from benchmark.scores.truth import Truth, read_truth
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS

SOURCE = "scores"
"""What run.json calls this source of data."""


@dataclass(frozen=True)
class GivenScores:
    """What was given to evaluate.

    Attributes:
        truth: the right answers.
        tables: one of each network and seed.
        name: what to call the cohort.
        restricted: whether original ids must stay out of the run folder.
        synthetic: whether the images are phantoms; every output then says so.
    """

    truth: Truth
    tables: Sequence[Predictions]
    name: str
    restricted: bool
    synthetic: bool = False


def read_given(
    predictions: Sequence[tuple[str, Path]],
    truth: Path,
    *,
    patients: str = "",
    groups: Sequence[str] = (),
    columns: Sequence[tuple[str, str]] = (),
    id_column: str = "",
    scale: Scale = "auto",
    name: str = "",
    restricted: bool | None = None,
    synthetic: bool = False,
) -> GivenScores:
    """Read the tables.

    Args:
        predictions: name (empty: the file's) and file of each table of scores.
        truth: the table of labels.
        patients: the column of `truth` that tells the patient, where its name doesn't.
        groups: columns of `truth` that make subgroups beside sex, age and view.
        columns: (column, observation) pairs, where the columns' names don't tell.
        id_column: the column of the image ids, where its name doesn't tell.
        scale: what the scores are.
        name: what to call the cohort; empty: the file's name.
        restricted: None: where the ids are MIMIC-CXR's.
        synthetic: whether the images are phantoms.

    Raises:
        InputError: what is wrong with a table; a column in `columns` that no table has.
    """
    labels = read_truth(truth, patients=patients, groups=groups, given=columns, id_column=id_column)
    tables = [
        read_predictions(file, name=label, scale=scale, given=columns, id_column=id_column)
        for label, file in predictions
    ]
    known = {*labels.columns, *(column for table in tables for column in table.columns)}
    for column, _ in columns:
        if column not in known:
            raise InputError(f"no table has a column '{column}'; check the name in --column.")
    return GivenScores(
        truth=labels,
        tables=tables,
        name=name or truth.name.split(".")[0],
        restricted=labels.restricted and not synthetic if restricted is None else restricted,
        synthetic=synthetic,
    )


def evaluate_given(given: GivenScores, config: Config, *, results: Path, events: Events) -> Run:
    """Evaluate given scores and return the finished run.

    Args:
        given: labels and scores.
        config: its sections [evaluation] and [card] count.
        results: where the run gets a folder, below its protocol's.
        events: told what was seen.

    Raises:
        InputError: what the user has to mend.
    """
    if config.card.pdf:
        check_pdf()
    for sentence in describe_tables(given):
        events.say(sentence)
    matched = match(given.truth, given.tables)
    for sentence in matched.notices:
        events.say(sentence)
    if given.restricted:
        matched = hide_ids(matched, id_key())
    cases = matched.cases
    _refuse_nothing_to_measure(cases, given.truth)
    protocol = protocol_of(cases, config)
    protocol["name"] = f"{SOURCE}-{protocol['digest'][:8]}"
    settings = {name: asdict(getattr(config, name)) for name in ("evaluation", "card")}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    started = datetime.now(UTC)
    with open_run(
        results,
        protocol["name"],
        key=f"{digest} {_digest_of(matched)}",
        config_digest=digest,
        now=started,
    ) as (work, _):
        write_frame(work.cases_file, cases)
        matched.exclusions.to_csv(work.exclusions_file, index=False)
        for pair, table in matched.scores.items():
            write_frame(work.network(*pair) / SCORES, table)
        look = "validate" if (cases["split"] == "validate").any() else "test"
        notices = evaluate_scores(work, cases, matched.scores, config.evaluation, events, look=look)
        work.write(
            {
                **_describe(work, given, matched, started, [*matched.notices, *notices]),
                "protocol": protocol,
                "config": {"data": {"source": SOURCE, "labels": "columns"}, **settings},
                "config_digest": digest,
            }
        )
        write_card(work, pdf=config.card.pdf, events=events)
        return finish_run(work)


def describe_tables(given: GivenScores) -> list[str]:
    """Return what was understood of the tables, in sentences: nobody should have to guess."""
    said = []
    for table in given.tables:
        told = [name for name in OBSERVATIONS if name not in lacking(table)]
        sentence = (
            f"{table.file}: {table.network}, seed {table.seed}, {len(table.ids)} rows; scores are "
            f"{'probabilities' if table.scale == 'probability' else 'logits'} of "
            f"{len(told)} of the 14 observations."
        )
        if lacking(table):
            sentence += f" It does not tell {', '.join(lacking(table))}."
        if table.unused:
            sentence += f" Not read: {', '.join(table.unused)}."
        said += [sentence, *table.notices]
    unlabeled = [name for name in OBSERVATIONS if name not in given.truth.annotated]
    if unlabeled:
        said.append(f"{given.truth.file} has no labels of {', '.join(unlabeled)}.")
    if given.truth.unused:
        said.append(f"{given.truth.file}: not read: {', '.join(given.truth.unused)}.")
    return said


def lacking(table: Predictions) -> list[str]:
    """Return the observations that a network does not tell."""
    told = scored_columns(table.logits)
    return [name for name, one in zip(OBSERVATIONS, told, strict=True) if not one]


def _refuse_nothing_to_measure(cases: pd.DataFrame, truth: Truth) -> None:
    labels = cases.loc[cases["split"] == "test", LABEL_COLUMNS].to_numpy(float)
    present = np.isin(labels, (1.0, -1.0))
    if not (present.any(axis=0) & ~present.all(axis=0)).any():
        raise InputError(
            f"{truth.file}: in the {len(labels)} matched cases no observation is present in some "
            "and absent in others, so nothing can be measured; are these the right labels?"
        )


def _describe(
    work: Run,
    given: GivenScores,
    matched: Matched,
    started: datetime,
    notices: Sequence[str],
) -> dict[str, Any]:
    """Return run.json, less protocol and config."""
    tables = {(table.network, table.seed): table for table in given.tables}
    machine = provenance(device="", threads=0)
    return {
        "schema": SCHEMA,
        "status": "finished",
        "run_id": work.run_id,
        "cohort": {
            "name": given.name,
            "synthetic": given.synthetic,
            "restricted": given.restricted,
            "notes": {},
        },
        "data": describe_data(matched.cases, matched.exclusions),
        "labels": {"source": "columns", "file": given.truth.file},
        "networks": [_network(work, table) for table in tables.values()],
        "notices": list(notices),
        "deviations": [
            "The networks were trained elsewhere, on data and with settings that are not known "
            "here; only their scores were evaluated.",
        ],
        "provenance": {
            name: machine[name] for name in machine if name not in ("device", "threads")
        },
        "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "finished": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def _network(work: Run, table: Predictions) -> dict[str, Any]:
    folder = work.network(table.network, table.seed)
    return {
        "name": table.network,
        "seed": table.seed,
        "folder": folder.relative_to(work.path).as_posix(),
        "scores": {
            "file": table.file,
            "scale": table.scale,
            "lacking": lacking(table),
            "sha256": file_digest(folder / SCORES),
        },
    }


def _digest_of(matched: Matched) -> str:
    digest = hashlib.sha256()
    frames: Mapping[Any, pd.DataFrame] = {"cases": matched.cases, **matched.scores}
    for name, frame in frames.items():
        digest.update(repr(name).encode())
        digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]
