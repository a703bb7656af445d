"""Plan, records and index of an environment in the storage; the plan is remembered, for every node needs it."""

import io
import threading
from typing import Final

from kai_snapshot.api.environmentindex import EnvironmentIndex, EnvironmentPlan, NodeRecord
from kai_snapshot.stores import Store, layout, read

PLAN_BYTES: Final = 64 << 20
INDEX_BYTES: Final = 16 << 20
RECORD_BYTES: Final = 1 << 20
_REMEMBERED: Final = 4


def load_plan(store: Store, here: layout.EnvironmentFolder) -> EnvironmentPlan:
    """The plan. Raises SnapshotError: ArchiveNotFound if there is none."""
    return EnvironmentPlan.decode(read(store, here.plan, limit=PLAN_BYTES), where=here.plan)


def load_index(content: bytes, here: layout.EnvironmentFolder) -> EnvironmentIndex:
    """The index. Raises TerminalError(InvalidEnvironment)."""
    return EnvironmentIndex.decode(content, where=here.index)


def load_record(store: Store, here: layout.EnvironmentFolder, node: str) -> NodeRecord:
    """What became of a node. Raises SnapshotError: ArchiveNotFound if that is not known yet."""
    key = here.record(node)
    return NodeRecord.decode(read(store, key, limit=RECORD_BYTES), where=key)


def put_record(store: Store, folder: layout.CaptureFolder, run: str, record: NodeRecord) -> bool:
    """Stores what became of a node, unless the archive is gone meanwhile: nobody would clear it away.

    Returns whether it stays. Raises SnapshotError.
    """
    here = folder.environment(run)
    store.put(here.record(record.node), io.BytesIO(record.encode()))
    if store.stat(folder.manifest(run)) is not None:
        return True
    take_back(store, here, record.node)
    return False


def take_back(store: Store, here: layout.EnvironmentFolder, node: str) -> None:
    """Removes what is known of a node. Raises SnapshotError."""
    store.delete(here.record(node))
    store.delete(here.node(node))


class EnvironmentPlans:
    """The plans read last. A plan is made once, and never another for the same run of the same object."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], EnvironmentPlan] = {}
        self._lock = threading.Lock()

    def load(self, store: Store, here: layout.EnvironmentFolder, *, uid: str) -> EnvironmentPlan:
        """See load_plan; `uid` is the capture's. Threads that ask for the first time at once read it each."""
        key = (uid, here.prefix)
        with self._lock:
            plan = self._known.pop(key, None)
        if plan is None:
            plan = load_plan(store, here)
        with self._lock:
            self._known[key] = plan
            while len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        return plan
