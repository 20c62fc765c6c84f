"""The labeler: reports to the 14 observations, with evidence.

sections -> sentences -> mentions -> assertion -> aggregation, each a small pure step. What is
known of radiology lies in data files: `findings/`, `triggers.txt`, `words.txt`.
"""

from cxr.labeling.reports import (
    Evidence,
    ReportLabels,
    label_report,
    label_reports,
    labeler_version,
)

__all__ = ["Evidence", "ReportLabels", "label_report", "label_reports", "labeler_version"]
