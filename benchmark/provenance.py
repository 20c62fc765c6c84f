"""Where a result comes from: versions, hardware, code. The outermost edge, read once a run."""

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import cxr

_PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "pandas",
    "scikit-learn",
    "pydicom",
    "grad-cam",
    "matplotlib",
    "jinja2",
    "weasyprint",
)


def provenance(*, device: str, threads: int) -> dict[str, Any]:
    """Return the versions, machine and code state that a run depends on, as plain values."""
    return {
        "cxr_bench": cxr.__version__,
        "git": _git_state(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "device": device,
        "threads": threads,
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git_state() -> str:
    """The commit of the code, with "+changes" where the tree differs; empty outside git."""
    folder = Path(cxr.__file__).parent
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        tracked = _git(folder, "ls-files", "--error-unmatch", cxr.__file__)
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    if not tracked:
        return ""
    return f"{commit}+changes" if changed else commit


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _cpu_name() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
