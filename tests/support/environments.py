"""An environment under way over a cluster in memory and a real directory, and documents as pods hand them in."""

import asyncio
import hashlib
import io
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kai_snapshot.api.environmentdocument import (
    CollectorReport,
    CollectorStatus,
    EnvironmentDocument,
    Measurement,
    MeasurementType,
    Subtype,
)
from kai_snapshot.api.environmentindex import EnvironmentIndex, NodeRecord
from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest, SchedulerIdentity
from kai_snapshot.api.transfer import NodePart
from kai_snapshot.cluster import CAPTURES
from kai_snapshot.environment.text import decode, encode
from kai_snapshot.jobs import names
from kai_snapshot.runs import drive_capture, drive_environment
from kai_snapshot.runs.deliver_environment import EnvironmentDelivery
from kai_snapshot.runs.environmentsteps import answer
from kai_snapshot.runs.request import Answer, CaptureAnswer
from kai_snapshot.runs.services import Services
from kai_snapshot.stores import layout
from kai_snapshot.stores.directory import DirectoryStore
from kai_snapshot.transfer.backend import Upload
from support import kstatus
from support.cluster import NAMESPACE, FakeCluster, services
from support.nodearchive import snapshot
from support.resources import capture

STORAGE: dict[str, Any] = {"storage": {"pvc": {"claimName": "archives"}}}
FOLDER = layout.CaptureFolder(NAMESPACE, "hourly")


def document(*, swappiness: str = "60", failed: str | None = None, gpus: int = 8) -> EnvironmentDocument:
    """What a pod finds."""
    reports = [
        CollectorReport(
            name=name,
            status=CollectorStatus.TIMED_OUT if name == failed else CollectorStatus.SUCCEEDED,
            duration_seconds=0.5,
        )
        for name in ("gpu", "os", "systemd")
    ]
    sysctl = {"/proc/sys/vm/swappiness": swappiness, "/proc/sys/kernel/random/uuid": str(next(_COUNT))}
    found = [
        Measurement(type=MeasurementType.GPU, subtypes=(Subtype(subtype="smi", data={"gpu-count": gpus}),)),
        Measurement(type=MeasurementType.OS, subtypes=(Subtype(subtype="sysctl", data=sysctl),)),
        Measurement(type=MeasurementType.SYSTEMD, subtypes=()),
    ]
    kept = [each for each in found if each.type.lower() != failed]
    return EnvironmentDocument.compose(
        kept, source_node="itself", version="test", at=datetime.now(UTC), collectors=reports
    )


_COUNT = itertools.count()


def upload(content: EnvironmentDocument | bytes) -> Upload:
    """As the transfer endpoint hands it on."""
    body = content if isinstance(content, bytes) else encode(content, "json")
    return Upload(io.BytesIO(body), hashlib.sha256(body).hexdigest(), len(body))


