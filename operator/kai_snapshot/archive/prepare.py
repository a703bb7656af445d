"""Prepares an archive for a replay: patches, the configuration that a version needs, ages as the scheduler saw them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, cast

import orjson

from kai_snapshot import kaiversions
from kai_snapshot.api.base import rfc3339
from kai_snapshot.api.preparation import Patch
from kai_snapshot.archive.clock import Mover, Newest
from kai_snapshot.archive.config import Config, with_plugins
from kai_snapshot.archive.content import CONFIG, PARAMS, RAW
from kai_snapshot.archive.document import Path as Key
from kai_snapshot.archive.patching import Patching
from kai_snapshot.archive.read import config_object, incomplete, read_document
from kai_snapshot.archive.rewrite import rewrite
from kai_snapshot.errors import Reason, TerminalError

TIMES_MOVED = "clock: all times are moved"
"""What that change begins with."""
_UNKNOWN = "when it was captured is not known"
_HEALED = "config: the configuration of the scheduler's ConfigMap is put in where the snapshot says null"


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What is to be done to an archive, and what is known of it. Versions are tags, None or empty if unknown."""

    config: Literal["TargetDefaults", "Verbatim"] = "TargetDefaults"
    clock: Literal["Shift", "Verbatim"] = "Shift"
    patches: Sequence[Patch] = ()
    healed_config: Config | None = None
    """What the manifest has for an archive that says `"config": null`."""
    captured_version: str | None = None
    captured_at: datetime | None = None
    """When the scheduler answered; None if unknown."""
    target_version: str | None = None


def prepare(source: Path, target: Path, wanted: Preparation, *, now: datetime) -> list[str]:
    """Writes the archive to `target` as a tool of the target version needs it; says each change made, for people.

    The patches come first; `now` is the time that ages are then counted to. Where nothing is changed, the copy is
    identical. Raises OSError, and TerminalError: PatchFailed, ConfigNull, or what is wrong with an archive that is not
    valid; then there is no target.
    """
    patching = Patching(wanted.patches)
    clock = _clock(source, wanted, now)
    editor = _Editor(wanted, patching, clock.mover)
    rewrite(source, target, editor)
    return [*patching.said, *editor.said, *clock.said()]


@dataclass(frozen=True)
class _Clock:
    """What is done to the times; why so, or why nothing is."""

    mover: Mover | None = None
    why: str = ""

    def said(self) -> list[str]:
        """What was done to them, once it is done."""
        mover = self.mover
        if mover is None:
            return [self.why] if self.why else []
        changes = []
        if mover.moved:
            direction = "on" if mover.by > timedelta() else "back"
            changes.append(f"{TIMES_MOVED} {direction} by {abs(mover.by)}, {self.why}")
        if mover.beyond is not None:
            changes.append(f"clock: times like {mover.beyond} stay: there is no year before 1, and none after 9999")
        return changes


def _clock(source: Path, wanted: Preparation, now: datetime) -> _Clock:
    if wanted.clock == "Verbatim":
        return _Clock()
    captured_at, why = wanted.captured_at, "from the capture ({}) to now"
    if captured_at is None:
        newest = Newest(not_after=now)
        read_document(source, newest)
        captured_at, why = newest.found, f"from the newest time in it ({{}}) to now: {_UNKNOWN}"
    if captured_at is None:
        return _Clock(why=f"clock: no time is moved: {_UNKNOWN}, and no time in it tells")
    by = timedelta(seconds=(now - captured_at) // timedelta(seconds=1))
    return _Clock(Mover(by), why.format(rfc3339(captured_at))) if by else _Clock()


class _Editor:
    """Changes the values as they come by."""

    def __init__(self, wanted: Preparation, patching: Patching, mover: Mover | None) -> None:
        self.said: list[str] = []
        """What was done to the configuration."""
        self._wanted = wanted
        self._patching = patching
        self._mover = mover
        self._configured = wanted.config == "Verbatim"

    @property
    def done(self) -> bool:
        return self._configured and self._mover is None and self._patching.done

    def value(self, path: Key, value: object) -> bytes | None:
        if path == (CONFIG,):
            changed, self.said = configuration(value, self._wanted, self._patching)
            self._configured = True
        elif path == (PARAMS,):
            changed = self._patching.part(PARAMS, value)
        else:
            return None
        return None if changed is value else orjson.dumps(changed)

    def element(self, path: Key, value: object) -> bytes | None:
        if path[0] != RAW:
            return None
        changed = self._patching.element(path[1], value)
        if changed is None and value is not None:
            return b""
        return None if not self._moved(path[1], changed) and changed is value else orjson.dumps(changed)

    def added(self, path: Key) -> Sequence[bytes]:
        if path[0] != RAW:
            return ()
        added = self._patching.added(path[1])
        for value in added:
            self._moved(path[1], value)
        return [orjson.dumps(value) for value in added]

    def finish(self) -> None:
        if not self._configured:
            raise incomplete("`config` is missing")
        self._patching.finish()

    def _moved(self, name: str, value: object) -> bool:
        return self._mover is not None and type(value) is dict and self._mover.move(name, value)


def configuration(value: object, wanted: Preparation, patching: Patching) -> tuple[object, list[str]]:
    """What to put in place of the configuration, the same value if nothing is done to it; and what was done to it.

    Raises TerminalError: ConfigNull, PatchFailed, IncompleteSnapshot.
    """
    if wanted.config == "Verbatim":
        return patching.part(CONFIG, value), []
    captured = wanted.captured_version
    config = config_object(value)
    healed = [] if config is not None else [_HEALED]
    if config is None and (config := wanted.healed_config) is None:
        raise TerminalError(
            Reason.CONFIG_NULL,
            'The snapshot says `"config": null`, and its manifest has no configuration to put in its place, or is not '
            "given (`--manifest`): what the scheduler was told to do is not known. Capture again.",
        )
    patched = cast(Config, patching.part(CONFIG, config))
    complete, added = with_plugins(patched, kaiversions.new_default_plugins(captured, wanted.target_version))
    return complete, [*healed, *(_added(name, captured) for name in added)]


def _added(name: str, captured: str | None) -> str:
    made_by = f"KAI {captured}" if captured else "an unknown version"
    since = kaiversions.DEFAULT_SINCE[name]
    return f"config: plugin {name} is added: default since {since}, and the snapshot is of {made_by}"
