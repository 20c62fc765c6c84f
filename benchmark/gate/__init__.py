"""The gate: a run against floors and ceilings, or against a baseline, with a verdict for CI."""

from benchmark.gate.baseline import check_baseline
from benchmark.gate.rendering import FORMATS, render
from benchmark.gate.thresholds import Threshold, read_thresholds
from benchmark.gate.verdict import Check, Verdict, check_run, merge

__all__ = [
    "FORMATS",
    "Check",
    "Threshold",
    "Verdict",
    "check_baseline",
    "check_run",
    "merge",
    "read_thresholds",
    "render",
]
