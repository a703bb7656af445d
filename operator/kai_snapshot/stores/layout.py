"""What keys look like, relative to the location. Pure names.

- the archive: `<namespace>/<capture>/<id>-<first 8 of the SHA-256>.zip`
- its manifest: `<namespace>/<capture>/<id>.json`
- of a redacted one, in the storage of its table: `<namespace>/<capture>/<id>-<first 8 of the SHA-256>.table.gz`
- what a replay made of it: `<namespace>/<capture>/<id>/replays/<replay>-<uid8>/` with `<index>.result.json`,
  `<index>-a<attempt>.log.gz`, `<index>-a<attempt>.{cpu,memory}.pprof` if wanted, and `comparison.json`
- of a replay of many archives: the same, beside the newest of them, with `plan.json`, and what is of one archive in a
  folder `<completion index>/` each
- what the cluster and its nodes were: `<namespace>/<capture>/<id>/environment/` with `plan.json`, `cluster.yaml`, for
  each node `nodes/<node>.yaml` and what became of it in `nodes/<node>.json`, at the end `drift.json` and `index.json`
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from kai_snapshot.api.ids import is_run_id
from kai_snapshot.api.transfer import Profile
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.stores.store import Entry, check_key, is_key

Kind = Literal["archive", "manifest", "replay", "environment"]

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(
    r"(?P<id>[0-9]{8}T[0-9]{6}Z(-[0-9a-f]{8})?)"
    r"((?P<archive>-[0-9a-f]{8}\.zip)|(?P<manifest>\.json)|(?P<replay>/replays/.+)"
    r"|(?P<environment>/environment/.+))"
)
_KINDS: tuple[Kind, ...] = get_args(Kind)
_TABLE = re.compile(r"(?P<id>[0-9]{8}T[0-9]{6}Z(-[0-9a-f]{8})?)-[0-9a-f]{8}\.(?P<owner>[0-9a-f]{8})\.table\.gz")
_RECORD = re.compile(r"nodes/(?P<node>.+)\.json")
_RESULT_OF_MANY = re.compile(r"(?P<archive>[0-9]+)/(?P<index>[0-9]+)\.result\.json")
_OF_REPLAY = re.compile(
    r"(?P<prefix>.+/replays/(?P<replay>[^/]+)/)"
    r"(plan\.json|comparison\.json|((?P<archive>[0-9]+)/)?(?P<index>[0-9]+)\.result\.json)"
)


@dataclass(frozen=True)
class CaptureFolder:
    """Where the archives of one capture lie. Raises TerminalError(InvalidSpec) on names no object can have."""

    namespace: str
    capture: str

    def __post_init__(self) -> None:
        _check_name(self.namespace)
        _check_name(self.capture)

    @property
    def prefix(self) -> str:
        """What all keys of the capture start with, the slash included."""
        return f"{self.namespace}/{self.capture}/"

    def archive(self, id_: str, sha256: str) -> str:
        """Key of an archive."""
        return self.prefix + archive_name(id_, sha256)

    def manifest(self, id_: str) -> str:
        """Key of the manifest of a run."""
        return f"{self.prefix}{_checked_id(id_)}.json"

    def table(self, id_: str, sha256: str, *, owner: str) -> str:
        """Key of the table of a redacted archive. A place for tables may have those of several places for archives."""
        return self.archive(id_, sha256).removesuffix(".zip") + f".{owner}.table.gz"

    def of_table(self, key: str, *, owner: str) -> str | None:
        """The id of the run whose table that is; None if it is none of this capture's, or of another owner."""
        match = _TABLE.fullmatch(key.removeprefix(self.prefix)) if key.startswith(self.prefix) else None
        return match["id"] if match is not None and is_run_id(match["id"]) and match["owner"] == owner else None

    def environment(self, id_: str) -> "EnvironmentFolder":
        """Where the environment of a run lies."""
        return EnvironmentFolder(f"{self.prefix}{_checked_id(id_)}/environment/")


@dataclass(frozen=True)
class EnvironmentFolder:
    """Where it is kept what the cluster and its nodes were."""

    prefix: str
    """What all its keys start with, the slash included."""

    @property
    def plan(self) -> str:
        """Key of the EnvironmentPlan: which nodes are recorded, and what the archive says of them."""
        return f"{self.prefix}plan.json"

    @property
    def cluster(self) -> str:
        """Key of the document of the cluster."""
        return f"{self.prefix}cluster.yaml"

    @property
    def drift(self) -> str:
        """Key of what changed since the environment before."""
        return f"{self.prefix}drift.json"

    @property
    def index(self) -> str:
        """Key of the EnvironmentIndex, which is written last."""
        return f"{self.prefix}index.json"

    def holds(self, node: str) -> bool:
        """Whether there can be keys of a node of that name."""
        return _NAME.fullmatch(node) is not None and is_key(self.prefix + f"nodes/{node}.json")

    def node(self, node: str) -> str:
        """Key of the document of a node."""
        _check_name(node)
        return f"{self.prefix}nodes/{node}.yaml"

    def record(self, node: str) -> str:
        """Key of what became of a node."""
        _check_name(node)
        return f"{self.prefix}nodes/{node}.json"

    def recorded(self, entries: Iterable[Entry]) -> set[str]:
        """The nodes of which it is known what became of them."""
        matches = (_RECORD.fullmatch(entry.key.removeprefix(self.prefix)) for entry in entries)
        return {match["node"] for match in matches if match is not None}


