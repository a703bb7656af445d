"""`snapshot.json`, read while it comes in: its keys, and the objects of its lists one by one, whatever their number.

The document is one JSON object. Of `rawObjects` and `discovery` the members are visited, and of their lists the
elements; everything else is small and comes as a whole. So memory holds one block and one value.

orjson parses and checks every value; what has to be found is where a value ends. A list's first two elements show how
it separates them (`\\n,{"metadata"` in v0.15 and later). Where that stands next, the element probably ends: this is
tried first, and right if all up to there is one whole JSON value. Else brackets and strings are followed.
"""

import re
from collections.abc import Collection, Generator
from typing import NamedTuple, NoReturn

import orjson

from kai_snapshot.errors import Reason, TerminalError

Path = tuple[str, ...]
Span = tuple[int, int]
"""The bytes of the document that something takes, from and to."""

SECTIONS = frozenset({("rawObjects",), ("discovery",)})
VALUE_BYTES = 4 << 20
"""No Kubernetes object is that large: the API server takes requests of up to 3 MiB."""
VALUE_PARTS = 100_000
"""Members and elements of one value: it stands in memory as Python objects for a moment."""
KEYS, KEY_BYTES = 1000, 1024

NOT_BLANK = re.compile(rb"[^ \t\r\n]")
TOKEN = re.compile(rb'"[^"\n]*"|[\[\]{}]')
SCALAR_END = re.compile(rb"[\s,\]}]")
SAMPLE = len(b'{"metadata"')

Steps = Generator[None, bytes, None]


class Separator(NamedTuple):
    """What stands between two elements of a list."""

    sample: bytes
    """With the beginning of the second, which tells it from a separator within an element."""
    length: int
    """Without it."""


class Visitor:
    """Who wants to know some of it. Paths are `("config",)` or `("rawObjects", "pods")`."""

    def key(self, path: Path) -> None:
        """A member begins: of the document, `rawObjects` or `discovery`."""

    def value(self, path: Path, value: object, span: Span) -> None:
        """A member that is not visited further."""

    def element(self, path: Path, value: object, span: Span) -> None:
        """An element of the list at that path."""

    def end(self, path: Path, offset: int) -> None:
        """The list at that path ends; its bracket is that byte of the document."""


