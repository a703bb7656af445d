"""Errors and warnings of a log: all are counted, the most frequent are kept by their text."""

from kai_snapshot.api.result import LogMessage

MOST_FREQUENT = 20
"""How many a result names."""
DISTINCT = 4096
"""How many different ones are told apart. A log with more forgets the rarer half whenever that many are met."""
MAX_LENGTH = 1024
"""Characters kept of a message."""


class Complaints:
    """The errors, or the warnings, of a log."""

    def __init__(self) -> None:
        self.count = 0
        """All of them, exact."""
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, source: str, message: str) -> None:
        """One more, logged at `source`."""
        self.count += 1
        key = (source, message[:MAX_LENGTH])
        self._counts[key] = self._counts.get(key, 0) + 1
        if len(self._counts) > DISTINCT:
            self._counts = dict(self._by_frequency()[: DISTINCT // 2])

    def most_frequent(self) -> tuple[LogMessage, ...]:
        """The 20 most frequent, those met first before others of the same count."""
        return tuple(
            LogMessage(source=source, message=message, count=count)
            for (source, message), count in self._by_frequency()[:MOST_FREQUENT]
        )

    def _by_frequency(self) -> list[tuple[tuple[str, str], int]]:
        return sorted(self._counts.items(), key=lambda counted: -counted[1])
