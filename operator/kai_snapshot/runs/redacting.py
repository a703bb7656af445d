"""A run that redacts: the key and the place of the table first, and then what was taken."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from kai_snapshot.api.manifest import CaptureIdentity
from kai_snapshot.redaction.key import Key
from kai_snapshot.retention import LEFT_BEHIND
from kai_snapshot.runs.redact import redacted
from kai_snapshot.runs.request import CaptureRequest, RedactionRequest
from kai_snapshot.runs.taken import Taken
from kai_snapshot.stores import Store, layout, open_store, owner


@dataclass(frozen=True)
class Redacting:
    """What a redaction takes; had before anything is asked of the scheduler."""

    key: Key
    tables: Store
    owner: str
    """Tells the tables from those of archives elsewhere."""

    @classmethod
    def of(cls, request: CaptureRequest, wanted: RedactionRequest, identity: CaptureIdentity) -> Self:
        """Raises SnapshotError: InvalidKey, and what opening the place for tables raises."""
        key = Key(wanted.key, where=wanted.key_from)
        tables = open_store(
            wanted.table,
            credentials=wanted.keys,
            ca=wanted.ca.encode() if wanted.ca is not None else None,
            claims_root=request.claims_dir,
        )
        return cls(key, tables, owner(request.storage, identity.cluster_uid))

    def redact(self, taken: Taken, request: CaptureRequest, folder: layout.CaptureFolder) -> Taken:
        """Redacts what was taken and stores the table, before there is an archive that needs it."""
        table = request.spool_dir / "table.gz"
        made = redacted(taken, request.spool_dir / "redacted.zip", table, self.key)
        self.tables.abort_unfinished(folder.prefix, before=datetime.now(UTC) - LEFT_BEHIND)
        self.tables.put(folder.table(request.id, made.inspection.sha256, owner=self.owner), table)
        return made
