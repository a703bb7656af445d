"""Taken: a snapshot that is whole, in a file, and what is known of it besides."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kai_snapshot.api.inspection import Inspection
from kai_snapshot.api.manifest import BuiltFromAPI, SchedulerIdentity

Progress = Callable[[int], None]
"""Told the bytes that there are so far."""


@dataclass(frozen=True)
class Taken:
    """A snapshot that is whole."""

    path: Path
    inspection: Inspection
    captured_at: datetime
    scheduler: SchedulerIdentity = field(default_factory=SchedulerIdentity)
    """Who answered, or would have; nothing is known of who does at a URL."""
    kubernetes_version: str | None = None
    """The API server's, from the snapshot or, before v0.13, from itself; None for a URL of such a one."""
    config: dict[str, Any] | None = None
    """The configuration of the ConfigMap, where the snapshot says null."""
    built: BuiltFromAPI | None = None
    """How it was built, if it was not served."""