@dataclass(frozen=True)
class ReplayFolder:
    """Where the results of one replay lie."""

    prefix: str
    """What all keys of the replay start with, the slash included."""

    @property
    def plan(self) -> str:
        """Key of the ReplayPlan, if the replay is about many archives."""
        return f"{self.prefix}plan.json"

    @property
    def comparison(self) -> str:
        """Key of the comparison of all versions."""
        return f"{self.prefix}comparison.json"

    def of(self, archive: int | None) -> "ReplayFolder":
        """Where the results of one archive of many lie, by its position in the plan; None: there is only one."""
        return self if archive is None else ReplayFolder(f"{self.prefix}{archive}/")

    def result(self, index: int) -> str:
        """Key of the ReplayResult of the version at `index` (from 0) of the plan."""
        return f"{self.prefix}{index}.result.json"

    def log(self, index: int, attempt: int) -> str:
        """Key of the tool's log of the version at `index`, from the Job number `attempt` (from 1)."""
        return f"{self.prefix}{index}-a{attempt}.log.gz"

    def profile(self, index: int, attempt: int, profile: Profile) -> str:
        """Key of a profile of the tool, from the same Job as its log."""
        return f"{self.prefix}{index}-a{attempt}.{profile}.pprof"

    def done(self, entries: Iterable[Entry]) -> Mapping[int, set[int]]:
        """The archives of many, by their position in the plan, that each version has a result of, by its index."""
        found: dict[int, set[int]] = defaultdict(set)
        for entry in entries:
            match = _RESULT_OF_MANY.fullmatch(entry.key.removeprefix(self.prefix))
            if match is not None:
                found[int(match["index"])].add(int(match["archive"]))
        return dict(found)


@dataclass(frozen=True)
class ReplayFile:
    """What the key of a document of a replay says."""

    folder: ReplayFolder
    replay: str
    """Name and beginning of the UID."""
    archive: int | None
    """The position in the plan of the archive that a result is of; None if there is one archive only."""
    index: int | None
    """The version that a result is of; None if it is none."""


@dataclass(frozen=True)
class Parsed:
    """What a key says."""

    kind: Kind
    folder: CaptureFolder
    id: str


def archive_name(id_: str, sha256: str) -> str:
    """File name of an archive, as its manifest has it."""
    if _SHA256.fullmatch(sha256) is None:
        raise TerminalError(Reason.INVALID_SPEC, f"{sha256[:80]!r} is not a SHA-256 in hexadecimal.")
    return f"{_checked_id(id_)}-{sha256[:8]}.zip"


def replays_prefix(archive_key: str) -> str:
    """What the keys of all replays of an archive start with: the folder of its run, or else one of its own."""
    check_key(archive_key)
    parsed = parse(archive_key)
    if parsed is not None and parsed.kind == "archive":
        return f"{parsed.folder.prefix}{parsed.id}/replays/"
    stem = archive_key.removesuffix(".zip")
    return f"{stem}/replays/" if stem != archive_key else f"{archive_key}.d/replays/"


def replay_folder(archive_key: str, replay: str, *, uid: str) -> ReplayFolder:
    """The folder of the SnapshotReplay `replay` with the UID `uid`. A replay made anew under its name gets another."""
    _check_name(replay)
    _check_name(uid)
    return ReplayFolder(f"{replays_prefix(archive_key)}{replay}-{uid[:8]}/")


def parse(key: str) -> Parsed | None:
    """What a key of this layout says; None if it is something else's."""
    namespace, _, rest = key.partition("/")
    capture, _, file = rest.partition("/")
    match = _FILE.fullmatch(file)
    if match is None or not _NAME.fullmatch(namespace) or not _NAME.fullmatch(capture) or not is_run_id(match["id"]):
        return None
    kind = next(kind for kind in _KINDS if match[kind])
    return Parsed(kind, CaptureFolder(namespace, capture), match["id"])


def parse_replay(key: str) -> ReplayFile | None:
    """What the key of a result, a plan or a comparison says; None if it is something else's."""
    match = _OF_REPLAY.fullmatch(key)
    if match is None:
        return None
    archive, index = (int(found) if found is not None else None for found in match.group("archive", "index"))
    return ReplayFile(ReplayFolder(match["prefix"]), match["replay"], archive, index)


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or len(name) > 253:
        raise TerminalError(Reason.INVALID_SPEC, f"{name[:80]!r} is not the name of a Kubernetes object.")


def _checked_id(id_: str) -> str:
    if not is_run_id(id_):
        raise TerminalError(Reason.INVALID_SPEC, f"{id_[:80]!r} is not the id of a run, such as 20261122T101500Z.")
    return id_
