"""Which labels and taints pods compare as numbers: their values cannot be replaced without changing what is decided."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from kai_snapshot.archive.content import RAW
from kai_snapshot.archive.document import Path as Key
from kai_snapshot.archive.document import Span, Visitor
from kai_snapshot.archive.read import inflate, read_document

_COMPARISONS: Final = ("Gt", "Lt")


def numbered_keys(archive: Path) -> frozenset[str]:
    """The keys. Raises OSError, and TerminalError where an archive is not valid."""
    search = _Search()
    inflate(archive, search.feed)
    if not search.found:  # as in most clusters; to parse it all takes longer
        return frozenset()
    finder = _Finder()
    read_document(archive, finder)
    return frozenset(finder.keys)


class _Search:
    """Whether a document says anywhere that something is compared."""

    def __init__(self) -> None:
        self.found = False
        self._end = b""

    def feed(self, block: bytes) -> None:
        """The next bytes."""
        text = self._end + block
        self.found = self.found or any(f'"{each}"'.encode() in text for each in _COMPARISONS)
        self._end = text[-4:]


class _Finder(Visitor):
    def __init__(self) -> None:
        self.keys: set[str] = set()

    def element(self, path: Key, value: object, span: Span) -> None:
        """An object: selectors can stand anywhere in it, and look alike."""
        del span
        if path[0] == RAW and isinstance(value, dict):
            self.keys.update(_keys(value.get("spec")))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("operator") in _COMPARISONS and isinstance(value.get("key"), str):
            yield value["key"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict | list):
                yield from _keys(each)
