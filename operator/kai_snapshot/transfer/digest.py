"""SHA-256 in HTTP headers, as RFC 9530 has it: `Repr-Digest: sha-256=:<base64>:`."""

import base64
import binascii
import re
from typing import Final

HEADER: Final = "Repr-Digest"
_SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")


def encode(sha256: str) -> str:
    """The header's value for a hexadecimal SHA-256."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def decode(header: str | None) -> str | None:
    """The hexadecimal SHA-256 a header's value has; None if it has none."""
    found = _SHA256.search(header or "")
    if found is None:
        return None
    try:
        digest = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        return None
    return digest.hex() if len(digest) == 32 else None
