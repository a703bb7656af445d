"""What the operator asks of the API server; the only user of the kubernetes package. All calls block: use a thread.

Objects are plain dicts, as JSON has them. Errors are SnapshotErrors: Forbidden, APIUnreachable, and ConflictError
where the object changed meanwhile.
"""

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from kai_snapshot.api.base import API_VERSION, GROUP, VERSION, rfc3339
from kai_snapshot.cluster.errors import AlreadyExistsError, ConflictError, translated
from kai_snapshot.cluster.freshness import Freshness
from kai_snapshot.errors import Reason, TerminalError, TransientError

__all__ = ["CAPTURES", "KINDS", "REPLAYS", "AlreadyExistsError", "Cluster", "ConflictError", "Object", "connect"]

Object = dict[str, Any]
CAPTURES: Final = "snapshotcaptures"
REPLAYS: Final = "snapshotreplays"
KINDS: Final = {CAPTURES: "SnapshotCapture", REPLAYS: "SnapshotReplay"}
FIELD_MANAGER: Final = "kai-snapshot-operator"
"""Who wrote a field, as `kubectl get --show-managed-fields` has it: the API server takes it from the user agent."""
TIMEOUT: Final = (5, 30)
"""Seconds to connect, and of silence."""


def connect() -> "Cluster":
    """The cluster this process runs in, or that of the kubeconfig."""
    try:
        config.load_incluster_config()
    except config.ConfigException:
        config.load_kube_config()
    configuration = client.Configuration.get_default_copy()
    configuration.retries = False  # we try again ourselves, and urllib3's own tries would multiply the timeouts
    return Cluster(client.ApiClient(configuration))


