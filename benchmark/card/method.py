"""How a run was made, as the card tells it: method, provenance, digests, time, how to redo it."""

import json
from collections.abc import Sequence

from benchmark.card import words
from benchmark.card.model import Checkpoint, Fact
from benchmark.card.numbers import fact, number
from benchmark.evaluation.transfer import FILE as EXTERNAL
from benchmark.evidence import Evidence

METRICS = (
    ("auroc", "AUROC"),
    ("partial_auroc", "partial AUROC"),
    ("average_precision", "average precision"),
    ("average_precision_lift", "average precision over prevalence"),
    ("f1", "F1"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("specificity", "specificity"),
    ("npv", "NPV"),
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced accuracy"),
    ("mcc", "Matthews correlation"),
    ("brier", "Brier score"),
    ("log_loss", "log loss"),
)


def build_method(evidence: Evidence) -> tuple[Fact, ...]:
    """Return how the networks were trained, from the resolved config."""
    config = "run.json#config."
    size = evidence.value(f"{config}image.size")
    fit = words.term(str(evidence.value(f"{config}image.fit")))
    pixels = f"{size} × {size}, {fit}" if size else ""
    fractions = evidence.value(f"{config}split.fractions")
    method = evidence.value(f"{config}split.method")
    split = {"seeded": "seeded hash of the patient", "official": "the source's own"}.get(
        str(method), words.NOT_PROVIDED
    )
    kept, alone = "best macro AUROC on the validation split", "none; each checkpoint stands alone"
    if not evidence.trained_here:
        kept = alone = words.NOT_PROVIDED
    if method == "seeded" and fractions:
        split += " (" + " / ".join(words.percent(f, 1) for f in fractions) + ")"
    return (
        fact(evidence, "Preset", f"{config}preset"),
        Fact("Patients", _sample(evidence)),
        Fact("Split, by patient", split),
        fact(evidence, "Split seed", f"{config}split.seed"),
        Fact("Input (pixels)", pixels or words.NOT_PROVIDED),
        fact(evidence, "Starting weights", f"{config}training.weights"),
        fact(evidence, "Loss", f"{config}training.loss"),
        fact(evidence, "Output starts at the prevalence", f"{config}training.prior_bias"),
        fact(evidence, "Optimizer", f"{config}training.optimizer"),
        _plain(evidence, "Learning rate", f"{config}training.learning_rate"),
        fact(evidence, "Schedule", f"{config}training.schedule"),
        fact(evidence, "Batch size", f"{config}training.batch_size"),
        fact(evidence, "Epochs, at most", f"{config}training.epochs"),
        fact(evidence, "Seeds", f"{config}training.seeds"),
        fact(evidence, "Precision", f"{config}training.precision"),
        Fact("Checkpoint kept", kept),
        Fact("Ensembling", alone),
        _plain(evidence, "Operating point", f"{config}evaluation.threshold"),
        *_interval_methods(evidence),
        fact(evidence, "Bootstrap replicates", f"{config}evaluation.replicates"),
        fact(
            evidence,
            "Patients needed",
            f"{config}evaluation.min_patients",
            note="of each class; with fewer an observation is not estimable",
        ),
        fact(evidence, "Explanations", f"{config}explanation.method"),
    )


def _sample(evidence: Evidence) -> str:
    limit = evidence.value("run.json#config.limit.patients")
    if limit is None:
        return words.NOT_PROVIDED
    return f"{limit}, sampled by seeded hash before the split" if limit else "all"


def _interval_methods(evidence: Evidence) -> tuple[Fact, ...]:
    """Which metric's intervals were made how, as the estimates themselves tell."""
    folder = evidence.value("run.json#networks.0.folder")
    observations = evidence.value(f"{folder}/metrics.json#observations")
    by_method: dict[str, list[str]] = {}
    for metric, name in METRICS:
        found = (record.get(metric) or {} for record in (observations or {}).values())
        method = next((entry["method"] for entry in found if entry.get("method")), None)
        if method:
            by_method.setdefault(method, []).append(name)
    if not by_method:
        return (Fact("95 % intervals", words.NOT_PROVIDED),)
    return tuple(
        Fact(f"95 % intervals: {words.listed(names)}", method)
        for method, names in by_method.items()
    )


def _plain(evidence: Evidence, name: str, source: str) -> Fact:
    return Fact(name, number(evidence, source, lambda value: f"{value:g}"))


def build_provenance(evidence: Evidence) -> tuple[Fact, ...]:
    """Return code, versions and machine."""
    base = "run.json#provenance."
    packages = evidence.value(f"{base}packages")
    if not isinstance(packages, dict):
        packages = {
            name: evidence.value(f"{base}{name}")
            for name in ("torch", "torchvision", "numpy")
            if evidence.value(f"{base}{name}")
        }
    return (
        fact(evidence, "Run", "run.json#run_id"),
        fact(evidence, "Status", "run.json#status"),
        fact(evidence, "cxr-bench", f"{base}cxr_bench"),
        fact(evidence, "Code (git)", f"{base}git"),
        fact(evidence, "Python", f"{base}python"),
        Fact(
            "Packages",
            ", ".join(f"{name} {version}" for name, version in packages.items())
            or words.NOT_PROVIDED,
        ),
        fact(evidence, "System", f"{base}platform"),
        fact(evidence, "Processor", f"{base}cpu"),
        fact(evidence, "Device", f"{base}device"),
        fact(evidence, "Threads", f"{base}threads"),
        Fact("Started", words.moment(str(evidence.value("run.json#started") or ""))),
        Fact("Finished", words.moment(str(evidence.value("run.json#finished") or ""))),
    )


def build_hashes(evidence: Evidence, checkpoints: Sequence[Checkpoint]) -> tuple[Fact, ...]:
    """Return the digests of protocol, config and weights."""
    return (
        fact(evidence, "Protocol", "run.json#protocol.digest"),
        fact(evidence, "Config", "run.json#config_digest"),
        fact(evidence, "Labeler version", "run.json#labels.labeler_version"),
        fact(evidence, "Preprocessing version", "run.json#preprocessing_version"),
        *(
            fact(
                evidence,
                f"Weights of {c.name} (SHA-256)",
                f"{c.folder}/training.json#weights_sha256",
            )
            for c in checkpoints
        ),
    )


def build_timings(evidence: Evidence) -> tuple[Fact, ...]:
    """Return how long each stage took, but for the card, which can't know its own time."""
    timings = evidence.value("run.json#timings")
    if not isinstance(timings, dict) or not timings:
        return (Fact("Stages", words.NOT_PROVIDED),)
    return tuple(
        Fact(str(name), number(evidence, f"run.json#timings.{name}", words.seconds))
        for name in timings
        if name != "card"
    )


def build_reproduce(evidence: Evidence) -> tuple[str, ...]:
    """Return the lines that do it again: the code's version, the command, the whole config."""
    git = evidence.value("run.json#provenance.git")
    checkout = f"git checkout {str(git).removesuffix('+changes')}" if git else ""
    return tuple(line for line in (checkout, _command(evidence)) if line)


def _command(evidence: Evidence) -> str:
    """The command that made the run; a run of given scores names the files."""
    config = "run.json#config."
    source = evidence.value(f"{config}data.source")
    data = "" if source == "synthetic" else " --data FOLDER"
    if not evidence.trained_here:
        files = [
            f"'{entry['name']}-seed{entry['seed']}={entry['scores']['file']}'"
            for entry in evidence.value("run.json#networks") or ()
        ]
        truth = evidence.value("run.json#labels.file")
        return f"cxr-bench evaluate {' '.join(files)} --truth '{truth}'"
    if evidence.document(EXTERNAL):
        settings = f" --set data.source={source}"
        if source == "synthetic":
            settings = "".join(
                f" --set synth.{name}={evidence.value(f'{config}synth.{name}')}"
                for name in ("studies", "seed", "conspicuity")
            )
        return f"cxr-bench external RUN{settings}{data}"
    preset = evidence.value(f"{config}preset")
    return f"cxr-bench run --preset {preset} --config config.toml{data}" if preset else ""


def build_config(evidence: Evidence) -> str:
    """Return the resolved config as TOML; what is private to the source stays out."""
    sections = evidence.value("run.json#config")
    lines = []
    for name, values in (sections if isinstance(sections, dict) else {}).items():
        if isinstance(values, dict):
            lines.append(f"[{name}]")
            lines += [
                f"{setting} = {json.dumps(value)}"
                for setting, value in values.items()
                if value is not None and value != "(restricted)"
            ]
            lines.append("")
    return "\n".join(lines).strip()
