"""The tables of redacted archives, and the key, as the operator gets at them."""

from datetime import datetime

from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.retention import ORPHAN_AGE
from kai_snapshot.runs import catalog
from kai_snapshot.runs.request import RedactionRequest
from kai_snapshot.runs.services import Services, secrets_of, store_for
from kai_snapshot.stores import Store, layout


def redaction_of(services: Services, capture: SnapshotCapture) -> RedactionRequest | None:
    """What a run is told of the redaction; None if there is none. Raises SnapshotError: CredentialsNotFound, ..."""
    wanted, namespace = capture.spec.redaction, capture.metadata.namespace
    if wanted is None:
        return None
    secret, name = wanted.key_secret_ref, f"{namespace}/{wanted.key_secret_ref.name}"
    key = (services.cluster.secret_data(namespace, secret.name) or {}).get(secret.key)
    if key is None:
        raise TerminalError(
            Reason.CREDENTIALS_NOT_FOUND,
            f"Secret {name} with the key {secret.key} does not exist: create it with 32 random bytes or more, and keep "
            "it, so that later archives match",
        )
    credentials, ca = secrets_of(services.cluster, namespace, wanted.table)
    return RedactionRequest.model_construct(
        key=key,
        key_from=f"The key {secret.key} of Secret {name}",
        table=wanted.table,
        keys=credentials,
        ca=ca.decode("ascii", "replace") if ca is not None else None,
    )


def tables_of(services: Services, capture: SnapshotCapture) -> Store | None:
    """Where the tables of a capture are. Raises SnapshotError."""
    wanted = capture.spec.redaction
    return store_for(services, capture.metadata.namespace, wanted.table) if wanted is not None else None


def prune_tables(
    tables: Store, store: Store, folder: layout.CaptureFolder, *, owner: str, now: datetime | None
) -> None:
    """Tables go with their archives. One without is spared for a day, for a run may be about to store the archive;
    `now` is None where none can be. Those of archives in another place, or of another cluster, are not touched.
    Raises SnapshotError of the stores.
    """
    committed = set(catalog.ids(store.list(folder.prefix)))
    for entry in list(tables.list(folder.prefix)):
        id_ = folder.of_table(entry.key, owner=owner)
        if id_ is not None and id_ not in committed and (now is None or now - entry.modified >= ORPHAN_AGE):
            tables.delete(entry.key)
