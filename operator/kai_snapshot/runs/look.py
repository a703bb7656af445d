"""Look: the views of an archive, wherever it is: in a storage, in a file, or with the scheduler now."""

import tempfile
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.api.result import ReplayResult
from kai_snapshot.api.visualizer import ClusterSummary, Source
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs import catalog, listing
from kai_snapshot.runs.download import download
from kai_snapshot.runs.listing import NONE, Archive, Listing
from kai_snapshot.runs.replays import Replay, ReplayName, Result, StoredReplays, at_most, no_replay, replay_of
from kai_snapshot.runs.understand import Config, digest, simulated, views_of, views_of_file
from kai_snapshot.stores import Store, layout
from kai_snapshot.views import Views

KEPT: Final = 4
"""Archives whose views are kept: those of a large cluster take 100 MB."""
SUMMARIES_KEPT: Final = 1000
"""Or as many as there are archives, for a page shows those of all."""
RESULTS_KEPT: Final = 8

GIVEN: Final = "results"
"""The name of the replay that results in files are taken for."""


class Place(Protocol):
    """Where archives are looked at. All methods block; one at a time is called, and beside it one `simulated`."""

    several: bool
    """Whether there may be several archives, and so a list of them."""

    def see(self, wanted: str) -> Views:
        """The views of the archive that is wanted; of the newest if that is empty. Raises SnapshotError, OSError."""

    def summary(self, wanted: str) -> ClusterSummary:
        """Its summary alone, which is kept for longer than all views. Raises SnapshotError, OSError."""

    def archive(self, wanted: str) -> AbstractContextManager[Path]:
        """The archive itself, in a file that is there meanwhile. Raises SnapshotError, OSError."""

    def simulated(self, wanted: str) -> ReplayResult:
        """What the simulator makes of it. Raises SnapshotError, OSError."""

    def listing(self) -> Listing:
        """Those that can be wanted, oldest first, and what cannot be read. Raises SnapshotError, OSError."""

    def replays(self, wanted: Collection[str]) -> Mapping[str, Sequence[ReplayName]]:
        """Replays that there are results of, by the archive's name; of these archives only. Raises SnapshotError."""

    def replay(self, wanted: str, name: str) -> Replay:
        """One of them: all its versions. Raises SnapshotError, OSError."""

    def result(self, wanted: str, name: str, version: str) -> Result:
        """What one of its versions decided. Raises SnapshotError, OSError."""


class Stored:
    """Archives in a storage: of one capture, or of all."""

    several = True

    def __init__(self, store: Store, folder: layout.CaptureFolder | None = None) -> None:
        self._store = store
        self._folder = folder
        self._kept: OrderedDict[Source, Views] = OrderedDict()
        self._summaries: OrderedDict[Source, ClusterSummary] = OrderedDict()
        self._simulated: OrderedDict[Source, ReplayResult] = OrderedDict()
        self._replays = StoredReplays(store)
        self._known: dict[tuple[layout.CaptureFolder, str], Archive] = {}

    def see(self, wanted: str) -> Views:
        """By key or id; of an archive that has a manifest."""
        return self._see(*self._find(wanted))

    def summary(self, wanted: str) -> ClusterSummary:
        """By key or id; of an archive that has a manifest."""
        key, manifest = self._find(wanted)
        known = self._summaries.get(_source(key, manifest))
        return known if known is not None else self._see(key, manifest).summary

    def archive(self, wanted: str) -> AbstractContextManager[Path]:
        """By key or id; of an archive that has a manifest."""
        return self._downloaded(*self._find(wanted))

    def simulated(self, wanted: str) -> ReplayResult:
        """By key or id; of an archive that has a manifest."""
        key, manifest = self._find(wanted)
        source = _source(key, manifest)
        if source not in self._simulated:
            with self._downloaded(key, manifest) as path:
                self._simulated[source] = simulated(path, source, _config(manifest))
        at_most(RESULTS_KEPT, self._simulated)
        return self._simulated[source]

    def replays(self, wanted: Collection[str]) -> Mapping[str, Sequence[ReplayName]]:
        """By the archives' keys."""
        return self._replays.names(wanted)

    def replay(self, wanted: str, name: str) -> Replay:
        """By key or id of the archive."""
        key, _ = self._find(wanted)
        return self._replays.replay(key, name)

    def result(self, wanted: str, name: str, version: str) -> Result:
        """By key or id of the archive."""
        key, _ = self._find(wanted)
        return self._replays.result(key, name, version)

    def listing(self) -> Listing:
        """As their manifests say."""
        found = listing.listing(self._store, self._folder, known=self._known)
        self._known = {(layout.CaptureFolder(*_capture(each)), each.manifest.id): each for each in found.archives}
        in_time = sorted(found.archives, key=lambda each: (each.manifest.captured_at, each.key))
        return replace(found, archives=in_time)

    def _see(self, key: str, manifest: Manifest) -> Views:
        source = _source(key, manifest)
        if source not in self._kept:
            self._kept[source] = self._read(key, manifest, source)
            self._summaries[source] = self._kept[source].summary
        self._kept.move_to_end(source)
        at_most(KEPT, self._kept)
        at_most(max(SUMMARIES_KEPT, len(self._known)), self._summaries)
        return self._kept[source]

    def _read(self, key: str, manifest: Manifest, source: Source) -> Views:
        with self._downloaded(key, manifest) as path:
            return views_of(path, source, _config(manifest))

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
            raise not_found(wanted)
        return key, manifest


