"""Keyed ids: stable under one key, unrelated under another, never the id itself."""

import hashlib
import hmac

import pytest

from cxr.keys import keyed_id

KEY = b"0123456789abcdef"


def test_keyed_id_is_hmac_sha256() -> None:
    """A keyed id is the first 64 bits of the HMAC-SHA256 of the id."""
    expected = hmac.new(KEY, b"10000032", hashlib.sha256).hexdigest()[:16]
    assert keyed_id("10000032", KEY) == expected
    assert keyed_id("", KEY) == ""


def test_another_key_gives_another_id() -> None:
    """Who lacks the key can't relate two sets of ids."""
    assert keyed_id("10000032", KEY) != keyed_id("10000032", KEY[::-1])


def test_short_keys_are_refused() -> None:
    """A key that could be guessed is refused."""
    with pytest.raises(ValueError, match="too short"):
        keyed_id("x", b"short")
