"""The environment documents beside a stored archive, each as the manifest, through the index, says it is."""

import hashlib
from collections.abc import Sequence

from kai_snapshot.api.environmentdocument import EnvironmentDocument
from kai_snapshot.api.environmentindex import EnvironmentIndex, StoredDocument
from kai_snapshot.api.manifest import Manifest
from kai_snapshot.environment.text import decode
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.environmentplans import INDEX_BYTES, load_index
from kai_snapshot.runs.environmentsteps import DOCUMENT_BYTES
from kai_snapshot.stores import Store, layout, read


def documents(
    store: Store, folder: layout.CaptureFolder, manifest: Manifest, *, nodes: Sequence[str] = ()
) -> list[EnvironmentDocument]:
    """Those of these nodes, of all without any named, or of the cluster if no node was recorded.

    Raises SnapshotError: ArchiveNotFound if there is no environment, NodeNotFound, ChecksumMismatch.
    """
    here = folder.environment(manifest.id)
    if manifest.environment is None:
        message = f"Beside {manifest.archive} no environment is recorded, or it is not complete yet."
        raise TerminalError(Reason.ARCHIVE_NOT_FOUND, message)
    content = _checked(store, here.index, manifest.environment.sha256, limit=INDEX_BYTES)
    index = load_index(content, here)
    if not index.nodes and not nodes:
        return [_document(store, here.cluster, index.cluster)]
    found = {record.node: record.document for record in index.nodes}
    wanted = nodes or [node for node, document in found.items() if document is not None]
    return [_document(store, here.node(node), _there(index, node)) for node in wanted]


def _there(index: EnvironmentIndex, node: str) -> StoredDocument:
    record = next((each for each in index.nodes if each.node == node), None)
    if record is not None and record.document is not None:
        return record.document
    why = f": {record.problem.reason}: {record.problem.message}" if record is not None and record.problem else ""
    known = ", ".join(each.node for each in index.nodes[:5]) or "none"
    raise TerminalError(
        Reason.NODE_NOT_FOUND, f"Run {index.id} has no document of the node {node!r}{why}. Nodes there: {known}."
    )


def _document(store: Store, key: str, stored: StoredDocument) -> EnvironmentDocument:
    return decode(_checked(store, key, stored.sha256, limit=DOCUMENT_BYTES), where=key)


def _checked(store: Store, key: str, sha256: str, *, limit: int) -> bytes:
    content = read(store, key, limit=limit)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        message = f"{key} has the SHA-256 {found} and should have {sha256}: it was damaged or replaced."
        raise TerminalError(Reason.CHECKSUM_MISMATCH, message)
    return content
