"""Where studies come from: one adapter for each published layout, all into the study table.

`SOURCES` says what each one is, which labels it can bring and where to get it. Adapters are
imported when they are used, so that reading the catalogue costs nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pandas comes with it
    from cxr.studies import Cohort


@dataclass(frozen=True)
class Source:
    """A published collection, or a layout of one's own.

    Attributes:
        title: its name in sentences.
        adapter: "module:function" of the function that reads it.
        labels: the kinds of labels it can bring, the usual one first.
        origin: where to get it, as the end of a sentence.
        official_split: whether it comes with a split of its own.
    """

    title: str
    adapter: str
    labels: tuple[str, ...]
    origin: str
    official_split: bool = False

    @property
    def read(self) -> Callable[..., Cohort]:
        """The function that reads it."""
        module, _, function = self.adapter.partition(":")
        reader: Callable[..., Cohort] = getattr(importlib.import_module(module), function)
        return reader


SOURCES: dict[str, Source] = {
    "synthetic": Source(
        "embedded synthetic cohort",
        "cxr.sources.mimic:read_mimic",
        ("report", "chexpert", "negbio"),
        "it is rendered by `cxr-bench synth`",
        official_split=True,
    ),
    "mimic-cxr": Source(
        "MIMIC-CXR's published layout",
        "cxr.sources.mimic:read_mimic",
        ("report", "chexpert", "negbio"),
        "https://physionet.org/content/mimic-cxr/, for credentialed users",
        official_split=True,
    ),
    "mimic-cxr-jpg": Source(
        "MIMIC-CXR-JPG's published layout",
        "cxr.sources.mimic:read_mimic",
        ("chexpert", "negbio", "report"),
        "https://physionet.org/content/mimic-cxr-jpg/, for credentialed users",
        official_split=True,
    ),
    "chexpert": Source(
        "CheXpert's published layout",
        "cxr.sources.chexpert:read_chexpert",
        ("own",),
        "https://stanfordaimi.azurewebsites.net, after registering",
        official_split=True,
    ),
    "nih": Source(
        "NIH ChestX-ray14's published layout",
        "cxr.sources.nih:read_nih",
        ("own",),
        "https://nihcc.app.box.com/v/ChestXray-NIHCC",
        official_split=True,
    ),
    "vindr": Source(
        "VinDr-CXR's published layout",
        "cxr.sources.vindr:read_vindr",
        ("own",),
        "https://physionet.org/content/vindr-cxr/, for credentialed users",
        official_split=True,
    ),
    "padchest": Source(
        "PadChest's published layout",
        "cxr.sources.padchest:read_padchest",
        ("own",),
        "https://bimcv.cipf.es/bimcv-projects/padchest/, after registering",
    ),
    "openi": Source(
        "Open-i's Indiana University collection",
        "cxr.sources.openi:read_openi",
        ("report", "own"),
        "https://openi.nlm.nih.gov/faq",
    ),
    "manifest": Source(
        "a manifest (CSV) of image files",
        "cxr.sources.manifest:read_manifest",
        ("report", "columns"),
        "you write it",
        official_split=True,
    ),
}
