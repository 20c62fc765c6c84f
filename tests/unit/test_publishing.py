"""Restricted cases are published only under the key that their owners hold."""

import pytest

from benchmark.sharing.publishing import KEY_NOTE, check_publishable, key_fingerprint
from cxr.errors import InputError

KEY = b"0123456789abcdef"


def run(**cohort):
    return {"cohort": {"restricted": True, "notes": {KEY_NOTE: key_fingerprint(KEY)}, **cohort}}


def test_open_data_needs_no_key(monkeypatch):
    """Ids of open data may stay plain."""
    monkeypatch.delenv("CXR_BENCH_KEY", raising=False)
    check_publishable(run(restricted=False))
    check_publishable({})


def test_restricted_data_without_a_key_is_refused(monkeypatch):
    """The key that was made for one user is not one to publish with."""
    monkeypatch.delenv("CXR_BENCH_KEY", raising=False)
    with pytest.raises(InputError, match="openssl rand"):
        check_publishable(run())


def test_the_key_must_be_the_one_that_was_used(monkeypatch, tmp_path):
    """Another key than the run's is refused by its fingerprint; the same one passes."""
    path = tmp_path / "key"
    path.write_bytes(KEY)
    monkeypatch.setenv("CXR_BENCH_KEY", str(path))
    check_publishable(run())
    check_publishable(run(notes={}))  # a run of an earlier version
    path.write_bytes(KEY[::-1])
    with pytest.raises(InputError, match=key_fingerprint(KEY)):
        check_publishable(run())


def test_a_fingerprint_tells_no_key():
    """It is short, differs between keys, and is no part of the key."""
    assert len(key_fingerprint(KEY)) == 8
    assert key_fingerprint(KEY) != key_fingerprint(KEY[::-1])
    assert key_fingerprint(KEY).encode() not in KEY
