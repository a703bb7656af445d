"""Results of replays, read from files to be compared."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from kai_snapshot import compare
from kai_snapshot.api.result import ReplayResult
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs import names

_LISTS: Final = ("placements", "evictions", "pipelined", "podGroups", "queues", "runs")


@dataclass(frozen=True)
class Replayed:
    """A version's result."""

    findings: compare.Findings
    result: ReplayResult
    """Without its lists by name, which can be large."""
    logs: tuple[Path, ...]
    """The tool's, as far as they lie beside it."""


def read_results(paths: Sequence[Path]) -> list[Replayed]:
    """The results in the files, in their order: a ReplayResult each, or a list of them. Each has a name of its own.

    Raises OSError, and TerminalError(InvalidResult).
    """
    replayed: dict[str, Replayed] = {}
    for path in paths:
        for document in _documents(path):
            each = _read(document, path)
            name = each.findings.name
            further = (f"{name} ({number})" for number in count(2))
            unique = next(free for free in chain([name], further) if free not in replayed)
            replayed[unique] = replace(each, findings=replace(each.findings, name=unique))
    return list(replayed.values())


def _documents(path: Path) -> Iterator[Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except ValueError as error:
        raise TerminalError(Reason.INVALID_RESULT, f"{path} is not JSON: {error}") from error
    yield from content if isinstance(content, list) else [content]


def _read(document: Any, path: Path) -> Replayed:
    found = compare.findings(document, name="", where=str(path))
    try:
        result = ReplayResult.model_validate({key: value for key, value in document.items() if key not in _LISTS})
    except ValidationError as error:
        raise TerminalError(Reason.INVALID_RESULT, f"{path} is not a replay result of this release.") from error
    name = found.engine.version or path.name.removesuffix(".json")
    return Replayed(replace(found, name=name), result, tuple(_logs(path)))


def _logs(path: Path) -> list[Path]:
    """Beside a result of `replay --output-dir`, or one that was fetched from a storage with its log."""
    stored = path.name.removesuffix(".result.json")
    if stored != path.name:
        return sorted(path.parent.glob(f"{glob.escape(stored)}-a*.log.gz"))
    return sorted(path.parent.glob(f"*/{names.STDERR}")) if path.name == "result.json" else []
