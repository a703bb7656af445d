"""Look: the views of an archive, wherever it is: in a storage, in a file, or with the scheduler now."""

import gc
import hashlib
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.api.visualizer import ClusterSummary, Source
from kai_snapshot.api.waiting import WaitingJob
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.runs import catalog, listing
from kai_snapshot.runs.download import download
from kai_snapshot.runs.take import Taken
from kai_snapshot.simulator.simulate import load, simulate
from kai_snapshot.stores import Store, layout
from kai_snapshot.views import Views, compute, gather

KEPT: Final = 4
"""Archives whose views are kept: those of a large cluster take 100 MB."""
SUMMARIES_KEPT: Final = 2000
FRESH_SECONDS: Final = 5.0
"""How long what the scheduler said counts as what it says now."""

T = TypeVar("T")
Waiting = Mapping[str, WaitingJob]
"""By namespace/name of the job."""


class Place(Protocol):
    """Where archives are looked at. All methods block; one at a time is called, and beside it one `waiting`."""

    def see(self, wanted: str) -> Views:
        """The views of the archive that is wanted; of the newest if that is empty. Raises SnapshotError, OSError."""

    def summary(self, wanted: str) -> ClusterSummary:
        """Its summary alone, which is kept for longer than all views. Raises SnapshotError, OSError."""

    def waiting(self, wanted: str) -> Waiting:
        """Why jobs of it wait, as the simulator finds. Raises SnapshotError, OSError."""

    def archives(self) -> Sequence[listing.Archive]:
        """Those that can be wanted, oldest first. Raises SnapshotError, OSError."""


class Stored:
    """Archives in a storage: of one capture, or of all."""

    def __init__(self, store: Store, folder: layout.CaptureFolder | None = None) -> None:
        self._store = store
        self._folder = folder
        self._kept: OrderedDict[Source, Views] = OrderedDict()
        self._summaries: OrderedDict[Source, ClusterSummary] = OrderedDict()
        self._waiting: OrderedDict[Source, Waiting] = OrderedDict()
        self._known: dict[tuple[layout.CaptureFolder, str], listing.Archive] = {}

    def see(self, wanted: str) -> Views:
        """By key or id; of an archive that has a manifest."""
        return self._see(*self._find(wanted))

    def summary(self, wanted: str) -> ClusterSummary:
        """By key or id; of an archive that has a manifest."""
        key, manifest = self._find(wanted)
        known = self._summaries.get(_source(key, manifest))
        return known if known is not None else self._see(key, manifest).summary

    def waiting(self, wanted: str) -> Waiting:
        """By key or id; of an archive that has a manifest."""
        key, manifest = self._find(wanted)
        source = _source(key, manifest)
        if source not in self._waiting:
            with self._downloaded(key, manifest) as path:
                self._waiting[source] = _simulated(path, source, _config(manifest))
        _at_most(SUMMARIES_KEPT, self._waiting)
        return self._waiting[source]

    def archives(self) -> Sequence[listing.Archive]:
        """As their manifests say; one that cannot be read is left out."""
        found = listing.listing(self._store, self._folder, known=self._known).archives
        self._known = {(layout.CaptureFolder(*_capture(each)), each.manifest.id): each for each in found}
        return sorted(found, key=lambda each: (each.manifest.captured_at, each.key))

    def _see(self, key: str, manifest: Manifest) -> Views:
        source = _source(key, manifest)
        if source not in self._kept:
            self._kept[source] = self._read(key, manifest, source)
            self._summaries[source] = self._kept[source].summary
        self._kept.move_to_end(source)
        _at_most(KEPT, self._kept)
        _at_most(SUMMARIES_KEPT, self._summaries)
        return self._kept[source]

    def _read(self, key: str, manifest: Manifest, source: Source) -> Views:
        with self._downloaded(key, manifest) as path:
            return _compute(path, source, _config(manifest))

    @contextmanager
    def _downloaded(self, key: str, manifest: Manifest) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="kai-snapshot-") as spool:
            path = Path(spool) / "snapshot.zip"
            download(self._store, key, path, sha256=manifest.sha256, progress=lambda _: None)
            yield path

    def _find(self, wanted: str) -> tuple[str, Manifest]:
        if not wanted:
            return listing.newest(self._store, self._folder)
        parsed = layout.parse(wanted)
        if "/" not in wanted and not wanted.endswith(".zip"):
            key, manifest = listing.choose(self._store, wanted, self._folder)
        elif parsed is not None and parsed.kind == "archive" and self._folder in (None, parsed.folder):
            key, manifest = wanted, catalog.beside(self._store, wanted)
        else:
            key, manifest = wanted, None
        if manifest is None:
            raise _not_found(wanted)
        return key, manifest


