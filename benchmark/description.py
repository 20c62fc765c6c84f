"""run.json: what a run was told, what it saw and where it ran, as plain values."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from benchmark.cohorts import LABEL_COLUMNS, Prepared
from benchmark.config import Config
from benchmark.differences import differences_from_study
from benchmark.headers import describe_ages
from benchmark.provenance import provenance
from benchmark.runs import SCHEMA, Run, read_json
from cxr.dicom import PREPROCESSING_VERSION
from cxr.labeling import labeler_version
from cxr.observations import NEGATIVE, OBSERVATIONS, POSITIVE, UNCERTAIN
from cxr.studies import SPLITS

_PRIVATE_KEYS = ("path", "reports", "tables", "patients")


def describe_run(
    run: Run,
    data: Prepared,
    config: Config,
    protocol: Mapping[str, Any],
    started: datetime,
    notices: Sequence[str],
) -> dict[str, Any]:
    """Return the content of run.json, less the timings, for a run that is trained and evaluated.

    Args:
        run: the folder, for its id and the trained networks in it.
        data: what was trained and tested on.
        config: the resolved config.
        protocol: as `benchmark.evaluation.documents.protocol_of` gives it.
        started: UTC.
        notices: what the preflight saw, in sentences.
    """
    cohort = data.cohort
    images = {str(name): int(n) for name, n in data.cases["split"].value_counts().items()}
    networks = [
        {
            "name": name,
            "seed": seed,
            "folder": run.network(name, seed).relative_to(run.path).as_posix(),
        }
        for name in config.training.networks
        for seed in config.training.seeds
    ]
    trained = read_json(
        run.network(config.training.networks[0], config.training.seeds[0]) / "training.json"
    )
    return {
        "schema": SCHEMA,
        "status": "finished",
        "run_id": run.run_id,
        "protocol": dict(protocol),
        "config": _shared_config(config, restricted=cohort.restricted),
        "config_digest": config.digest(),
        "cohort": {
            "name": cohort.name,
            "synthetic": cohort.synthetic,
            "restricted": cohort.restricted,
            "notes": dict(cohort.notes),
        },
        "data": describe_data(data.cases, cohort.exclusions)
        | data.headers
        | describe_ages(cohort.table.drop_duplicates("patient_id")["age"]),
        "labels": {
            "source": cohort.label_source,
            "labeler_version": labeler_version() if cohort.label_source == "report" else None,
            "uncertain": config.labels.uncertain,
            "blank": config.labels.blank,
        },
        "preprocessing_version": PREPROCESSING_VERSION,
        "networks": networks,
        "notices": list(notices),
        "deviations": differences_from_study(config, cohort, images),
        "provenance": provenance(
            device=str(trained["device"]), threads=int(trained.get("threads", 0))
        ),
        "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "finished": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def describe_data(cases: pd.DataFrame, exclusions: pd.DataFrame) -> dict[str, Any]:
    """Return counts of images, studies and patients, in all and per split and label value."""
    return {
        **_counts(cases),
        "splits": {name: _counts(cases[cases["split"] == name]) for name in SPLITS},
        "prevalence": {
            name: _label_counts(cases, column)
            for name, column in zip(OBSERVATIONS, LABEL_COLUMNS, strict=True)
        },
        "views": _value_counts(cases["view"]),
        "sexes": _value_counts(cases.drop_duplicates("patient_id")["sex"]),
        "age_bands": _value_counts(cases.drop_duplicates("patient_id")["age_band"]),
        "exclusions": _value_counts(exclusions["reason"]),
        "excluded": len(exclusions),
    }


def _counts(cases: pd.DataFrame) -> dict[str, int]:
    return {
        "images": len(cases),
        "studies": int(cases.loc[cases["study_id"] != "", "study_id"].nunique()),
        "patients": int(cases["patient_id"].nunique()),
    }


def _label_counts(cases: pd.DataFrame, column: str) -> dict[str, int]:
    values = cases[column]
    return {
        "positive": int((values == POSITIVE).sum()),
        "negative": int((values == NEGATIVE).sum()),
        "uncertain": int((values == UNCERTAIN).sum()),
        "blank": int(values.isna().sum()),
        "positive_patients": int(cases.loc[values == POSITIVE, "patient_id"].nunique()),
    }


def _value_counts(values: pd.Series) -> dict[str, int]:
    counts = values.replace("", "unknown").value_counts()
    return {str(value): int(count) for value, count in sorted(counts.items())}


def _shared_config(config: Config, *, restricted: bool) -> dict[str, Any]:
    """The config without folder names where the source is restricted."""
    values = config.as_json()
    if restricted:
        for key in _PRIVATE_KEYS:
            if values["data"][key]:
                values["data"][key] = "(restricted)"
    return values
