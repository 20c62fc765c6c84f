"""Whether single cases of a run may leave this machine: restricted ones only under a team's key.

A key that was made for one user keeps ids secret, but nobody else can relate them to anything,
and nobody would notice when it is lost. What is published from restricted data is keyed with a
key that its owners hold and have named in $CXR_BENCH_KEY.
"""

import os
from collections.abc import Mapping
from typing import Any

from benchmark.locations import id_key
from cxr.errors import InputError
from cxr.keys import keyed_id

KEY_NOTE = "key of the case ids"
"""The note of a restricted cohort that tells two keys apart and neither of them."""


def key_fingerprint(key: bytes) -> str:
    """Return 8 hexadecimal digits by which a key is recognised, and that don't tell it."""
    return keyed_id("fingerprint of this key", key)[:8]


def check_publishable(run: Mapping[str, Any]) -> None:
    """Refuse to publish single cases of restricted data without the key they were keyed with.

    Args:
        run: the content of run.json.

    Raises:
        InputError: the cohort is restricted and $CXR_BENCH_KEY is not set, or is another key.
    """
    cohort = run.get("cohort", {})
    if not cohort.get("restricted"):
        return
    if not os.environ.get("CXR_BENCH_KEY"):
        raise InputError(
            "single cases of restricted data are published only under your team's key: make one "
            "(`openssl rand -hex 32 > team.key`), set CXR_BENCH_KEY to it, and run again with it."
        )
    used = cohort.get("notes", {}).get(KEY_NOTE)
    if used and used != key_fingerprint(id_key()):
        raise InputError(
            f"the run's case ids were keyed with key {used}, which is not the one of "
            "CXR_BENCH_KEY; set it to that key, or run again."
        )
