"""cxr: the domain library of cxr-bench. Reads, labels, splits, measures and explains.

Stable names: `label_report`, `read_radiograph`, and the modules `cxr.metrics`,
`cxr.statistics` and `cxr.saliency`.
"""

__version__ = "0.1.0"