class Cluster:
    """The API server, with one connection pool."""

    def __init__(self, api: client.ApiClient) -> None:
        api.user_agent = FIELD_MANAGER
        self._core = client.CoreV1Api(api)
        self._batch = client.BatchV1Api(api)
        self._custom = client.CustomObjectsApi(api)
        self._plain: Callable[[Any], Any] = api.sanitize_for_serialization
        self._replays = Freshness()
        self.coordination = client.CoordinationV1Api(api)

    # -- our kinds

    def get(self, plural: str, namespace: str, name: str) -> Object | None:
        """One object of ours."""
        found = self._found(
            "get",
            f"{plural} {namespace}/{name}",
            lambda: self._custom.get_namespaced_custom_object(
                GROUP, VERSION, namespace, plural, name, _request_timeout=TIMEOUT
            ),
        )
        if plural == REPLAYS and found is not None:
            self._replays.seen(found)  # it may have been written by us, with an answer that was lost
        return found

    def unfinished_replays(self, namespace: str) -> list[Object]:
        """The replays in the namespace that have no outcome yet; thousands may have one."""

        def ask(**query: str) -> list[Object]:
            found = self._custom.list_namespaced_custom_object(
                GROUP, VERSION, namespace, REPLAYS, field_selector="status.outcome=", _request_timeout=TIMEOUT, **query
            )
            return list(found["items"])

        with translated("list", f"{REPLAYS} in {namespace}"):
            return self._replays.listed(namespace, ask)

    def replace_status(self, plural: str, resource: Object, status: Object) -> Object:
        """Writes the status of the object as it was read. Raises ConflictError if it was changed since."""
        meta = resource["metadata"]
        with translated("update", f"the status of {plural} {meta['namespace']}/{meta['name']}"):
            written: Object = self._custom.replace_namespaced_custom_object_status(
                GROUP,
                VERSION,
                meta["namespace"],
                plural,
                meta["name"],
                {**resource, "status": status},
                _request_timeout=TIMEOUT,
            )
        if plural == REPLAYS:
            self._replays.seen(written)
        return written

    def set_finalizers(self, plural: str, resource: Object, finalizers: tuple[str, ...]) -> None:
        """Writes the finalizers of the object as it was read. Raises ConflictError if it was changed since."""
        meta = resource["metadata"]
        patch = {"metadata": {"finalizers": list(finalizers), "resourceVersion": meta["resourceVersion"]}}
        self._found(
            "patch",
            f"the finalizers of {plural} {meta['namespace']}/{meta['name']}",
            lambda: self._custom.patch_namespaced_custom_object(
                GROUP, VERSION, meta["namespace"], plural, meta["name"], patch, _request_timeout=TIMEOUT
            ),
        )

    def post_event(
        self, plural: str, resource: Object, *, type_: str, reason: str, message: str, now: datetime
    ) -> None:
        """Posts an event about the object."""
        meta = resource["metadata"]
        event = {
            "metadata": {"generateName": f"{meta['name']}.", "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KINDS[plural],
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
            "type": type_,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "kai-snapshot-operator"},
            "reportingComponent": f"{GROUP}/operator",
            "firstTimestamp": rfc3339(now),
            "lastTimestamp": rfc3339(now),
            "count": 1,
        }
        with translated("create", f"an event in {meta['namespace']}"):
            self._core.create_namespaced_event(meta["namespace"], event, _request_timeout=TIMEOUT)

    # -- Jobs, pods, Secrets

    def jobs(self, namespace: str, selector: str) -> list[Object]:
        """The Jobs with those labels."""
        with translated("list", f"jobs in {namespace}"):
            found = self._batch.list_namespaced_job(namespace, label_selector=selector, _request_timeout=TIMEOUT)
        return list(self._plain(found)["items"])

    def pods(self, namespace: str, selector: str, *, fields: str = "", limit: int | None = None) -> list[Object]:
        """The pods with those labels, and those fields (a field selector); the first so many of them by name."""
        with translated("list", f"pods in {namespace}"):
            found = self._core.list_namespaced_pod(
                namespace, label_selector=selector, field_selector=fields or None, limit=limit, _request_timeout=TIMEOUT
            )
        return list(self._plain(found)["items"])

    def job(self, namespace: str, name: str) -> Object | None:
        """One Job."""
        return self._found(
            "get",
            f"job {namespace}/{name}",
            lambda: self._plain(self._batch.read_namespaced_job(name, namespace, _request_timeout=TIMEOUT)),
        )

    def create_job(self, job: Object) -> Object:
        """Creates the Job. Raises AlreadyExistsError."""
        namespace = job["metadata"]["namespace"]
        with translated("create", f"job {namespace}/{job['metadata']['name']}"):
            created: Object = self._plain(self._batch.create_namespaced_job(namespace, job, _request_timeout=TIMEOUT))
        return created

    def expire_job(self, namespace: str, name: str, ttl_seconds: int) -> None:
        """Lets the Job controller remove the Job that long after its end."""
        self._patch_job(namespace, name, {"ttlSecondsAfterFinished": ttl_seconds})

    def suspend_job(self, namespace: str, name: str, *, suspend: bool) -> None:
        """Ends the Job's pods and starts no more; or goes on with it."""
        self._patch_job(namespace, name, {"suspend": suspend})

    def _patch_job(self, namespace: str, name: str, spec: Object) -> None:
        self._found(
            "patch",
            f"job {namespace}/{name}",
            lambda: self._plain(
                self._batch.patch_namespaced_job(name, namespace, {"spec": spec}, _request_timeout=TIMEOUT)
            ),
        )

    def delete_job(self, namespace: str, name: str) -> None:
        """Deletes the Job and its pods."""
        self._found(
            "delete",
            f"job {namespace}/{name}",
            lambda: self._plain(
                self._batch.delete_namespaced_job(
                    name, namespace, propagation_policy="Background", _request_timeout=TIMEOUT
                )
            ),
        )

    def why_no_pod(self, namespace: str, job_uid: str) -> str:
        """What the Job controller said last of why it could create no pod; empty if it said nothing."""
        fields = f"involvedObject.uid={job_uid},reason=FailedCreate"
        with translated("list", f"events in {namespace}"):
            found = self._core.list_namespaced_event(
                namespace, field_selector=fields, limit=10, _request_timeout=TIMEOUT
            )
        newest = max(found.items, key=lambda event: str(event.last_timestamp), default=None)
        return str(newest.message or "") if newest is not None else ""

    def secret_data(self, namespace: str, name: str) -> dict[str, bytes] | None:
        """What a Secret holds."""
        secret = self.secret(namespace, name)
        return self.data_of(secret) if secret else None

    @staticmethod
    def data_of(secret: Object) -> dict[str, bytes]:
        """What this Secret holds."""
        return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}

    def secret_owners(self, namespace: str, name: str) -> frozenset[str] | None:
        """The UIDs of those a Secret belongs to; None if there is none."""
        secret = self.secret(namespace, name)
        if secret is None:
            return None
        return frozenset(owner["uid"] for owner in secret["metadata"].get("ownerReferences", ()))

    def secret(self, namespace: str, name: str) -> Object | None:
        """One Secret."""
        return self._found(
            "get",
            f"secret {namespace}/{name}",
            lambda: self._plain(self._core.read_namespaced_secret(name, namespace, _request_timeout=TIMEOUT)),
        )

    def image_of(self, namespace: str, pod: str) -> str:
        """The image of the pod's container `operator`; others may have been put in beside it."""
        with translated("get", f"pod {namespace}/{pod}"):
            found = self._core.read_namespaced_pod(pod, namespace, _request_timeout=TIMEOUT)
        images = [str(each.image) for each in found.spec.containers if each.name == "operator"]
        if not images:
            message = f"Pod {namespace}/{pod} has no container `operator`, whose image Jobs are to have: call it that."
            raise TerminalError(Reason.INVALID_SPEC, message)
        return images[0]

    def label_pod(self, namespace: str, name: str, labels: dict[str, str | None]) -> None:
        """Sets labels of a pod, and removes those that are None. A pod that is gone needs none."""
        patch = {"metadata": {"labels": labels}}
        self._found(
            "patch",
            f"pod {namespace}/{name}",
            lambda: self._plain(self._core.patch_namespaced_pod(name, namespace, patch, _request_timeout=TIMEOUT)),
        )

    def check_kinds(self) -> None:
        """Raises TerminalError if the API server does not have our kinds: kopf looks for them only once."""
        with translated("list", f"the kinds of {API_VERSION}"):
            try:
                there = self._custom.get_api_resources(GROUP, VERSION, _request_timeout=TIMEOUT)
            except ApiException as error:
                if error.status != 404:
                    raise
                there = None
        names = {resource.name for resource in there.resources} if there is not None else set()
        if missing := KINDS.keys() - names:
            raise TerminalError(
                Reason.INVALID_SPEC,
                f"the CustomResourceDefinitions of {', '.join(sorted(missing))} are not installed: apply crds/",
            )

    def cluster_uid(self) -> str:
        """UID of the namespace kube-system, which stands for the cluster."""
        with translated("get", "namespace kube-system"):
            return str(self._core.read_namespace("kube-system", _request_timeout=TIMEOUT).metadata.uid)

    def is_terminating(self, namespace: str) -> bool:
        """Whether the namespace is being deleted, with all that is in it."""
        with translated("get", f"namespace {namespace}"):
            found = self._core.read_namespace(namespace, _request_timeout=TIMEOUT)
        return bool(found.status.phase == "Terminating")

    def create_secret(self, secret: Object) -> None:
        """Creates the Secret. Raises AlreadyExistsError."""
        namespace = secret["metadata"]["namespace"]
        with translated("create", f"secret {namespace}/{secret['metadata']['name']}"):
            self._core.create_namespaced_secret(namespace, secret, _request_timeout=TIMEOUT)

    def replace_secret(self, secret: Object) -> None:
        """Writes the Secret as it was read, and changed. Raises ConflictError if it was changed since."""
        meta = secret["metadata"]
        with translated("update", f"secret {meta['namespace']}/{meta['name']}"):
            self._core.replace_namespaced_secret(meta["name"], meta["namespace"], secret, _request_timeout=TIMEOUT)

    def _found(self, verb: str, what: str, call: Callable[[], Object]) -> Object | None:
        try:
            with translated(verb, what):
                return call()
        except TransientError as error:
            if isinstance(error.__cause__, ApiException) and error.__cause__.status == 404:
                return None
            raise
