"""Results of replays, read from files to be compared."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from kai_snapshot import compare
from kai_snapshot.api.decodedresult import DecodedResult, invalid
from kai_snapshot.api.result import ResultFacts
from kai_snapshot.jobs import names

_ONE_OR_SEVERAL: Final[TypeAdapter[DecodedResult | list[DecodedResult]]] = TypeAdapter(
    DecodedResult | list[DecodedResult]
)


@dataclass(frozen=True)
class Replayed:
    """A version's result."""

    findings: compare.Findings
    result: ResultFacts
    logs: tuple[Path, ...]
    """The tool's, as far as they lie beside it: of a storage, or of each run in their order."""


def read_results(paths: Sequence[Path]) -> list[Replayed]:
    """The results in the files, in their order: a ReplayResult each, or a list of them. Each has a name of its own.

    Raises OSError, and TerminalError(InvalidResult).
    """
    return [
        Replayed(compare.findings(result, name=name), result.facts, tuple(_logs(path, result)))
        for name, path, result in named_results(paths)
    ]


def named_results(paths: Sequence[Path]) -> Iterator[tuple[str, Path, DecodedResult]]:
    """The results in the files, one after the other, each with a name of its own: its version, as a rule.

    Raises OSError, and TerminalError(InvalidResult).
    """
    names_given: set[str] = set()
    for path in paths:
        for result in read_file(path):
            name = result.engine.version or path.name.removesuffix(".json")
            further = (f"{name} ({number})" for number in count(2))
            unique = next(free for free in chain([name], further) if free not in names_given)
            names_given.add(unique)
            yield unique, path, result


def read_file(path: Path) -> list[DecodedResult]:
    """The results in a file: one ReplayResult, or a list of them. Raises OSError, and TerminalError(InvalidResult)."""
    try:
        content = _ONE_OR_SEVERAL.validate_json(path.read_bytes())
    except ValidationError as error:
        raise invalid(str(path)) from error
    return content if isinstance(content, list) else [content]


def _logs(path: Path, result: ResultFacts) -> list[Path]:
    """Beside a result of `replay --output-dir`, or one that was fetched from a storage with its log."""
    stored = path.name.removesuffix(".result.json")
    if stored != path.name:
        return sorted(path.parent.glob(f"{glob.escape(stored)}-a*.log.gz"))
    if path.name != names.RESULT:
        return []
    runs = range(1, (result.runs.count if result.runs is not None else 1) + 1)
    logs = (path.parent / names.run_directory(run) / names.STDERR for run in runs)
    return [log for log in logs if log.exists()]
