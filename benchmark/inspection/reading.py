"""Which layout a folder has, and everything in it read through the adapter for that."""

from pathlib import Path

import joblib

from benchmark.cohorts import read_source
from benchmark.config import load_config
from benchmark.events import Events
from cxr.errors import InputError
from cxr.observations import OBSERVATIONS
from cxr.sources import SOURCES
from cxr.sources.assembly import find_table
from cxr.sources.folder import ALL_VIEWS, read_folder
from cxr.sources.manifest import read_manifest
from cxr.sources.mimic_files import find_images, find_tree
from cxr.sources.tables import read_table
from cxr.studies import Cohort

FOLDER = "folder"
"""A plain folder of images, which can be inspected but not trained on."""


def read_everything(
    path: Path, source: str, overrides: tuple[str, ...], events: Events
) -> tuple[Cohort, str]:
    """Read a data set with all its views.

    Args:
        path: its folder, or a manifest.
        source: a source's name, or `FOLDER`; empty to tell it by what is there.
        overrides: "data.key=value" settings.
        events: told of progress.

    Returns:
        The cohort, and words for its layout.

    Raises:
        InputError: no such path, or what the adapter says.
    """
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder; check the path.")
    source = source or guess_source(path)
    if source == FOLDER:
        events.stage("Reading files")
        cohort = read_folder(path, jobs=joblib.cpu_count(), progress=events.advance)
        return cohort, "a plain folder of images"
    if source == "manifest" and not overrides:
        events.stage("Reading the manifest")
        labels = _manifest_labels(path)
        cohort = read_manifest(path, labels=labels, views=ALL_VIEWS)  # type: ignore[arg-type]
        return cohort, SOURCES[source].title
    views = ",".join(ALL_VIEWS)
    settings = (f"data.source={source}", f"data.path={path}", f'data.views="{views}"')
    config = load_config(
        preset="mimic-cxr", overrides=(*_own_labels(source), *settings, *overrides)
    )
    return read_source(config, events), SOURCES[source].title


def guess_source(path: Path) -> str:
    """Return the source whose tables or tree are at `path`; a plain folder where none is."""
    if path.is_file():
        return "manifest"
    tables = {
        "nih": ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv", "sample_labels.csv"),
        "vindr": ("image_labels_train.csv",),
        "padchest": ("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv",),
        "openi": ("indiana_reports.csv", "indiana_projections.csv"),
    }
    for source, names in tables.items():
        if find_table(names, [path]):
            return source
    if train := find_table(("train.csv",), [path]):
        columns = set(read_table(train).columns)
        if "Path" in columns:
            return "chexpert"
        if "class_name" in columns:
            return "vindr"
    if any((path / name).is_dir() for name in ("ecgen-radiology", "NLMCXR_reports")):
        return "openi"
    images = find_images(find_tree(path))
    if images.empty:
        return FOLDER
    return "mimic-cxr" if images["image_path"].str.endswith(".dcm").any() else "mimic-cxr-jpg"


def _own_labels(source: str) -> tuple[str, ...]:
    return (f"data.labels={SOURCES[source].labels[0]}",)


def _manifest_labels(path: Path) -> str:
    columns = set(read_table(path).columns)
    if columns & {"report", "text"}:
        return "report"
    return "columns" if columns & set(OBSERVATIONS) else "none"
