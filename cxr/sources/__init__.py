"""Where studies come from: one adapter for each published layout, all into the study table."""

from cxr.sources.manifest import read_manifest
from cxr.sources.mimic import read_mimic

__all__ = ["read_manifest", "read_mimic"]
