"""Prepares an archive for a replay by another version than its own. All but the configuration stays byte for byte."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import orjson

from kai_snapshot import kaiversions
from kai_snapshot.archive.config import Config, with_plugins
from kai_snapshot.archive.read import find_config, inflate
from kai_snapshot.archive.zipstream import MEMBER
from kai_snapshot.errors import Reason, TerminalError

Mode = Literal["TargetDefaults", "Verbatim"]


def prepare(
    source: Path,
    target: Path,
    *,
    mode: Mode,
    healed_config: Config | None,
    captured_version: str | None,
    target_version: str | None,
) -> list[str]:
    """Writes the archive to `target` as snapshot-tool of `target_version` needs it; says each change made.

    `healed_config`: what the manifest has for an archive that says `"config": null`. Versions are tags, None or empty
    if unknown. Raises OSError, and TerminalError: ConfigNull, or what is wrong with an archive that is not valid.
    """
    if mode == "Verbatim":
        shutil.copyfile(source, target)
        return []
    found = find_config(source)
    config, changes = _healed(found.value, healed_config)
    wanted = kaiversions.new_default_plugins(captured_version, target_version)
    config, added = with_plugins(config, wanted)
    changes += [_added(name, captured_version) for name in added]
    if changes:
        _rewrite(source, target, found.span, orjson.dumps(config))
    else:
        shutil.copyfile(source, target)
    return changes


def _healed(config: Config | None, healed: Config | None) -> tuple[Config, list[str]]:
    if config is not None:
        return config, []
    if healed is None:
        raise TerminalError(
            Reason.CONFIG_NULL,
            'The snapshot says `"config": null` and there is nothing to put in its place: snapshot-tool would panic.',
        )
    return healed, ["config: the configuration of the scheduler's ConfigMap is put in where the snapshot says null"]


def _added(name: str, captured: str | None) -> str:
    made_by = f"KAI {captured}" if captured else "an unknown version"
    since = kaiversions.DEFAULT_SINCE[name]
    return f"config: plugin {name} is added: default since {since}, and the snapshot is of {made_by}"


def _rewrite(source: Path, target: Path, span: tuple[int, int], config: bytes) -> None:
    # a fixed time: the same request gives the same bytes
    member = zipfile.ZipInfo(MEMBER)
    member.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(target, "w", compresslevel=1) as archive, archive.open(member, "w", force_zip64=True) as out:
        inflate(source, _Splice(out.write, span, config).write)


class _Splice:
    """Passes a document on with the bytes of `span` replaced."""

    def __init__(self, write: Callable[[bytes], object], span: tuple[int, int], replacement: bytes) -> None:
        self._out = write
        self._start, self._stop = span
        self._replacement = replacement
        self._offset = 0

    def write(self, block: bytes) -> None:
        """The next bytes of the document."""
        begin, self._offset = self._offset, self._offset + len(block)
        self._out(block[: max(self._start - begin, 0)])
        if begin <= self._start < self._offset:
            self._out(self._replacement)
        self._out(block[max(self._stop - begin, 0) :])
