"""The plan of a replay of many archives: kept in the storage, read back only as it was pinned."""

import hashlib
import io
import threading
from typing import Final

import orjson
from pydantic import ValidationError

from kai_snapshot.api.replayplan import PlannedArchive, ReplayPlan
from kai_snapshot.api.snapshotreplay import ResolvedSource
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.stores import Store, layout, read

PLAN_BYTES: Final = 8 << 20
_REMEMBERED: Final = 4
_CREATE_ANEW: Final = "create the replay again"


def encode(plan: ReplayPlan) -> bytes:
    """The document in the storage: the same bytes for the same plan."""
    return orjson.dumps(plan.dump(), option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def store_plan(store: Store, folder: layout.ReplayFolder, plan: ReplayPlan) -> str:
    """Stores the plan and returns its digest, a SHA-256. Raises SnapshotError of the store."""
    content = encode(plan)
    store.put(folder.plan, io.BytesIO(content))
    return hashlib.sha256(content).hexdigest()


def load_plan(store: Store, folder: layout.ReplayFolder, *, digest: str) -> ReplayPlan:
    """The plan with that digest. Raises TerminalError(PlanLost) if it is not there, and SnapshotError of the store."""
    try:
        content = read(store, folder.plan, limit=PLAN_BYTES)
    except SnapshotError as error:
        if error.reason is not Reason.ARCHIVE_NOT_FOUND:
            raise
        message = f"the plan {folder.plan} is not in the storage any more: {_CREATE_ANEW}"
        raise TerminalError(Reason.PLAN_LOST, message) from error
    if hashlib.sha256(content).hexdigest() != digest:
        message = f"the plan {folder.plan} was changed in the storage after it was pinned: {_CREATE_ANEW}"
        raise TerminalError(Reason.PLAN_LOST, message)
    try:
        return ReplayPlan.model_validate_json(content)
    except ValidationError as error:
        message = f"the plan {folder.plan} was written by another release: {_CREATE_ANEW}"
        raise TerminalError(Reason.PLAN_LOST, message) from error


class Plans:
    """The plans read last, by their digest: every pod of a Job asks several times for an archive of the same."""

    def __init__(self) -> None:
        self._known: dict[str, ReplayPlan] = {}
        self._lock = threading.Lock()

    def load(self, store: Store, folder: layout.ReplayFolder, *, digest: str) -> ReplayPlan:
        """See load_plan. Threads that ask for the first time at once read it each."""
        with self._lock:
            plan = self._known.pop(digest, None)
        if plan is None:
            plan = load_plan(store, folder, digest=digest)
        with self._lock:
            self._known[digest] = plan
            while len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        return plan


def archive_of(source: ResolvedSource, plan: ReplayPlan | None, archive: int | None) -> PlannedArchive:
    """The archive at that position of the plan; the only one there is, if there is no plan.

    Raises TerminalError(TransferRefused) if there is none at that position.
    """
    if plan is None and archive is None:
        return source
    if plan is None:
        raise TerminalError(Reason.TRANSFER_REFUSED, f"the replay is about one archive, not about an archive {archive}")
    if archive is None or not 0 <= archive < len(plan.archives):
        asked = "and it was not said which" if archive is None else f"from 0 on, none of which is archive {archive}"
        raise TerminalError(Reason.TRANSFER_REFUSED, f"the replay is about {len(plan.archives)} archives, {asked}")
    return plan.archives[archive]