class InFile:
    """One archive in a file, which may be replaced while it is looked at; and results of it, by their version."""

    several = False

    def __init__(self, path: Path, results: Mapping[str, Result] | None = None) -> None:
        self._path = path
        self._results = results or {}
        self._last: Views | None = None
        self._simulated: tuple[Source, ReplayResult] | None = None

    def see(self, wanted: str) -> Views:
        """By the file's name."""
        if wanted not in ("", self._path.name):
            raise not_found(wanted)
        sha256 = digest(self._path)
        if self._last is None or self._last.source.sha256 != sha256:
            self._last = views_of_file(self._path, sha256)
        return self._last

    def summary(self, wanted: str) -> ClusterSummary:
        """By the file's name."""
        return self.see(wanted).summary

    def archive(self, wanted: str) -> AbstractContextManager[Path]:
        """By the file's name."""
        if wanted not in ("", self._path.name):
            raise not_found(wanted)
        return nullcontext(self._path)

    def simulated(self, wanted: str) -> ReplayResult:
        """By the file's name."""
        source = self.see(wanted).source
        if self._simulated is None or self._simulated[0] != source:
            self._simulated = source, simulated(self._path, source, None)
        return self._simulated[1]

    def listing(self) -> Listing:
        """None: a file has no manifest."""
        return NONE

    def replays(self, wanted: Collection[str]) -> Mapping[str, Sequence[ReplayName]]:
        """The results, as one replay."""
        given = [ReplayName(GIVEN, len(self._results))] if self._results and self._path.name in wanted else []
        return {self._path.name: given}

    def replay(self, wanted: str, name: str) -> Replay:
        """That of the results."""
        if wanted not in ("", self._path.name) or name != GIVEN or not self._results:
            raise no_replay(name)
        return replay_of(GIVEN, self._results.items())

    def result(self, wanted: str, name: str, version: str) -> Result:
        """One of the results."""
        if wanted not in ("", self._path.name) or name != GIVEN or version not in self._results:
            raise no_replay(f"{name} {version}")
        return self._results[version]


def _source(key: str, manifest: Manifest) -> Source:
    return Source(
        kind="stored",
        capture=key,
        captured_at=manifest.captured_at,
        kai_version=manifest.scheduler.version,
        sha256=manifest.sha256,
        built_from_api=manifest.built_from_api is not None,
        redacted=manifest.redaction is not None,
    )


def _capture(archive: Archive) -> tuple[str, str]:
    namespace, _, rest = archive.key.partition("/")
    return namespace, rest.partition("/")[0]


def _config(manifest: Manifest) -> Config:
    """That which was put into the manifest, if any."""
    return manifest.config if isinstance(manifest.config, dict) else None


def not_found(wanted: str) -> TerminalError:
    """For a name that is none."""
    return TerminalError(Reason.ARCHIVE_NOT_FOUND, f"There is no archive {wanted[:200]!r} here.")
