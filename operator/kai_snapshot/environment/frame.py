"""An environment document on its way through a pod's log: marked lines, whatever else is written beside them.

-----BEGIN KAI-SNAPSHOT ENVIRONMENT <sha256 of the JSON>-----
<base64 of the gzipped JSON, 76 characters a line>
-----END KAI-SNAPSHOT ENVIRONMENT-----
"""

import base64
import gzip
import hashlib
import re
import textwrap
import zlib
from typing import Final

import orjson

from kai_snapshot.api.environmentdocument import EnvironmentDocument
from kai_snapshot.environment.text import decode_json
from kai_snapshot.errors import Reason, TerminalError

LARGEST: Final = 16 << 20
"""Bytes that a document may have, once inflated."""
_NAME: Final = "KAI-SNAPSHOT ENVIRONMENT"
_FRAME: Final = re.compile(
    rf"^-----BEGIN {_NAME} ([0-9a-f]{{64}})-----$\n(.*?)^-----END {_NAME}-----$\n?", re.DOTALL | re.MULTILINE
)


def encode(document: EnvironmentDocument) -> str:
    """The frame."""
    content = orjson.dumps(document.dump())
    text = base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")
    digest = hashlib.sha256(content).hexdigest()
    return f"-----BEGIN {_NAME} {digest}-----\n{textwrap.fill(text, 76)}\n-----END {_NAME}-----\n"


def decode(log: str, *, where: str) -> EnvironmentDocument | None:
    """The document of the last frame in a log, None if there is no whole frame. `where` names the log in messages.

    Raises TerminalError(InvalidEnvironment).
    """
    frames = _FRAME.findall(log)
    if not frames:
        return None
    digest, text = frames[-1]
    try:
        inflater = zlib.decompressobj(wbits=31)
        content = inflater.decompress(base64.b64decode("".join(text.split()), validate=True), LARGEST)
    except (ValueError, zlib.error) as error:
        raise TerminalError(Reason.INVALID_ENVIRONMENT, f"The document in {where} is damaged: {error}.") from error
    if inflater.unconsumed_tail or hashlib.sha256(content).hexdigest() != digest:
        raise TerminalError(
            Reason.INVALID_ENVIRONMENT, f"The document in {where} is damaged: its SHA-256 differs, or it is too large."
        )
    return decode_json(content, where=where)


def beside(log: str) -> str:
    """What else was written to the log."""
    return _FRAME.sub("", log).strip()