class InFile:
    """One archive in a file, which may be replaced while it is looked at."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: Views | None = None
        self._simulated: tuple[Source, Waiting] | None = None

    def see(self, wanted: str) -> Views:
        """By the file's name."""
        if wanted not in ("", self._path.name):
            raise _not_found(wanted)
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if self._last is None or self._last.source.sha256 != digest:
            with _nothing_thrown_away():
                gathered = gather(self._path, not_after=datetime.now(UTC))
                taken = gathered.collected.captured_at
                source = Source(kind="file", capture=self._path.name, captured_at=taken, sha256=digest)
                self._last = compute(gathered, source=source)
        return self._last

    def summary(self, wanted: str) -> ClusterSummary:
        """By the file's name."""
        return self.see(wanted).summary

    def waiting(self, wanted: str) -> Waiting:
        """By the file's name."""
        source = self.see(wanted).source
        if self._simulated is None or self._simulated[0] != source:
            self._simulated = source, _simulated(self._path, source, None)
        return self._simulated[1]

    def archives(self) -> Sequence[listing.Archive]:
        """None: a file has no manifest."""
        return ()


class Live:
    """What the scheduler sees now; asked again when the last answer, good or bad, is some seconds old."""

    def __init__(self, take: Callable[[Path], Taken], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`take` has the scheduler's archive written to a file."""
        self._take = take
        self._clock = clock
        self._answer: Views | SnapshotError | None = None
        self._until = 0.0

    def see(self, wanted: str) -> Views:
        """The present has no name."""
        if wanted:
            raise _not_found(wanted)
        if self._answer is None or self._clock() >= self._until:
            try:
                self._answer = self._look()
            except SnapshotError as error:
                self._answer = error
            self._until = self._clock() + FRESH_SECONDS
        if isinstance(self._answer, SnapshotError):
            raise self._answer
        return self._answer

    def summary(self, wanted: str) -> ClusterSummary:
        """The present has no name."""
        return self.see(wanted).summary

    def waiting(self, wanted: str) -> Waiting:
        """The present has no name, and is over when the simulator has understood it: capture it, and look at that."""
        del wanted
        raise TerminalError(
            Reason.INVALID_SPEC, "Why jobs wait is found out about archives: take one with `kai-snapshot capture`."
        )

    def archives(self) -> Sequence[listing.Archive]:
        """None: there is only the present."""
        return ()

    def _look(self) -> Views:
        with tempfile.TemporaryDirectory(prefix="kai-snapshot-") as spool:
            taken = self._take(Path(spool) / "snapshot.zip")
            source = Source(
                kind="live",
                captured_at=taken.captured_at,
                kai_version=taken.target.version if taken.target is not None else None,
                sha256=taken.inspection.sha256,
            )
            return _compute(taken.path, source, taken.config)


def _source(key: str, manifest: Manifest) -> Source:
    return Source(
        kind="stored",
        capture=key,
        captured_at=manifest.captured_at,
        kai_version=manifest.scheduler.version,
        sha256=manifest.sha256,
    )


def _at_most(most: int, kept: "OrderedDict[Source, T]") -> None:
    while len(kept) > most:
        kept.popitem(last=False)


def _capture(archive: listing.Archive) -> tuple[str, str]:
    namespace, _, rest = archive.key.partition("/")
    return namespace, rest.partition("/")[0]


def _compute(path: Path, source: Source, config: dict[str, Any] | None) -> Views:
    with _nothing_thrown_away():
        return compute(gather(path, not_after=source.captured_at), source=source, config=config)


@contextmanager
def _nothing_thrown_away() -> Iterator[None]:
    """Nearly all that is made of an archive is kept: to look for garbage meanwhile takes as long as all the rest."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _config(manifest: Manifest) -> dict[str, Any] | None:
    """The scheduler's configuration, where the archive says null."""
    return manifest.config if isinstance(manifest.config, dict) else None


def _simulated(path: Path, source: Source, config: dict[str, Any] | None) -> Waiting:
    collected = load(path, not_after=source.captured_at)
    if config is not None and collected.config is None:
        collected.configure(config)
    result = simulate(collected, clock=time.perf_counter, now=source.captured_at)
    return {each.name: each for each in result.waiting}


def _not_found(wanted: str) -> TerminalError:
    return TerminalError(Reason.ARCHIVE_NOT_FOUND, f"There is no archive {wanted[:200]!r} here.")
