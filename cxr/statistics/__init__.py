"""Uncertainty of metrics, with the patient as the unit: resampling, intervals, tests."""

from cxr.statistics.comparison import holm, two_sided_p
from cxr.statistics.delong import ClusteredAurocs, clustered_aurocs
from cxr.statistics.intervals import Interval, logit_interval, percentile_interval
from cxr.statistics.resampling import (
    PatientResample,
    RankedReplicates,
    ranked_replicates,
    replicate_means,
    resample_patients,
)

__all__ = [
    "ClusteredAurocs",
    "Interval",
    "PatientResample",
    "RankedReplicates",
    "clustered_aurocs",
    "holm",
    "logit_interval",
    "percentile_interval",
    "ranked_replicates",
    "replicate_means",
    "resample_patients",
    "two_sided_p",
]
