"""What the terminal shows when a run is done: the figures that matter and where the card is."""

from benchmark.runs import Run, read_json
from cxr.estimates import Estimate


def summary(run: Run) -> str:
    """Return a few lines: per network the macro AUROC with its interval, then the files."""
    values = run.read()
    lines = [_title(values)]
    for entry in values["networks"]:
        metrics = read_json(run.path / entry["folder"] / "metrics.json")
        macro = metrics["macro"]["auroc"]
        auroc = _words(Estimate.from_json(macro))
        lines.append(
            f"  {entry['name']} (seed {entry['seed']}): macro AUROC {auroc} over "
            f"{macro['over']} of 14 observations"
        )
    lines.append(f"  {run.path / 'card.html'}")
    return "\n".join(lines)


def _title(values: dict) -> str:
    test = values["data"]["splits"]["test"]
    synthetic = "SYNTHETIC, not for clinical conclusions; " if values["cohort"]["synthetic"] else ""
    return (
        f"{values['cohort']['name']} ({synthetic}{test['images']} test images of "
        f"{test['patients']} patients)"
    )


def _words(estimate: Estimate) -> str:
    if not estimate.known:
        return f"not estimable ({estimate.reason})"
    return f"{estimate.estimate:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
