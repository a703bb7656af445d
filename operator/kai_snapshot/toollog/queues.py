"""The fair share lines: one per queue when the session opens, in three forms so far.

Up to v0.8.0 a resource has deserved, requested, maxAllowed and fairShare; v0.8.2 to v0.10.2 put `usage` before
fairShare; since v0.10.3 it is `allocated` and `historicalUsage`.
"""

import math
import re

from kai_snapshot.api.result import QueueResources, QueueResult, QueueShare
from kai_snapshot.toollog.line import plain
from kai_snapshot.toollog.names import Names

DIVISION = b"Resource division result for queue <"
"""How such a line begins; the queue's name follows."""

_LINE = re.compile(
    rb"(?P<name>.*?)>: Queue Priority: <[^>]*>, "
    rb"GPU: (?P<gpu>.*) CPU \(cores\): (?P<cpu>.*) memory \(GB\): (?P<memory>.*fairShare: <[^>]*>) ?"
)
_FIGURE = re.compile(rb"(\w+): <([^>]*)>")


class Queues:
    """The queues of a log."""

    def __init__(self) -> None:
        self._lines: dict[bytes, re.Match[bytes]] = {}

    def divided(self, rest: bytes, _: bytes) -> None:
        """Takes what follows DIVISION. Raises ValueError if it is cut off."""
        line = _LINE.fullmatch(rest)
        if line is None:
            raise ValueError("cut off")
        self._lines[line["name"]] = line

    def results(self, names: Names) -> tuple[QueueResult, ...]:
        """The queues by name."""
        queues = (
            QueueResult(
                name=names.queue(plain(name)),
                resources=QueueResources(
                    gpu=_share(line["gpu"]), cpu=_share(line["cpu"]), memory=_share(line["memory"])
                ),
            )
            for name, line in self._lines.items()
        )
        return tuple(sorted(queues, key=lambda queue: queue.name))


def _share(text: bytes) -> QueueShare:
    figures = {name: _number(value) for name, value in _FIGURE.findall(text)}
    return QueueShare(
        deserved=figures.get(b"deserved"),
        requested=figures.get(b"requested"),
        limit=figures.get(b"maxAllowed"),
        allocated=figures.get(b"allocated"),
        fair_share=figures.get(b"fairShare"),
    )


def _number(text: bytes) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None  # Unlimited
    return number if math.isfinite(number) else None
