"""`kai-snapshot capture --request -`: how the operator runs a capture. Not for people.

The request, secrets included, comes on standard input; the answer goes to standard output, all else to standard error.
"""

import sys

from kai_snapshot.runs.capture import answer
from kai_snapshot.runs.children import confine
from kai_snapshot.runs.request import CaptureRequest


def main() -> None:
    """One try of one run."""
    confine()
    request = CaptureRequest.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.write(answer(request).model_dump_json(by_alias=True))
