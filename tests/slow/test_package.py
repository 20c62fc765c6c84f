"""The wheel and the sdist hold all that a run needs: nothing is found only in the checkout."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SHOW = """
from pathlib import Path
import benchmark, cxr
from benchmark.config import PRESETS, load_config
from benchmark.locations import templates_folder
from cxr import label_report

assert Path(benchmark.__file__).is_relative_to({target!r}), benchmark.__file__
assert Path(cxr.__file__).is_relative_to({target!r}), cxr.__file__
assert templates_folder().is_relative_to({target!r}), templates_folder()
for preset in PRESETS:
    load_config(preset=preset, overrides=["data.path=x"])
assert label_report("No pneumothorax.").as_dict()["Pneumothorax"] == 0
"""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_an_installed_wheel_works_from_another_folder(distributions: Path, tmp_path: Path) -> None:
    """Templates, presets and vocabulary are found in the installed package itself."""
    (wheel,) = distributions.glob("*.whl")
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True)
    environment = {**os.environ, "PYTHONPATH": str(target)}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = SHOW.format(target=str(target))
    subprocess.run([sys.executable, "-c", code], cwd=elsewhere, env=environment, check=True)
    settings = ["--set", "synth.studies=70", "--set", "synth.size=64", "--set", "image.size=32"]
    settings += ["--set", "training.epochs=1", "--set", "evaluation.min_patients=2"]
    settings += ["--set", "split.fractions=[0.5, 0.2, 0.3]", "--set", "evaluation.replicates=100"]
    environment["CXR_BENCH_CACHE"] = str(tmp_path / "cache")
    run = [sys.executable, "-m", "benchmark", "run", *settings]
    subprocess.run(run, cwd=elsewhere, env=environment, check=True)
    assert len(list(elsewhere.glob("results/*/*/card.pdf"))) == 1


def test_the_sdist_holds_the_sources(distributions: Path) -> None:
    """Code, templates, presets, tests and papers are in the sdist."""
    (archive,) = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    expected = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "tox.ini"}
    expected |= {"benchmark/presets/synthetic.toml", "templates/card.html.jinja", "cxr/py.typed"}
    assert expected <= names
