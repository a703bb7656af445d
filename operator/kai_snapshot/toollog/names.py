"""What an archive knows and a log does not."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names of an archive. Empty, what the log says stands."""

    queue_of: Mapping[str, str] = field(default_factory=dict)
    """Each PodGroup's queue, by the PodGroup's namespace/name."""
    queues: Mapping[str, str] = field(default_factory=dict)
    """Each Queue's name, by its `spec.displayName`, which logs print in place of the name."""

    def queue(self, shown: str) -> str:
        """The name of the Queue that a log shows as `shown`."""
        return self.queues.get(shown, shown)
