"""Uncertainty of metrics, with the patient as the unit: resampling, intervals, tests."""

from cxr.statistics.comparison import holm, permutation_p, seed_variance, two_sided_p
from cxr.statistics.coverage import Coverage, coverage_table
from cxr.statistics.delong import ClusteredAurocs, clustered_aurocs
from cxr.statistics.differences import (
    Answered,
    AreaDifference,
    paired_area_difference,
    unpaired_area_difference,
)
from cxr.statistics.intervals import (
    EXTRA_FREEDOM,
    UNKNOWN,
    Interval,
    area_freedom,
    auroc_interval,
    difference_interval,
    effective_patients,
    logit_interval,
    patient_freedom,
    percentile_interval,
    pooled_freedom,
    ratio_interval,
    replicate_error,
    replicate_interval,
    wilson_interval,
)
from cxr.statistics.resampling import (
    PatientResample,
    RankedReplicates,
    ranked_replicates,
    replicate_means,
    resample_patients,
)

__all__ = [
    "EXTRA_FREEDOM",
    "UNKNOWN",
    "Answered",
    "AreaDifference",
    "ClusteredAurocs",
    "Coverage",
    "Interval",
    "PatientResample",
    "RankedReplicates",
    "area_freedom",
    "auroc_interval",
    "clustered_aurocs",
    "coverage_table",
    "difference_interval",
    "effective_patients",
    "holm",
    "logit_interval",
    "paired_area_difference",
    "patient_freedom",
    "percentile_interval",
    "permutation_p",
    "pooled_freedom",
    "ranked_replicates",
    "ratio_interval",
    "replicate_error",
    "replicate_interval",
    "replicate_means",
    "resample_patients",
    "seed_variance",
    "two_sided_p",
    "unpaired_area_difference",
    "wilson_interval",
]
