"""cxr: the domain library of cxr-bench. Reads, labels, splits, measures and explains.

Stable names: `label_report`, `findings_text`, `read_radiograph`, and the modules `cxr.metrics`,
`cxr.statistics` and `cxr.saliency`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxr.dicom import read_radiograph as read_radiograph

__version__ = "0.1.0"

_HOMES = {
    "findings_text": "cxr.findings",
    "label_report": "cxr.labeling",
    "read_radiograph": "cxr.dicom",
}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first asked for: `import cxr` stays light."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'cxr' has no attribute {name!r}")
