"""A ZIP archive of one member, `snapshot.json`, read while it comes in: headers, inflation, checksums, directory.

Python's zipfile starts from the directory at the end. An archive that is being downloaded has none yet, and one that
only pretends to be small must be noticed before it fills the disk. The format: PKWARE's APPNOTE.TXT, 4.3 to 4.5.
"""

import struct
import zlib
from collections.abc import Callable, Generator
from typing import NoReturn

from kai_snapshot.archive.limits import Limits
from kai_snapshot.archive.zipformat import (
    CENTRAL_LENGTH,
    DEFLATED,
    DESCRIPTOR_MAX,
    ENCRYPTED,
    END_LENGTH,
    FULL16,
    FULL32,
    HAS_DESCRIPTOR,
    LOCAL_LENGTH,
    STORED,
    CentralHeader,
    End64,
    EndRecord,
    LocalHeader,
    Signature,
    Sizes,
    descriptor_length,
    offset64,
    sizes64,
)
from kai_snapshot.errors import Reason, TerminalError

MEMBER = "snapshot.json"
BLOCK = 128 * 1024
"""What goes to the sink at once, in bytes; the last block may be shorter."""
START = 16  # bytes shown of what is no archive
PIECE = 64 * 1024  # what is inflated at once: zlib copies what it leaves of its input

Steps = Generator[None, bytes, None]


def _broken(what: str) -> NoReturn:
    raise TerminalError(Reason.INVALID_ARCHIVE, f"The archive is damaged: {what}. Capture or copy it again.")


def _foreign(what: str) -> NoReturn:
    raise TerminalError(Reason.INVALID_ARCHIVE, f"{what}; the scheduler writes one member, {MEMBER}, deflated.")


