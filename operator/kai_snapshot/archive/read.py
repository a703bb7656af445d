"""Parts of an archive in a file: configuration and parameters of its scheduler, and the names a log does not have."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from kai_snapshot.archive.config import Config
from kai_snapshot.archive.document import DocumentReader, Span, Visitor
from kai_snapshot.archive.document import Path as Key
from kai_snapshot.archive.limits import DEFAULT
from kai_snapshot.archive.zipformat import BUILT_FROM_API
from kai_snapshot.archive.zipstream import ZipStream
from kai_snapshot.errors import Reason, TerminalError

CHUNK = 1 << 20
FORM_ERRORS: Final = (KeyError, TypeError, AttributeError, ValueError, OverflowError)
"""What comes of looking at an object that is not one of its kind."""


_MISSING: Final = object()


class QueueNames(NamedTuple):
    """What the log of snapshot-tool does not say."""

    queue_of: Mapping[str, str]
    """Each PodGroup's queue, by the PodGroup's namespace/name."""
    queues: Mapping[str, str]
    """Each Queue's name, by its `spec.displayName`, which logs print in place of the name."""


def read_config(path: Path) -> Config | None:
    """The scheduler's configuration in an archive, None if it says `null`.

    Reads no further than it must. Raises OSError, and TerminalError where an archive is not valid.
    """
    found = _member(path, "config")
    if found is _MISSING:
        raise incomplete("`config` is missing")
    return config_object(found)


def read_params(path: Path) -> Mapping[str, Any]:
    """The scheduler's parameters in an archive, empty where it has none. The same otherwise."""
    found = _member(path, "schedulerParams")
    return found if isinstance(found, dict) else {}


def _member(path: Path, name: str) -> object:
    finder = _MemberFinder(name)
    try:
        read_document(path, finder)
    except _Found:
        return finder.found
    return _MISSING


def queue_names(path: Path) -> QueueNames:
    """The names that make a log complete. Raises OSError, and TerminalError where an archive is not valid."""
    collector = _QueueNames()
    read_document(path, collector)
    return QueueNames(collector.queue_of, collector.queues)


def read_document(path: Path, visitor: Visitor) -> None:
    """Shows the visitor the whole document. Raises OSError, TerminalError, and what the visitor raises."""
    document = DocumentReader(visitor, DEFAULT.nesting)
    inflate(path, document.feed)
    document.finish()


def inflate(path: Path, sink: Callable[[bytes], None]) -> bytes:
    """Hands the document to `sink` in blocks; gives the archive's comment. Raises OSError, TerminalError, and what the
    sink raises."""
    archive = ZipStream(sink, DEFAULT)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            archive.feed(chunk)
    archive.finish()
    return archive.comment


def is_built_from_api(path: Path) -> bool:
    """Whether an archive that has been read says that no scheduler served it. Raises OSError."""
    with path.open("rb") as file:
        file.seek(-len(BUILT_FROM_API), os.SEEK_END)
        return file.read() == BUILT_FROM_API


def config_object(value: object) -> Config | None:
    """What stands under `config`, None for `null`. Raises TerminalError(IncompleteSnapshot) for anything else."""
    if not isinstance(value, dict | None):
        raise incomplete("`config` is not an object")
    return value


class _Found(Exception):  # noqa: N818 - not an error: ends the reading
    pass


class _MemberFinder(Visitor):
    def __init__(self, name: str) -> None:
        self._path = (name,)
        self.found: object = None

    def value(self, path: Key, value: object, span: Span) -> None:
        """Ends the reading at the member."""
        del span
        if path == self._path:
            self.found = value
            raise _Found


class _QueueNames(Visitor):
    def __init__(self) -> None:
        self.queue_of: dict[str, str] = {}
        self.queues: dict[str, str] = {}

    def element(self, path: Key, value: Any, span: Span) -> None:
        """PodGroups and Queues."""
        del span
        if path not in (("rawObjects", "podGroups"), ("rawObjects", "queues")):
            return
        try:
            metadata, spec = value["metadata"], value.get("spec") or {}
            if path[1] == "podGroups":
                self.queue_of[f"{metadata['namespace']}/{metadata['name']}"] = str(spec.get("queue") or "")
            elif spec.get("displayName"):
                self.queues[str(spec["displayName"])] = str(metadata["name"])
        except (KeyError, TypeError, AttributeError) as error:
            raise incomplete(f"`{'.'.join(path)}` holds an object without a name") from error


def incomplete(what: str) -> TerminalError:
    """The error about a document that lacks what every snapshot has."""
    return TerminalError(Reason.INCOMPLETE_SNAPSHOT, f"snapshot.json is not whole: {what}.")
