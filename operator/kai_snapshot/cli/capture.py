"""`kai-snapshot capture`: a snapshot into a file or a storage; with `--request -` as the operator's child."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.runs.capture import answer
from kai_snapshot.runs.children import confine
from kai_snapshot.runs.request import CaptureRequest


def as_child() -> None:
    """Reads a request from standard input, writes the answer to standard output; all else goes to standard error."""
    confine()
    request = CaptureRequest.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.write(answer(request).model_dump_json(by_alias=True))
