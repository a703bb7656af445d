"""The key of a redaction: who has it can make the same pseudonyms again, and nobody else can."""

import hashlib
import hmac
from typing import Final

from kai_snapshot.errors import Reason, TerminalError

LEAST_BYTES: Final = 32
_ID_DIGITS: Final = 16


class Key:
    """A secret of 32 bytes or more; an end of line behind those does not belong to it."""

    def __init__(self, secret: bytes, *, where: str) -> None:
        """`where` names the file or Secret in messages. Raises TerminalError(InvalidKey)."""
        self._secret = secret.rstrip(b"\r\n")
        if LEAST_BYTES - len(b"\r\n") <= len(self._secret) < LEAST_BYTES:  # random bytes may end as a line does
            self._secret = secret[:LEAST_BYTES]
        if len(self._secret) < LEAST_BYTES:
            raise TerminalError(
                Reason.INVALID_KEY,
                f"{where} holds {len(self._secret)} bytes, and a key of a redaction has {LEAST_BYTES} or more: "
                "make one with `head -c 32 /dev/urandom | base64`, and keep it, so that later archives match.",
            )

    @property
    def id(self) -> str:
        """Tells keys apart, and nothing of the key: 16 hexadecimal digits."""
        return self.for_("id").hex()[:_ID_DIGITS]

    def for_(self, purpose: str) -> bytes:
        """A key of 32 bytes of its own for each purpose."""
        return hmac.digest(self._secret, f"kai-snapshot.io/redaction/v1 {purpose}".encode(), hashlib.sha256)
