"""Who may use the transfer endpoint: a token names one result of one replay and is signed by the operator."""

import hashlib
from datetime import timedelta
from typing import Final

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer
from pydantic import ValidationError

from kai_snapshot.api.transfer import Part
from kai_snapshot.errors import Reason, TerminalError

MAX_AGE: Final = timedelta(days=7)
_MIN_KEY_BYTES: Final = 32


class Tokens:
    """Issues and reads tokens, all with one key of at least 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) < _MIN_KEY_BYTES:
            raise TerminalError(
                Reason.INVALID_SPEC,
                f"the signing key of the transfer endpoint has {len(key)} bytes and needs {_MIN_KEY_BYTES} at least: "
                "delete its Secret and the operator makes a new one.",
            )
        self._serializer = URLSafeTimedSerializer(
            key,
            salt="kai-snapshot.io/transfer",
            signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def issue(self, part: Part) -> str:
        """A token for this part, good for seven days. Printable, without spaces."""
        token = self._serializer.dumps(part.dump())
        return token if isinstance(token, str) else token.decode()

    def read(self, token: str) -> Part:
        """The part a token is for. Raises TerminalError(TransferRefused)."""
        try:
            return Part.model_validate(self._serializer.loads(token, max_age=int(MAX_AGE.total_seconds())))
        except SignatureExpired as error:
            raise TerminalError(
                Reason.TRANSFER_REFUSED, f"the token is older than {MAX_AGE.days} days: create the replay again."
            ) from error
        except (BadData, ValidationError) as error:
            raise TerminalError(
                Reason.TRANSFER_REFUSED, "the token is not one of this operator's: its signing key may have changed."
            ) from error