class Steps:
    """Child processes that run here, at once, unless the test has an answer of its own."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self.started: list[str] = []
        self.answers: list[Answer | None] = []
        """What the next ones end with; None: they do not end."""
        self._table: dict[str, Any] = {}

    def get(self, key: str, *, id_: str, attempt: int) -> Any:
        child = self._table.get(key)
        return child if child is not None and child.id == id_ else None

    def start(self, key: str, id_: str, request: Any, *, attempt: int, **_: Any) -> None:
        step = type("Step", (), {"id": id_, "attempt": attempt, "answer": None, "ended_at": datetime.now(UTC)})()
        self._table[key] = step
        self.started.append(id_.rpartition("/")[2])
        if self.answers:
            step.answer = self.answers.pop(0)
            return

        async def run() -> None:
            wanted = await request()
            step.answer = await asyncio.to_thread(answer, wanted.model_copy(update={"spool_dir": self.spool}))

        self._running = asyncio.get_running_loop().create_task(run())

    async def settle(self) -> None:
        if self.started and hasattr(self, "_running"):
            await self._running

    def forget(self, key: str) -> None:
        self._table.pop(key, None)

    async def stop(self, key: str) -> bool:
        there = key in self._table
        self.forget(key)
        return there


class World:
    """A SnapshotCapture with an archive, whose environment is looked at step by step."""

    def __init__(self, claims: Path, children: Any, nodes: Mapping[str, Mapping[str, str]]) -> None:
        self.cluster = FakeCluster(clock=lambda: datetime.now(UTC))
        (claims / "spool").mkdir(exist_ok=True)
        self.steps = Steps(claims / "spool")
        self.children = children
        self.services: Services = services(self.cluster, claims=claims, children=children, steps=self.steps)
        self.store = DirectoryStore(claims / "archives", name="pvc://archives")
        self.nodes = dict(nodes)
        self.delivery = EnvironmentDelivery(self.services, on_document=lambda _: None)
        self._runs = itertools.count()
        self.moment = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)

    # -- the capture

    def put(self, environment: dict[str, Any] | None, **spec: Any) -> None:
        """The capture as a person applies it."""
        beside = {} if environment is None else {"environment": environment}
        resource = capture(**{**STORAGE, **beside, "schedule": {"cron": "0 0 29 2 *", "immediate": True}, **spec})
        found = self.cluster.get(CAPTURES, NAMESPACE, "hourly")
        if found is not None and "status" in found:
            resource["status"] = found["status"]
        resource["metadata"]["creationTimestamp"] = self.moment.isoformat()
        self.cluster.put(CAPTURES, resource)

    def run(self, *, version: str = "v1.35.4") -> str:
        """A run that stores an archive, and is taken note of. Returns its id."""
        found = self.cluster.get(CAPTURES, NAMESPACE, "hourly")
        assert found is not None
        found["metadata"]["annotations"] = {"kai-snapshot.io/run-requested-at": str(next(_COUNT))}
        self.cluster.put(CAPTURES, found)
        self.look_at_capture()
        if "active" not in self.status():
            self.look_at_capture()
        id_ = str(self.status()["active"]["id"])
        self.children.table[f"{NAMESPACE}/hourly"].answer = CaptureAnswer(manifest=self.archive(id_, version), uri="x")
        self.look_at_capture()
        return id_

    def archive(self, id_: str, version: str) -> Manifest:
        """An archive in the storage, with its manifest."""
        content = snapshot(self.nodes, version=version)
        sha256 = hashlib.sha256(content).hexdigest()
        at = self.moment + timedelta(seconds=next(self._runs))  # retention goes by it
        manifest = Manifest(
            id=id_,
            archive=layout.archive_name(id_, sha256),
            capture=CaptureIdentity(cluster_uid="c1", namespace=NAMESPACE, name="hourly"),
            sha256=sha256,
            size_bytes=len(content),
            uncompressed_bytes=9,
            scheduler=SchedulerIdentity(version="v0.17.0"),
            scheduled_for=at,
            captured_at=at,
            trigger="Manual",
        )
        self.store.put(FOLDER.archive(id_, sha256), io.BytesIO(content))
        self.store.put(FOLDER.manifest(id_), io.BytesIO(manifest.encode()))
        return manifest

    def look_at_capture(self) -> None:
        asyncio.run(drive_capture.drive(self.services, NAMESPACE, "hourly", lambda: None))

    # -- its environment

    def look(self, *, times: int = 1) -> datetime | None:
        """Looks at the environment, and lets the step that it starts end."""

        async def one() -> datetime | None:
            again_at = await drive_environment.drive(self.services, NAMESPACE, "hourly", lambda: None)
            await self.steps.settle()
            return again_at

        again_at = None
        for _ in range(times):
            again_at = asyncio.run(one())
        return again_at

    def status(self) -> dict[str, Any]:
        found = self.cluster.get(CAPTURES, NAMESPACE, "hourly")
        assert found is not None
        return dict(kstatus.check(found)["status"])

    @property
    def beside(self) -> dict[str, Any]:
        """`status.environment`."""
        return dict(self.status()["environment"])

    def condition(self, type_: str = "EnvironmentCaptured") -> tuple[str, str] | None:
        found = [c for c in self.status()["conditions"] if c["type"] == type_]
        return (found[0]["status"], found[0]["reason"]) if found else None

    def working_on(self) -> list[str]:
        """The nodes that have a Job."""
        return sorted(job["metadata"]["annotations"][names.NODE] for job in self.cluster.made_jobs.values())

    def part(self, node: str) -> NodePart:
        meta = capture()["metadata"]
        return NodePart(uid=meta["uid"], namespace=NAMESPACE, name="hourly", run=self.beside["id"], node=node)

    def hand_in(self, node: str, content: EnvironmentDocument | bytes | None = None) -> None:
        """What a pod does at its end."""
        self.delivery.put_environment(self.part(node), upload(content if content is not None else document()))

    def end_job(self, node: str, *, pod: dict[str, Any] | None = None, **condition: Any) -> None:
        """The Job of a node has failed; its pod says why."""
        for job in self.cluster.made_jobs.values():
            if job["metadata"]["annotations"][names.NODE] == node:
                job["status"] = {"conditions": [{"type": "Failed", "status": "True", **condition}]}
                if pod is not None:
                    self.cluster.made_pods.append(pod_of(job, **pod))

    # -- the storage

    def stored(self, node: str, *, run: str | None = None) -> EnvironmentDocument:
        key = FOLDER.environment(run or self.beside["id"]).node(node)
        with self.store.open(key) as file:
            return decode(file.read(), where=key)

    def record(self, node: str) -> NodeRecord:
        with self.store.open(FOLDER.environment(self.beside["id"]).record(node)) as file:
            return NodeRecord.decode(file.read(), where=node)

    def index(self) -> EnvironmentIndex:
        with self.store.open(FOLDER.environment(self.beside["id"]).index) as file:
            return EnvironmentIndex.decode(file.read(), where="index")

    def manifest(self, id_: str) -> Manifest:
        with self.store.open(FOLDER.manifest(id_)) as file:
            return Manifest.decode(file.read(), where=id_)


def pod_of(job: dict[str, Any], **status: Any) -> dict[str, Any]:
    """A pod of the Job, as the API server gives it."""
    spec = job["spec"]["template"]["spec"]
    return {
        "metadata": {
            "name": f"{job['metadata']['name']}-x",
            "creationTimestamp": "2026-11-22T10:00:00Z",
            "ownerReferences": [{"uid": job["metadata"]["uid"], "controller": True}],
        },
        "spec": spec,
        "status": status,
    }


__all__ = ["FOLDER", "World", "document", "pod_of", "run_id", "snapshot", "upload"]
