"""Who may use the transfer endpoint: a token names one result of one replay, or one node; the operator signs it."""

import hashlib
import time
from datetime import timedelta
from typing import Final, TypeVar

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import ValidationError

from kai_snapshot.api.transfer import NodePart, Part
from kai_snapshot.errors import Reason, TerminalError

MAX_AGE: Final = timedelta(days=7)
_MIN_KEY_BYTES: Final = 32


P = TypeVar("P", Part, NodePart)


class Tokens:
    """Issues and reads tokens, all with one key of at least 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) < _MIN_KEY_BYTES:
            raise TerminalError(
                Reason.INVALID_SPEC,
                f"the signing key of the transfer endpoint has {len(key)} bytes and needs {_MIN_KEY_BYTES} at least: "
                "delete its Secret and the operator makes a new one.",
            )
        self._of_replays = _serializer(key, "kai-snapshot.io/transfer")
        self._of_nodes = _serializer(key, "kai-snapshot.io/environment")

    def issue(self, part: Part | NodePart) -> str:
        """A token for this part, good for seven days. Printable, without spaces."""
        serializer = self._of_replays if isinstance(part, Part) else self._of_nodes
        token = serializer.dumps(part.dump())
        return token if isinstance(token, str) else token.decode()

    def read(self, token: str) -> Part:
        """The part of a replay a token is for. Raises TerminalError(TransferRefused)."""
        return _read(self._of_replays, Part, token)

    def read_node(self, token: str) -> NodePart:
        """The node a token is for. Raises TerminalError(TransferRefused)."""
        return _read(self._of_nodes, NodePart, token)


def _serializer(key: bytes, salt: str) -> URLSafeTimedSerializer:
    """With a salt of its own, so that no token is taken for one of the other kind."""
    signer = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    return URLSafeTimedSerializer(key, salt=salt, signer_kwargs=signer)


def _read(serializer: URLSafeTimedSerializer, kind: type[P], token: str) -> P:
    try:
        content, signed = serializer.loads(token, return_timestamp=True)
        part = kind.model_validate(content)
    except (BadData, ValidationError) as error:
        message = "the token is not one of this operator's: its signing key may have changed."
        raise TerminalError(Reason.TRANSFER_REFUSED, message) from error
    if (
        time.time() - signed.timestamp() > MAX_AGE.total_seconds()
    ):  # one of a time to come is good: the clock of who signed it was ahead
        message = f"the token is older than {MAX_AGE.days} days: create the replay, or start the run, again."
        raise TerminalError(Reason.TRANSFER_REFUSED, message)
    return part
