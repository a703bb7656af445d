"""An archive that is simulated: read once, with what the options say done to it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.archive.prepare import Preparation
from kai_snapshot.cli.moment import moment
from kai_snapshot.simulator import simulate as simulator
from kai_snapshot.simulator import whatif
from kai_snapshot.simulator.collect import Collected

Now = Annotated[
    datetime | None,
    typer.Option(
        "--now",
        parser=moment,
        metavar="TIME",
        help="The time to simulate at. Default: the capture's, from the manifest, or the newest in the archive.",
    ),
]


class Loaded:
    """What an archive holds, without and with the patches."""

    def __init__(self, archive: Path, wanted: Preparation, *, lists: frozenset[str] = frozenset()) -> None:
        """`lists` can be changed further. Raises OSError, TerminalError."""
        self._wanted = wanted
        changeable = whatif.lists_of(wanted.patches) | lists
        self._collected = simulator.load(archive, not_after=datetime.now(UTC), changeable=changeable)

    def unpatched(self) -> Collected:
        """Made ready, and without patches. Raises TerminalError(ConfigNull)."""
        return whatif.prepared(self._collected, replace(self._wanted, patches=()))

    def patched(self) -> Collected:
        """With the patches. Raises TerminalError: PatchFailed, ConfigNull."""
        return whatif.prepared(self._collected, self._wanted)

    def time(self, now: datetime | None) -> datetime:
        """When it is, unless `now` says so."""
        return now or self._wanted.captured_at or self._collected.captured_at
