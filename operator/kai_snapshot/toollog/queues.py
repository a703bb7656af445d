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

_PRIORITY = b">: Queue Priority: <"
_FIGURES = re.compile(
    rb"-?\d+>, GPU: (?P<gpu>.*) CPU \(cores\): (?P<cpu>.*) memory \(GB\): (?P<memory>.*fairShare: <[^>]*>) ?"
)
_FIGURE = re.compile(rb"(\w+): <([^>]*)>")


class Queues:
    """The queues of a log."""

    def __init__(self) -> None:
        self._figures: dict[bytes, bytes] = {}

    def divided(self, rest: bytes, _: bytes) -> None:
        """Takes what follows DIVISION. Raises ValueError if it is cut off."""
        name, priority, figures = rest.partition(_PRIORITY)
        if not priority:
            raise ValueError("cut off")
        self._figures[name] = figures

    def results(self, names: Names) -> tuple[QueueResult, ...]:
        """The queues by name."""
        queues = (
            QueueResult(
                name=names.queue(plain(name)),
                resources=QueueResources(
                    gpu=_share(match["gpu"]), cpu=_share(match["cpu"]), memory=_share(match["memory"])
                ),
            )
            for name, figures in self._figures.items()
            if (match := _FIGURES.fullmatch(figures))
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
