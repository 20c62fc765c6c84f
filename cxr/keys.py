"""Keyed ids: stand-ins for patient, study and image ids that only the key's owners can relate.

HMAC-SHA256 (RFC 2104) cut to 64 bits: the same id under the same key is the same everywhere, so
that a baseline made on one machine pairs with a run on another that has the key.
"""

import hashlib
import hmac


def keyed_id(identifier: str, key: bytes) -> str:
    """Return 16 hexadecimal digits that stand for `identifier`; the empty id stays empty.

    Raises:
        ValueError: the key is shorter than 16 bytes.
    """
    if len(key) < 16:
        raise ValueError(f"a key of {len(key)} bytes is too short; use 16 bytes or more")
    if not identifier:
        return ""
    return hmac.new(key, identifier.encode(), hashlib.sha256).hexdigest()[:16]
