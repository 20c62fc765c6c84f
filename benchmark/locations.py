"""Where things lie outside the run folder: the cache, the key for ids, the templates."""

import os
import secrets
from importlib import resources
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from cxr.errors import InputError


def cache_folder() -> Path:
    """The folder for decoded images and the synthetic cohort: $CXR_BENCH_CACHE, else the user's."""
    chosen = os.environ.get("CXR_BENCH_CACHE")
    return Path(chosen) if chosen else user_cache_path("cxr-bench")


def templates_folder() -> Path:
    """The Jinja2 templates: inside the installed package, or beside it in a checkout."""
    installed = Path(str(resources.files("benchmark"))) / "templates"
    return installed if installed.is_dir() else installed.parents[1] / "templates"


def id_key() -> bytes:
    """The key for ids of restricted data: $CXR_BENCH_KEY (a file), else one made for this user.

    Raises:
        InputError: the file can't be read or holds fewer than 16 bytes.
    """
    chosen = os.environ.get("CXR_BENCH_KEY")
    path = Path(chosen) if chosen else user_data_path("cxr-bench") / "id.key"
    if not chosen and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_hex(32).encode())
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise InputError(
            f"key file {path}: {error.strerror}; set CXR_BENCH_KEY to a file."
        ) from error
    if len(key) < 16:
        raise InputError(f"key file {path} holds {len(key)} bytes; it needs 16 or more.")
    return key
