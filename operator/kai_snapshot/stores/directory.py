"""A directory as a store: a mounted claim, or any folder of a person's."""

import errno
import io
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.stores.store import Entry, check_key, is_key

_PIECE = 1 << 20
_PARTIAL = ".partial"
_FSCK = "lost+found/"
"""At the root of many a volume, and readable for root only."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


def check_mounted(claim: Path) -> None:
    """Raises TerminalError(ClaimNotMounted) unless a volume is mounted at `claim`, else what is written is lost."""
    if not os.path.ismount(claim):
        raise TerminalError(
            Reason.CLAIM_NOT_MOUNTED,
            f"The claim {claim.name} is not mounted into the operator at {claim}: add it to the operator's Deployment "
            "with manifests/components/claim. Claims can be used in the operator's own namespace only.",
        )


class DirectoryStore:
    """Files under a directory. A file is whole or not there: it is written beside its place, synced and renamed.

    root: made with the first file. name: what messages call it.
    """

    def __init__(self, root: Path, *, name: str | None = None) -> None:
        self._root = root
        self._name = name or str(root)

    def put(self, key: str, body: Path | BinaryIO) -> Entry:
        """See Store."""
        path = self._path(key)
        half = path.with_name(f".{uuid.uuid4().hex}{_PARTIAL}")
        with self._errors(key):
            file = _create(half)
        try:
            with file:
                for piece in _pieces(body):  # whose own errors are the caller's
                    with self._errors(key):
                        _write(file, piece)
                with self._errors(key):
                    os.fsync(file.fileno())
            with self._errors(key):
                half.replace(path)
                _sync_directory(path.parent)
                return _entry(key, path.stat())
        except BaseException:
            half.unlink(missing_ok=True)
            raise

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """See Store."""
        path = self._path(key)
        with self._errors(key):
            file = _Reading(path, partial(self._errors, key))
        with io.BufferedReader(file, _PIECE) as stream:
            yield stream

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See Store."""
        folder = prefix.rpartition("/")[0]
        if not folder or is_key(folder):
            with self._errors(prefix):
                yield from self._walk(folder, prefix)

    def _walk(self, folder: str, prefix: str) -> Iterator[Entry]:
        try:
            found = list(os.scandir(self._root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        # a slash behind directories puts "a-b" before "a/b", as keys sort
        keys = (
            (f"{folder}/" if folder else "") + item.name + "/" * item.is_dir(follow_symlinks=False) for item in found
        )
        for key, item in sorted(zip(keys, found, strict=True), key=lambda pair: pair[0]):
            if key.endswith("/"):
                if is_key(key[:-1]) and key != _FSCK and (key.startswith(prefix) or prefix.startswith(key)):
                    yield from self._walk(key[:-1], prefix)
            elif item.is_file(follow_symlinks=False) and key.startswith(prefix) and is_key(key):
                try:
                    yield _entry(key, item.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue  # deleted since

    def stat(self, key: str) -> Entry | None:
        """See Store."""
        path = self._path(key)
        try:
            with self._errors(key):
                return _entry(key, path.stat()) if not path.is_dir() else None
        except SnapshotError as error:
            if error.reason is Reason.ARCHIVE_NOT_FOUND:
                return None
            raise

    def delete(self, key: str) -> None:
        """See Store. Directories that are empty then go as well."""
        path = self._path(key)
        with self._errors(key):
            if not path.is_dir():
                path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self._root:
                return
            try:
                parent.rmdir()
            except OSError:
                return  # not empty, or gone

    def abort_unfinished(self, prefix: str, *, before: datetime) -> int:
        """See Store. These are the files that writes begin as."""
        above = prefix.rpartition("/")[0]
        aborted = 0
        for folder, _, names in os.walk(self._root / check_key(above) if above else self._root):
            if not f"{Path(folder).relative_to(self._root).as_posix()}/".startswith(prefix):
                continue
            for path in (Path(folder, name) for name in names if name.startswith(".") and name.endswith(_PARTIAL)):
                with self._errors(prefix), suppress(FileNotFoundError):
                    if _modified(path.lstat()) < before:
                        path.unlink()
                        aborted += 1
        return aborted

    def _path(self, key: str) -> Path:
        path = self._root / check_key(key)
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise TerminalError(Reason.ACCESS_DENIED, f"{key} leads out of {self._name} through a symbolic link.")
        return path

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Says what the file system's errors mean."""
        try:
            yield
        except OSError as error:
            raise self._translated(error, key) from error

    def _translated(self, error: OSError, key: str) -> SnapshotError:
        why = error.strerror or str(error)
        if error.errno in _FULL:
            return TerminalError(
                Reason.NO_SPACE_LEFT,
                f"{self._name} is full ({why}) and has no room for {key}: enlarge the volume, or keep fewer archives.",
            )
        if error.errno in _REFUSED:
            return TerminalError(
                Reason.ACCESS_DENIED,
                f"{self._name} may not be used for {key or 'listing'} ({why}): it must be readable and writable for "
                "this process, in the operator for user or group 65532 (fsGroup).",
            )
        if error.errno in _ABSENT:
            return TerminalError(Reason.ARCHIVE_NOT_FOUND, f"There is no {key} in {self._name}.")
        return TransientError(Reason.STORAGE_UNREACHABLE, f"{self._name} failed at {key or 'listing'}: {why}.")


class _Reading(io.FileIO):
    """A file whose errors are put into words, for as long as it is read."""

    def __init__(self, path: Path, errors: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(path)
        self._errors = errors

    def readinto(self, buffer: Any, /) -> int | None:
        with self._errors():
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with self._errors():
            return super().readall()


def _create(path: Path, *, tries: int = 3) -> io.FileIO:
    try:
        _make_directories(path.parent)
        return io.FileIO(path, "x")
    except FileNotFoundError:  # a `delete` took the empty directory away in between
        if tries == 1:
            raise
        return _create(path, tries=tries - 1)


def _write(file: io.FileIO, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[file.write(left) :]


def _pieces(body: Path | BinaryIO) -> Iterator[bytes]:
    if isinstance(body, Path):
        with body.open("rb") as file:
            yield from iter(lambda: file.read(_PIECE), b"")
    else:
        yield from iter(lambda: body.read(_PIECE), b"")


def _entry(key: str, stat: os.stat_result) -> Entry:
    return Entry(key, stat.st_size, _modified(stat))


def _modified(stat: os.stat_result) -> datetime:
    return datetime.fromtimestamp(stat.st_mtime, UTC)


def _make_directories(folder: Path) -> None:
    """mkdir -p, durable: a directory is safe when the one above it is synced."""
    if folder.is_dir():
        return
    _make_directories(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_directory(folder.parent)


def _sync_directory(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