class DocumentReader:
    """Takes the document in blocks and tells the visitor what is in it; of which objects the members, say `sections`.

    `feed` and `finish` raise TerminalError: InvalidJSON or ArchiveTooLarge; and what the visitor raises. How the
    document is cut into blocks changes nothing but the byte that an error message names.
    """

    def __init__(self, visitor: Visitor, nesting: int, sections: Collection[Path] = SECTIONS) -> None:
        self._visitor = visitor
        self._sections = sections
        self._nesting = nesting
        self._buffer = b""
        self._pos = 0
        self._base = 0  # bytes of the document before the buffer
        self._ended = False
        self._steps = self._document()
        next(self._steps)

    def feed(self, block: bytes) -> None:
        """The next bytes of the document."""
        try:
            self._steps.send(block)
        except StopIteration:
            self._ended = True

    def finish(self) -> None:
        """There are no more bytes."""
        self.feed(b"")

    # what the document consists of

    def _document(self) -> Steps:
        yield from self._expect(b"{", "an object")
        yield from self._members(())
        if (yield from self._peek(end_allowed=True)):
            self._invalid("something follows the end of the document")

    def _members(self, path: Path) -> Steps:
        seen: set[str] = set()
        if (yield from self._peek()) == b"}":
            self._pos += 1
            return
        while True:
            key = yield from self._key()
            if key in seen:
                self._invalid(f"`{'.'.join((*path, key))}` stands twice")
            seen.add(key)
            if len(seen) > KEYS:
                self._too_large(f"an object of more than {KEYS} members")
            yield from self._member((*path, key))
            if (yield from self._separator(b"}")):
                return

    def _member(self, path: Path) -> Steps:
        yield from self._expect(b":", "a colon")
        first = yield from self._peek()
        self._visitor.key(path)
        if first == b"{" and path in self._sections:
            self._pos += 1
            yield from self._members(path)
        elif first == b"[" and path[:-1] in self._sections:
            self._pos += 1
            yield from self._elements(path)
        else:
            value, span = yield from self._value(len(path))
            self._visitor.value(path, value, span)

    def _elements(self, path: Path) -> Steps:
        if (yield from self._peek()) == b"]":
            self._pos += 1
            self._visitor.end(path, self._base + self._pos - 1)
            return
        separator: Separator | None = None
        depth = len(path) + 1
        while True:
            yield from self._peek()
            value, span = yield from self._value(depth)
            self._visitor.element(path, value, span)
            if (yield from self._separator(b"]")):
                self._visitor.end(path, self._base + self._pos - 1)
                return
            yield from self._peek()
            separator = separator or self._sample(span[1])
            while separator and self._separated(path, separator, depth) and (yield from self._more()):
                pass

    def _separated(self, path: Path, separator: Separator, depth: int) -> bool:
        """Takes elements as long as the separator is found and what stands before it is one value.

        Whether it is worth while to try again when there is more: all that the buffer has was taken.
        """
        element, loads, deepest = self._visitor.element, orjson.loads, self._nesting - depth
        buffer, start, begin, base = self._buffer, self._pos, self._pos, self._base
        while (end := buffer.find(separator.sample, start)) > 0:
            raw = buffer[start:end]
            if raw.count(b"{") + raw.count(b"[") > deepest or len(raw) > VALUE_PARTS:
                break  # perhaps too deep or too much: `_value` looks closer
            try:
                value = loads(raw)
            except orjson.JSONDecodeError:
                break
            element(path, value, (base + start, base + end))
            start = end + separator.length
        self._pos = start
        return end < 0 and start > begin

    def _sample(self, end: int) -> Separator | None:
        """What separates the element that ended there from the one that begins here, if the buffer has all of it."""
        start, stop = end - self._base, self._pos + SAMPLE
        if start < 0 or stop > len(self._buffer):
            return None
        return Separator(self._buffer[start:stop], self._pos - start)

    def _value(self, depth: int) -> Generator[None, bytes, tuple[object, Span]]:
        """The value that begins here, as a whole, and where it stands."""
        end = yield from self._whole("a value", VALUE_BYTES, self._nesting - depth)
        raw = self._buffer[self._pos : end]
        if len(raw) > VALUE_PARTS and raw.count(b",") + raw.count(b"{") + raw.count(b"[") > VALUE_PARTS:
            self._too_large(f"a value of more than {VALUE_PARTS} parts")
        try:
            value: object = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            self._invalid(str(error).partition(":")[0])
        span = (self._base + self._pos, self._base + end)
        self._pos = end
        return value, span

    def _whole(self, what: str, most: int, deepest: int) -> Generator[None, bytes, int]:
        """Waits until the buffer has the value that begins here as a whole; where it ends."""
        while True:
            end = self._value_end(deepest)
            size = (len(self._buffer) if end is None else end) - self._pos
            if size > most:
                self._too_large(f"{what} of more than {most} bytes; nothing in Kubernetes is that large")
            if end is not None:
                return end
            if not (yield from self._more(min(size, most + 1 - size))):  # twice as much: it is looked at from its start
                self._cut()

    def _value_end(self, deepest: int) -> int | None:
        """Where the value that begins here ends, or None if that lies behind the buffer."""
        buffer, start = self._buffer, self._pos
        if buffer[start] not in b'{["':
            scalar = SCALAR_END.search(buffer, start)
            if scalar and scalar.start() == start:
                self._invalid("a value is missing")
            return scalar.start() if scalar else None
        window = 16 * 1024
        while True:
            end = self._end_within(buffer[start : start + window], deepest)
            if end is not None or start + window >= len(buffer):
                return end and start + end
            window *= 4

    def _end_within(self, text: bytes, deepest: int) -> int | None:
        # without escapes (same length) a string is what stands between two quotes
        plain = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
        if plain.count(b'"') % 2:  # the text ends within a string
            plain = plain[: plain.rindex(b'"')]
        depth = 0
        for token in TOKEN.finditer(plain):
            first = plain[token.start()]
            if first in b"{[":
                depth += 1
                if depth > deepest:
                    self._too_large(f"more than {self._nesting} objects and lists within each other")
            elif first in b"}]":
                depth -= 1
            if depth <= 0:
                return token.end()
        return None

    # small steps

    def _more(self, wanted: int = 1) -> Generator[None, bytes, bool]:
        """So many bytes more behind what is not yet read, or what there is; False if there is nothing."""
        size = len(self._buffer) - self._pos
        while not self._ended and len(self._buffer) - self._pos < size + wanted:
            block = yield
            self._ended = not block
            self._base += self._pos
            self._buffer = self._buffer[self._pos :] + block
            self._pos = 0
        return len(self._buffer) - self._pos > size

    def _peek(self, *, end_allowed: bool = False) -> Generator[None, bytes, bytes]:
        """The next byte that is not blank, which stays where it is; nothing at the end of the document."""
        while True:
            if found := NOT_BLANK.search(self._buffer, self._pos):
                self._pos = found.start()
                return found[0]
            self._pos = len(self._buffer)
            if not (yield from self._more()):
                if end_allowed:
                    return b""
                self._cut()

    def _expect(self, byte: bytes, what: str) -> Steps:
        if (yield from self._peek()) != byte:
            self._invalid(f"{what} is missing")
        self._pos += 1

    def _separator(self, close: bytes) -> Generator[None, bytes, bool]:
        """Whether this was the last; else the comma is read."""
        found = yield from self._peek()
        if found not in (b",", close):
            self._invalid(f"a comma or {close.decode()} is missing")
        self._pos += 1
        return found == close

    def _key(self) -> Generator[None, bytes, str]:
        if (yield from self._peek()) != b'"':
            self._invalid("a key is missing")
        end = yield from self._whole("a key", KEY_BYTES, 0)
        try:
            key = orjson.loads(self._buffer[self._pos : end])
        except orjson.JSONDecodeError:
            self._invalid("a key cannot be read")
        self._pos = end
        return str(key)

    # what is refused

    def _invalid(self, what: str) -> NoReturn:
        raise TerminalError(
            Reason.INVALID_JSON,
            f"snapshot.json is damaged near byte {self._base + self._pos}: {what}. Capture it again.",
        )

    def _cut(self) -> NoReturn:
        raise TerminalError(
            Reason.INVALID_JSON,
            f"snapshot.json ends in the middle, after {self._base + len(self._buffer)} bytes: the scheduler met an "
            "error while it wrote (its log says `Error writing snapshot`). Capture it again.",
        )

    def _too_large(self, what: str) -> NoReturn:
        raise TerminalError(Reason.ARCHIVE_TOO_LARGE, f"snapshot.json has, near byte {self._base + self._pos}, {what}.")
