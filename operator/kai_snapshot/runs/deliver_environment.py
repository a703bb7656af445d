"""Deliver: what takes the document of a node behind the transfer endpoint, and completes it from the archive."""

import io
from collections.abc import Callable
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from kai_snapshot import __version__
from kai_snapshot.api.environmentdocument import TIMESTAMP, CollectorStatus, EnvironmentDocument
from kai_snapshot.api.environmentindex import NodeRecord
from kai_snapshot.api.snapshotcapture import SnapshotCapture
from kai_snapshot.api.transfer import NodePart
from kai_snapshot.cluster import CAPTURES
from kai_snapshot.environment.text import decode_json
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.environmentplans import load_record, take_back
from kai_snapshot.runs.environmentsteps import put_document
from kai_snapshot.runs.services import Services, now, store_for
from kai_snapshot.stores import Store, layout
from kai_snapshot.transfer.backend import Upload

NODE_COLLECTORS: Final = frozenset(("gpu", "os", "systemd"))


class EnvironmentDelivery:
    """Takes documents. `on_document` is called with the part when one is stored."""

    def __init__(self, services: Services, *, on_document: Callable[[NodePart], None]) -> None:
        self._services = services
        self._on_document = on_document

    def put_environment(self, part: NodePart, upload: Upload) -> None:
        """Commits the document of a node: it counts once its record is there. The same one again is fine."""
        capture = self._capture(part)
        store = store_for(self._services, part.namespace, capture.spec.storage)
        folder = layout.CaptureFolder(part.namespace, part.name)
        here = folder.environment(part.run)
        with self._services.locks.of((part.uid, part.run, part.node)):
            if store.stat(here.record(part.node)) is not None:
                if load_record(store, here, part.node).received_sha256 != upload.sha256:
                    raise TerminalError(Reason.RESULT_EXISTS, f"it is known already what became of {part}")
                return
            found = _known(decode_json(upload.file.read(), where=f"what was handed in as {part}"))
            document = self._complete(store, here, part, found)
            record = NodeRecord(
                node=part.node,
                document=put_document(store, here.node(part.node), document),
                missing=_missing(capture, found),
                gpu_count=document.gpu_count,
                received_sha256=upload.sha256,
            )
            store.put(here.record(part.node), io.BytesIO(record.encode()))
            self._check_wanted_still(store, folder, part)
        self._services.metrics.node_recorded(document, found.collectors)
        self._on_document(part)

    def _capture(self, part: NodePart) -> SnapshotCapture:
        """The capture of the part, whose environment must be under way."""
        resource = self._services.cluster.get(CAPTURES, part.namespace, part.name)
        if resource is None or resource["metadata"]["uid"] != part.uid:
            raise TerminalError(Reason.TRANSFER_REFUSED, f"the capture of {part} is gone")
        try:
            capture = SnapshotCapture.model_validate(resource)
        except ValidationError as error:
            raise TerminalError(Reason.TRANSFER_REFUSED, f"the capture of {part} cannot be read any more") from error
        beside = capture.status.environment
        under_way = beside is not None and beside.id == part.run and beside.outcome == "Running"
        if not under_way or capture.metadata.deletion_timestamp is not None:
            raise TerminalError(Reason.TRANSFER_REFUSED, f"the environment is over that {part} belongs to")
        return capture

    def _complete(
        self, store: Store, here: layout.EnvironmentFolder, part: NodePart, document: EnvironmentDocument
    ) -> EnvironmentDocument:
        """With what the archive says of the node and of the cluster, which the pod has no right to ask."""
        plan = self._services.plans.load(store, here, uid=part.uid)
        try:
            known = plan.measurements_of(part.node)
        except KeyError as error:
            raise TerminalError(Reason.TRANSFER_REFUSED, f"{part} was not asked for") from error
        return EnvironmentDocument.compose(
            (*known, *document.measurements),
            source_node=part.node,
            version=__version__,
            at=_moment(document),
            collectors=(*plan.collectors, *document.collectors),
        )

    def _check_wanted_still(self, store: Store, folder: layout.CaptureFolder, part: NodePart) -> None:
        """Takes it back if the archive, or the capture, went while it was stored: nobody would clear it away."""
        try:
            self._capture(part)
            gone = store.stat(folder.manifest(part.run)) is None
        except TerminalError as error:
            if error.reason is not Reason.TRANSFER_REFUSED:
                raise
            gone = True
        if gone:
            take_back(store, folder.environment(part.run), part.node)
            raise TerminalError(Reason.TRANSFER_REFUSED, f"the archive is gone that {part} belongs to")


def _known(document: EnvironmentDocument) -> EnvironmentDocument:
    """Without reports of collectors that no pod of ours has: their names go into metrics."""
    known = tuple(each for each in document.collectors if each.name in NODE_COLLECTORS)
    return document.model_copy(update={"collectors": known})


def _missing(capture: SnapshotCapture, document: EnvironmentDocument) -> tuple[str, ...]:
    """The collectors that lack something. That of units cannot but fail in a pod that sees nothing of the host."""
    wanted = capture.spec.environment
    beyond = {"systemd"} if wanted is not None and not wanted.privileged else set()
    lacking = (each.name for each in document.collectors if each.status != CollectorStatus.SUCCEEDED or each.message)
    return tuple(name for name in lacking if name not in beyond)


def _moment(document: EnvironmentDocument) -> datetime:
    try:
        return datetime.fromisoformat(document.metadata.get(TIMESTAMP, "")).astimezone()
    except ValueError:
        return now()
