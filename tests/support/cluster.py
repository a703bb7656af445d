"""A cluster in memory with the methods of `kai_snapshot.cluster.Cluster`, and services around it for tests."""

import copy
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kai_snapshot.api.base import rfc3339
from kai_snapshot.cluster import REPLAYS, AlreadyExistsError, ConflictError, Object
from kai_snapshot.errors import Reason
from kai_snapshot.metrics import Metrics
from kai_snapshot.runs.children import captures, environments
from kai_snapshot.runs.services import Services
from kai_snapshot.settings import Settings
from kai_snapshot.source import ApiConnection
from kai_snapshot.transfer.certificates import Certificates, make
from kai_snapshot.transfer.presented import Presented
from kai_snapshot.transfer.tokens import Tokens
from support.resources import CREATED

NAMESPACE = "kai-snapshots"
CERTIFICATE = make("transfer", datetime.now(UTC))


class FakeCluster:
    """Objects by (plural, namespace, name); writes are counted."""

    def __init__(self, clock: Callable[[], datetime] = lambda: CREATED) -> None:
        self.clock = clock
        """When Jobs are made."""
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.made_jobs: dict[str, Object] = {}
        self.made_pods: list[Object] = []
        self.secrets: dict[str, Object] = {}
        self.events: list[tuple[str, str]] = []
        self.pod_refusals: dict[str, str] = {}
        self.terminating: set[str] = set()
        self.status_writes = 0
        self._versions = itertools.count(2)

    def put(self, plural: str, resource: Object) -> Object:
        meta = resource["metadata"]
        meta["resourceVersion"] = str(next(self._versions))
        self.objects[plural, meta["namespace"], meta["name"]] = copy.deepcopy(resource)
        return resource

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        return copy.deepcopy(self.objects.get((plural, namespace, name)))

    def unfinished_replays(self, namespace: str) -> list[Object]:
        found = (o for (plural, ns, _), o in self.objects.items() if (plural, ns) == (REPLAYS, namespace))
        return [copy.deepcopy(each) for each in found if "outcome" not in each.get("status", {})]

    def replace_status(self, plural: str, resource: Object, status: Object) -> Object:
        meta = resource["metadata"]
        current = self.objects[plural, meta["namespace"], meta["name"]]
        if current["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            raise ConflictError(meta["name"])
        self.status_writes += 1
        return copy.deepcopy(self.put(plural, {**current, "status": copy.deepcopy(status)}))

    def set_finalizers(self, plural: str, resource: Object, finalizers: tuple[str, ...]) -> None:
        meta = resource["metadata"]
        key = (plural, meta["namespace"], meta["name"])
        if meta.get("deletionTimestamp") and not finalizers:
            del self.objects[key]
            return
        self.objects[key]["metadata"]["finalizers"] = list(finalizers)
        self.put(plural, self.objects[key])

    def is_terminating(self, namespace: str) -> bool:
        return namespace in self.terminating

    def post_event(
        self, plural: str, resource: Object, *, type_: str, reason: str, message: str, now: datetime
    ) -> None:
        self.events.append((reason, message))

    def jobs(self, namespace: str, selector: str) -> list[Object]:
        wanted = dict(part.split("=") for part in selector.split(","))
        return [
            copy.deepcopy(job) for job in self.made_jobs.values() if wanted.items() <= job["metadata"]["labels"].items()
        ]

    def pods(self, namespace: str, selector: str, *, fields: str = "", limit: int | None = None) -> list[Object]:
        terms = [term.partition("=") for term in fields.split(",") if term]
        fit = [pod for pod in self.made_pods if all(_has_phase(pod, field, phase) for field, _, phase in terms)]
        return copy.deepcopy(fit[:limit])

    def job(self, namespace: str, name: str) -> Object | None:
        return copy.deepcopy(self.made_jobs.get(name))

    def create_job(self, job: Object) -> Object:
        name = job["metadata"]["name"]
        if name in self.made_jobs:
            raise AlreadyExistsError(Reason.NAME_TAKEN, name)
        made = copy.deepcopy(job)
        made["metadata"] |= {"uid": f"uid-{name}", "creationTimestamp": rfc3339(self.clock())}
        self.made_jobs[name] = {**made, "status": {}}
        return copy.deepcopy(self.made_jobs[name])

    def expire_job(self, namespace: str, name: str, ttl_seconds: int) -> None:
        self.made_jobs[name]["spec"]["ttlSecondsAfterFinished"] = ttl_seconds

    def suspend_job(self, namespace: str, name: str, *, suspend: bool) -> None:
        self.made_jobs[name]["spec"]["suspend"] = suspend

    def delete_job(self, namespace: str, name: str) -> None:
        self.made_jobs.pop(name, None)

    def why_no_pod(self, namespace: str, job_uid: str) -> str:
        return self.pod_refusals.get(job_uid, "")

    def secret_data(self, namespace: str, name: str) -> dict[str, bytes] | None:
        secret = self.secret(namespace, name)
        return self.data_of(secret) if secret else None

    @staticmethod
    def data_of(secret: Object) -> dict[str, bytes]:
        return {key: value.encode() for key, value in secret["stringData"].items()}

    def secret(self, namespace: str, name: str) -> Object | None:
        return copy.deepcopy(self.secrets.get(name))

    def replace_secret(self, secret: Object) -> None:
        assert secret["metadata"]["name"] in self.secrets
        self.secrets[secret["metadata"]["name"]] = copy.deepcopy(secret)

    def secret_owners(self, namespace: str, name: str) -> frozenset[str] | None:
        if name not in self.secrets:
            return None
        owners = self.secrets[name]["metadata"].get("ownerReferences", ())
        return frozenset(owner["uid"] for owner in owners)

    def create_secret(self, secret: Object) -> None:
        name = secret["metadata"]["name"]
        if name in self.secrets:
            raise AlreadyExistsError(Reason.NAME_TAKEN, name)
        self.secrets[name] = copy.deepcopy(secret)


def _has_phase(pod: Object, field: str, phase: str) -> bool:
    assert field.rstrip("!") == "status.phase", field
    has: bool = pod["status"].get("phase") == phase
    return has != field.endswith("!")


def services(cluster: FakeCluster, *, claims: Path, children: Any = None, steps: Any = None) -> Services:
    """Services around a cluster in memory; claims are directories below `claims`."""
    settings = Settings(
        namespace=NAMESPACE,
        pod_name="operator-1",
        transfer_url="https://transfer:8082",
        identity_namespaces=(NAMESPACE,),
        privileged_namespaces=(NAMESPACE,),
        claims_dir=claims,
        spool_dir=claims,
    )
    return Services(
        settings=settings,
        cluster=cluster,  # type: ignore[arg-type]
        children=children if children is not None else captures(concurrent=1),
        environments=steps if steps is not None else environments(),
        metrics=Metrics(),
        tokens=Tokens(b"k" * 32),
        presented=Presented(Certificates(CERTIFICATE)),
        connection=ApiConnection(server="https://127.0.0.1:1"),
        image="operator:test",
        identity="operator-1_aaaa",
        cluster_uid="c1",
    )
