"""The gate: a run against floors and ceilings, or against a baseline, with a verdict for CI."""

from benchmark.gate.baseline import check_baseline
from benchmark.gate.files import read_baseline, write_baseline
from benchmark.gate.rendering import FORMATS, SUFFIXES, render
from benchmark.gate.thresholds import BaselineDemand, Demands, Threshold, read_demands
from benchmark.gate.verdict import Check, Verdict, check_run, merge

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "BaselineDemand",
    "Check",
    "Demands",
    "Threshold",
    "Verdict",
    "check_baseline",
    "check_run",
    "merge",
    "read_baseline",
    "read_demands",
    "render",
    "write_baseline",
]