class ZipStream:
    """Takes an archive in pieces of any size and hands its member to `sink` in blocks of `BLOCK` bytes.

    `feed` and `finish` raise TerminalError (NotAZip, InvalidArchive, ArchiveTooLarge), after which it is of no use; and
    what the sink raises.
    """

    def __init__(self, sink: Callable[[bytes], None], limits: Limits) -> None:
        self.comment = b""
        """The archive's own, once it is read."""
        self.uncompressed = 0
        """Bytes handed to the sink."""
        self._sink = sink
        self._limits = limits
        self._buffer = b""
        self._consumed = 0  # bytes of the archive before the buffer
        self._pending: list[bytes] = []  # inflated, less than a block
        self._room = BLOCK
        self._crc = self._compressed = self._size = 0  # of the member, as far as it is read
        self._steps = self._archive()
        self._ended = False
        next(self._steps)

    @property
    def _actual(self) -> Sizes:
        return Sizes(self._crc, self._compressed, self._size)

    def feed(self, data: bytes) -> None:
        """The next bytes of the archive."""
        for start in range(0, len(data), PIECE):
            self._step(data[start : start + PIECE])

    def finish(self) -> None:
        """There are no more bytes."""
        self._step(b"")

    def _step(self, piece: bytes) -> None:
        try:
            self._steps.send(piece)
        except StopIteration:
            self._ended = True

    # what the archive consists of, in order

    def _archive(self) -> Steps:
        header, announced = yield from self._local_header()
        length = None if header.flags & HAS_DESCRIPTOR else announced.compressed
        if header.method == DEFLATED:
            yield from self._deflated(length)
        elif length is None:
            yield from self._stored_until_descriptor()
        else:
            yield from self._stored(length)
        self._flush()
        if length is None:
            yield from self._descriptor()
        elif announced != self._actual:
            _broken(f"{MEMBER} does not have the size or checksum that is announced before it")
        yield from self._directory(header)
        if self._buffer or (yield from self._more()):
            _broken(f"something follows its end at byte {self._consumed}")

    def _local_header(self) -> Generator[None, bytes, tuple[LocalHeader, Sizes]]:
        yield from self._has(START)
        if self._buffer[:4] not in (Signature.LOCAL, Signature.END):
            self._not_a_zip()
        if self._buffer[:4] == Signature.END:
            _foreign("The archive is empty")
        header = LocalHeader.read((yield from self._take(LOCAL_LENGTH)))
        self._check_name((yield from self._take(header.name_length)))
        extra = yield from self._take(header.extra_length)
        if header.flags & ENCRYPTED:
            _foreign(f"{MEMBER} is encrypted")
        if header.method not in (STORED, DEFLATED):
            _foreign(f"{MEMBER} is compressed by method {header.method}")
        return header, sizes64(header.sizes, extra)

    def _deflated(self, length: int | None) -> Steps:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        while not inflater.eof:
            if length is not None and self._compressed == length:
                _broken(f"the compressed data of {MEMBER} are not complete")
            yield from self._need(1)
            piece = self._buffer if length is None else self._buffer[: length - self._compressed]
            unread = self._inflate(inflater, piece)
            taken = len(piece) - len(unread)
            self._buffer = self._buffer[taken:]
            self._consumed += taken
        if length is not None and self._compressed != length:
            _broken(f"the compressed data of {MEMBER} end early")

    def _inflate(self, inflater: "zlib._Decompress", piece: bytes) -> bytes:
        """Returns what of the piece lies behind the end of the compressed data."""
        while True:
            room = self._room
            try:
                inflated = inflater.decompress(piece, room)
            except zlib.error:
                _broken(f"the compressed data of {MEMBER} cannot be inflated")
            unread = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            self._compressed += len(piece) - len(unread)
            self._emit(inflated)
            if inflater.eof or (not unread and len(inflated) < room):
                return unread
            piece = unread

    def _stored(self, length: int) -> Steps:
        while self._compressed < length:
            yield from self._need(1)
            self._store(min(len(self._buffer), length - self._compressed))

    def _stored_until_descriptor(self) -> Steps:
        """Not compressed, and the size follows the data: JSON cannot contain the descriptor's control characters."""
        while (end := self._buffer.find(Signature.DESCRIPTOR)) < 0:
            self._store(max(len(self._buffer) - 3, 0))
            if not (yield from self._more()):
                self._cut()
        self._store(end)

    def _store(self, length: int) -> None:
        for start in range(0, length, PIECE):
            piece = self._buffer[start : min(start + PIECE, length)]
            self._compressed += len(piece)
            while piece:
                head, piece = piece[: self._room], piece[self._room :]
                self._emit(head)
        self._buffer = self._buffer[length:]
        self._consumed += length

    def _descriptor(self) -> Steps:
        yield from self._need(DESCRIPTOR_MAX)  # it may be shorter, but the directory follows
        length = descriptor_length(self._buffer, self._actual)
        if length is None:
            _broken(f"{MEMBER} does not have the size or checksum that is announced after it")
        yield from self._take(length)

    def _directory(self, local: LocalHeader) -> Steps:
        start = self._consumed
        if (signature := (yield from self._signature())) == Signature.LOCAL:
            _foreign("The archive has more than one member")
        if signature != Signature.CENTRAL:
            _broken("its directory is missing")
        header = CentralHeader.read((yield from self._take(CENTRAL_LENGTH)))
        self._check_name((yield from self._take(header.name_length)))
        extra = yield from self._take(header.extra_length)
        yield from self._take(header.comment_length)
        same = (header.flags, header.method) == (local.flags, local.method) and offset64(header, extra) == 0
        if not same or sizes64(header.sizes, extra) != self._actual:
            _broken(f"what its directory says of {MEMBER} is not so")
        yield from self._end(start)

    def _end(self, directory: int) -> Steps:
        end = self._consumed
        wide: End64 | None = None
        if (signature := (yield from self._signature())) == Signature.CENTRAL:
            _foreign("The archive has more than one member")
        if signature == Signature.END64:
            (length,) = struct.unpack("<4xQ", (yield from self._take(12)))
            wide = End64.read((yield from self._take(min(length, FULL16))))
            if wide is None or wide != (0, 0, 1, 1, end - directory, directory):
                _broken("its end is not what it should be")
            if (yield from self._signature()) != Signature.LOCATOR64:
                _broken("its end is not where it should be")
            yield from self._take(20)
            signature = yield from self._signature()
        if signature != Signature.END:
            _broken("its end is not where it should be")
        record = EndRecord.read((yield from self._take(END_LENGTH)))
        self.comment = yield from self._take(record.comment_length)
        full16, full32 = ({FULL16}, {FULL32}) if wide else (set(), set())
        if {record.entries, record.entries_here} - {1} - full16 or {record.disk, record.first_disk} - {0} - full16:
            _foreign("The archive says it has more than one member or part")
        if {record.length} - {end - directory} - full32 or {record.offset} - {directory} - full32:
            _broken("its directory is not where it should be")

    # reading and writing

    def _more(self) -> Generator[None, bytes, bool]:
        piece = b"" if self._ended else (yield)
        if not piece:
            self._ended = True
        self._buffer += piece
        return bool(piece)

    def _has(self, length: int) -> Generator[None, bytes, bool]:
        while len(self._buffer) < length:
            if not (yield from self._more()):
                return False
        return True

    def _need(self, length: int) -> Steps:
        if not (yield from self._has(length)):
            self._cut()

    def _take(self, length: int) -> Generator[None, bytes, bytes]:
        yield from self._need(length)
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        self._consumed += length
        return taken

    def _signature(self) -> Generator[None, bytes, bytes]:
        yield from self._need(4)
        return self._buffer[:4]

    def _emit(self, data: bytes) -> None:
        self._pending.append(data)
        self._room -= len(data)
        self._size += len(data)
        if self._room == 0:
            self._flush()

    def _flush(self) -> None:
        block = b"".join(self._pending)
        self._pending, self._room = [], BLOCK
        self._crc = zlib.crc32(block, self._crc)
        self._check_limits()
        self.uncompressed += len(block)
        if block:
            self._sink(block)

    # what is refused

    def _check_name(self, name: bytes) -> None:
        if name != MEMBER.encode():
            _foreign(f"The archive has a member named {name[:100].decode(errors='replace')!r}")

    def _check_limits(self) -> None:
        size, limits = self._size, self._limits
        if size > limits.uncompressed_bytes:
            raise TerminalError(
                Reason.ARCHIVE_TOO_LARGE,
                f"{MEMBER} inflates to more than {limits.uncompressed_bytes} bytes, which is the limit.",
            )
        if size > limits.ratio_from and size > limits.ratio * self._compressed:
            raise TerminalError(
                Reason.ARCHIVE_TOO_LARGE,
                f"{MEMBER} inflates to more than {limits.ratio} times its compressed size: a ZIP bomb, not a snapshot.",
            )

    def _not_a_zip(self) -> NoReturn:
        if not self._buffer:
            raise TerminalError(Reason.NOT_A_ZIP, "It is empty.")
        raise TerminalError(
            Reason.NOT_A_ZIP,
            f"It is not a ZIP archive, it begins with {self._buffer[:START]!r}. Is it the answer of /get-snapshot?",
        )

    def _cut(self) -> NoReturn:
        raise TerminalError(
            Reason.INVALID_ARCHIVE,
            f"The archive is cut off after {self._consumed + len(self._buffer)} bytes. Capture or copy it again.",
        )
