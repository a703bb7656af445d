"""Replays of archives that are looked at: which there are in a storage, and what they say, version by version."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import ValidationError

from kai_snapshot import compare
from kai_snapshot.api.backtestdocument import BacktestDocument
from kai_snapshot.api.comparisondocument import ComparisonDocument
from kai_snapshot.api.decodedresult import DecodedResult, invalid
from kai_snapshot.api.replayplan import PlannedArchive, ReplayPlan
from kai_snapshot.api.result import JobOutcome, ReplayResult, ResultFacts
from kai_snapshot.api.snapshotreplay import ResultCounts
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.runs.replayplan import PLAN_BYTES
from kai_snapshot.runs.results import RESULT_BYTES
from kai_snapshot.stores import Store, layout, read

SIMULATED: Final = "simulated"
"""The name of the replay that the simulator makes while one waits; no folder in a storage has it, for lack of a UID."""
_COMPARISON_BYTES: Final = 64 << 20
_REPLAYS_KEPT: Final = 8
_RESULTS_KEPT: Final = 2

Result = DecodedResult | ReplayResult


@dataclass(frozen=True)
class ReplayName:
    """A replay that has results of an archive."""

    name: str
    """Of the SnapshotReplay, with the beginning of its UID."""
    versions: int
    """That have a result of the archive."""
    archives: int = 1
    """How many archives it is about."""


@dataclass(frozen=True)
class Version:
    """What is known of a version, but for what it decided, which is large."""

    name: str
    facts: ResultFacts
    counts: ResultCounts


@dataclass(frozen=True)
class Replay:
    """A replay of an archive: all its versions, side by side."""

    name: str
    versions: Sequence[Version]
    """Those that have a result."""
    comparison: ComparisonDocument
    """All of them."""
    archives: Sequence[PlannedArchive] = ()
    """All archives it is about, oldest first; none if it is about this one only."""
    many: BacktestDocument | None = None
    """How versions differ over all archives, where that is known already."""


def replay_of(
    name: str,
    results: Iterable[tuple[str, Result]],
    *,
    baseline: str | None = None,
    kept: ComparisonDocument | None = None,
) -> Replay:
    """The replay that gave these results, at least one, each with its version's name.

    `baseline`: a version's name; the first by default. `kept`: how they compare, where that is known.
    """
    versions: list[Version] = []
    found: list[compare.Findings] = []
    for version, result in results:
        versions.append(_version(version, result))
        if kept is None:
            found.append(compare.findings(result, name=version))
    if kept is None:
        kept = compare.compare(next((each for each in found if each.name == baseline), found[0]), found)
    return Replay(name, versions, kept)


def _version(name: str, result: Result) -> Version:
    facts = {each: getattr(result, each) for each in ResultFacts.model_fields}
    runs = result.runs.model_copy(update={"frequencies": None}) if result.runs is not None else None
    return Version(
        name=name,
        facts=ResultFacts(**facts | {"runs": runs}),
        counts=ResultCounts(
            placements=len(result.placements),
            evictions=len(result.evictions),
            pipelined=len(result.pipelined),
            unschedulable=sum(job.outcome == JobOutcome.UNSCHEDULABLE for job in result.pod_groups),
            errors=result.error_count,
        ),
    )


@dataclass
class _Folder:
    """A replay's folder, as its keys tell."""

    at: layout.ReplayFolder
    name: str
    results: dict[int | None, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Versions that have a result, by the archive's position in the plan."""
    documents: set[str] = field(default_factory=set)

    @property
    def many(self) -> bool:
        """Whether it is about many archives."""
        return self.at.plan in self.documents


class StoredReplays:
    """The replays whose results lie beside archives in a storage. What is stored there once does not change."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plans: dict[str, ReplayPlan] = {}
        self._replays: OrderedDict[object, Replay] = OrderedDict()
        self._results: OrderedDict[str, DecodedResult] = OrderedDict()

    def names(self, keys: Iterable[str]) -> Mapping[str, Sequence[ReplayName]]:
        """Those of these archives, by the archive's key. Raises SnapshotError of the store."""
        wanted = set(keys)
        captures = {parsed.folder.prefix for key in wanted if (parsed := layout.parse(key)) is not None}
        beside = {layout.replays_prefix(key): key for key in wanted}
        found: dict[str, list[ReplayName]] = defaultdict(list)
        for prefix in sorted(captures):
            for folder in self._folders(prefix):
                for key, position, archives in self._archives(folder, beside):
                    if key in wanted and (done := folder.results.get(position)):
                        found[key].append(ReplayName(folder.name, len(done), archives))
        return found

    def replay(self, archive: str, name: str) -> Replay:
        """All versions of a replay of the archive with that key.

        Raises TerminalError: ArchiveNotFound if there is none, InvalidResult; and SnapshotError of the store.
        """
        folder, position = self._find(archive, name)
        indexes = sorted(folder.results[position])
        known = (folder.at.prefix, position, *indexes, *sorted(folder.documents))
        if known not in self._replays:
            self._replays[known] = self._read(folder, position)
            at_most(_REPLAYS_KEPT, self._replays)
        return self._replays[known]

    def result(self, archive: str, name: str, version: str) -> DecodedResult:
        """What one version decided. Raises as `replay` does."""
        folder, position = self._find(archive, name)
        named = self._named(folder, position, self._comparison(folder))
        found = next((result for label, result in named if label == version), None)
        if found is None:
            raise no_replay(f"{name} {version}")
        return found

    def _read(self, folder: _Folder, position: int | None) -> Replay:
        document = self._comparison(folder)
        replay = replay_of(
            folder.name,
            self._named(folder, position, document),
            baseline=document.baseline if document is not None else None,
            kept=document if isinstance(document, ComparisonDocument) else None,
        )
        if not folder.many:
            return replay
        plan = self._plan(folder)
        return replace(
            replay,
            archives=plan.archives if plan is not None else (),
            many=document if isinstance(document, BacktestDocument) else None,
        )

    def _find(self, archive: str, name: str) -> tuple[_Folder, int | None]:
        """The replay of that name, and the archive's position in its plan."""
        beside = {layout.replays_prefix(archive): archive}
        parsed = layout.parse(archive)
        for prefix in (layout.replays_prefix(archive), parsed.folder.prefix if parsed is not None else None):
            for folder in self._folders(prefix) if prefix is not None else ():
                if folder.name != name:
                    continue
                for key, position, _ in self._archives(folder, beside):
                    if key == archive and folder.results.get(position):
                        return folder, position
        raise no_replay(name)

    def _folders(self, prefix: str) -> Iterable[_Folder]:
        """All replays below a prefix."""
        found: dict[str, _Folder] = {}
        for entry in self._store.list(prefix):
            parsed = layout.parse_replay(entry.key)
            if parsed is None:
                continue
            folder = found.setdefault(parsed.folder.prefix, _Folder(parsed.folder, parsed.replay))
            if parsed.index is not None:
                folder.results[parsed.archive].add(parsed.index)
            else:
                folder.documents.add(entry.key)
        return found.values()

    def _archives(self, folder: _Folder, beside: Mapping[str, str]) -> Iterator[tuple[str, int | None, int]]:
        """The archives that a replay is about, each with its position, and how many there are."""
        if not folder.many:
            key = beside.get(folder.at.prefix.removesuffix(f"{folder.name}/"))
            if key is not None:
                yield key, None, 1
            return
        plan = self._plan(folder)
        for position, archive in enumerate(plan.archives if plan is not None else ()):
            yield archive.key, position, len(plan.archives) if plan is not None else 0

    def _plan(self, folder: _Folder) -> ReplayPlan | None:
        """Its plan; None if it cannot be read, so that one that is damaged hides nothing but itself."""
        key = folder.at.plan
        if key not in self._plans:
            try:
                self._plans[key] = ReplayPlan.model_validate_json(read(self._store, key, limit=PLAN_BYTES))
            except ValidationError:
                return None
            except SnapshotError as error:
                if error.reason is not Reason.ARCHIVE_NOT_FOUND:
                    raise
                return None
        return self._plans[key]

    def _comparison(self, folder: _Folder) -> ComparisonDocument | BacktestDocument | None:
        """How all versions compare; None as long as they are not all over."""
        key = folder.at.comparison
        if key not in folder.documents:
            return None
        model = BacktestDocument if folder.many else ComparisonDocument
        try:
            return model.model_validate_json(read(self._store, key, limit=_COMPARISON_BYTES))
        except ValidationError as error:
            raise invalid(key) from error

    def _named(
        self, folder: _Folder, position: int | None, document: ComparisonDocument | BacktestDocument | None
    ) -> Iterator[tuple[str, DecodedResult]]:
        """The results with their versions' names, as the comparison has them; without one, as the tool says."""
        said = [each.name for each in document.versions] if document is not None else []
        given: set[str] = set()
        for index in sorted(folder.results[position]):
            result = self._result(folder, position, index)
            name = said[index] if index < len(said) else result.engine.version
            unique = name if name and name not in given else f"{name or 'version'} ({index + 1})"
            given.add(unique)
            yield unique, result

    def _result(self, folder: _Folder, position: int | None, index: int) -> DecodedResult:
        key = folder.at.of(position).result(index)
        if key not in self._results:
            self._results[key] = DecodedResult.decode(read(self._store, key, limit=RESULT_BYTES), where=key)
            at_most(_RESULTS_KEPT, self._results)
        return self._results[key]


def at_most(most: int, kept: "OrderedDict[Any, Any]") -> None:
    """Forgets what has been kept longest."""
    while len(kept) > most:
        kept.popitem(last=False)


def no_replay(name: str) -> TerminalError:
    """That there is none of that name."""
    return TerminalError(Reason.PAGE_NOT_FOUND, f"There is no replay {name[:200]!r} of that archive here.")
