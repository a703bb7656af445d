"""What became of a pod of a replay's Job: what its containers said, and what it still waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.result import Outcome
from kai_snapshot.errors import ARCHIVE_REASONS, Reason
from kai_snapshot.jobs import names

Object = Mapping[str, Any]
"""A Kubernetes object as the API server gives it."""

PULL_PATIENCE: Final = timedelta(minutes=2)
_KILLED: Final = 137
PULL_FAILURES: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)


@dataclass(frozen=True)
class Finding:
    """An outcome that only the pod can tell, because no result will come."""

    outcome: Outcome
    message: str


@dataclass(frozen=True)
class FailingPull:
    """An image that cannot be had, and until when that may heal by itself."""

    until: datetime
    message: str


def hopeless(problem: Problem) -> Finding:
    """What a failure of fetch or report that another try would only repeat makes of the version."""
    outcome = Outcome.INCOMPATIBLE_SNAPSHOT if problem.reason in ARCHIVE_REASONS else Outcome.FAILED
    return Finding(outcome, f"{problem.reason}: {problem.message}")


def finding(pod: Object, now: datetime) -> Finding | None:
    """What is certain to have become of it; None if it may still bring a result, or another pod may."""
    engine, told = _ended(_engine_status(pod)), pod.get("status", {})
    if told.get("reason") == "Evicted" and not _disrupted(pod):
        return Finding(Outcome.FAILED, f"{Reason.NO_SPACE_LEFT}: {told.get('message', '')}")
    if told.get("reason") == "DeadlineExceeded":  # the whole pod's; the tool's own ends only the tool
        return Finding(Outcome.DEADLINE_EXCEEDED, told.get("message", ""))
    # Where the kernel kills only the tool, its shell still exits 0; but the kubelet then starts no further container.
    if (engine.get("reason") == "OOMKilled" or engine.get("exitCode") == _KILLED) and not _disrupted(pod):
        container = _engine(pod)
        limit = container.get("resources", {}).get("limits", {}).get("memory", "the node's")
        message = (
            f"{container['name']} needed more memory than its container may have ({limit}): "
            "raise podTemplate.spec.resources"
        )
        return Finding(Outcome.OOM_KILLED, message)
    for name in (names.FETCH, names.REPORT):
        status = status_of(pod, name)
        if _ended(status).get("exitCode") == names.HOPELESS and (said := _termination(status)) is not None:
            return hopeless(said)
    pull = failing_pull(pod)
    return Finding(Outcome.IMAGE_PULL_FAILED, pull.message) if pull is not None and now >= pull.until else None


def failing_pull(pod: Object) -> FailingPull | None:
    """Counted from the end of the container before or the pod's start: the kubelet does not say since when."""
    since = pod.get("status", {}).get("startTime")
    for status in _statuses(pod):
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") in PULL_FAILURES:
            detail = waiting.get("message") or waiting["reason"]
            message = (
                f"the image {status['image']} could not be pulled in {PULL_PATIENCE.seconds // 60} minutes: {detail}. "
                "See whether that version exists, give it an image of its own in spec.versions, or imagePullSecrets"
            )
            return FailingPull(time(since) + PULL_PATIENCE, message) if since is not None else None
        since = _ended(status).get("finishedAt", since)
    return None


def status_of(pod: Object, container: str) -> Object:
    """The kubelet's status of that container; empty until there is one."""
    return _by_name(pod).get(container, {})


def said(pod: Object, container: str) -> Problem | None:
    """What a container of ours said when it failed."""
    return _termination(status_of(pod, container))


def out_of_memory(pod: Object, container: str) -> bool:
    """Whether the kernel ended that container for its memory."""
    return bool(_ended(status_of(pod, container)).get("reason") == "OOMKilled")


def trouble(pod: Object) -> str:
    """What a container of ours said when it failed, or how a container was ended from outside; empty if all is well."""
    for status in _statuses(pod):
        ended = _ended(status)
        if ended.get("exitCode", 0) != 0:
            said = _termination(status)
            if said is not None:
                return f"{said.reason}: {said.message}"
            how = ended.get("reason", "Error")
            return f"the container {status['name']} ended with exit code {ended['exitCode']} ({how})"
    told = pod.get("status", {})
    return f"{told['reason']}: {told.get('message', '')}" if told.get("reason") else ""


def why_waiting(pod: Object) -> str:
    """Why none of its containers runs yet."""
    scheduled = next((c for c in pod.get("status", {}).get("conditions", ()) if c["type"] == "PodScheduled"), None)
    if scheduled is not None and scheduled["status"] != "True":
        return f"the pod is not scheduled: {scheduled.get('message') or scheduled.get('reason', '')}"
    for status in _statuses(pod):
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"the container {status['name']} waits: {waiting['reason']}: {waiting.get('message', '')}".rstrip(
                ": "
            )
    return "the pod is being set up"


def has_started(pod: Object) -> bool:
    """Whether any of its containers runs or ran."""
    return any("running" in s.get("state", {}) or "terminated" in s.get("state", {}) for s in _statuses(pod))


def image_id(pod: Object) -> str:
    """The tool's image as the node resolved it; empty until then."""
    return str(_engine_status(pod).get("imageID", ""))


def owner(pod: Object) -> str | None:
    """The UID of the Job that made it."""
    owners = pod["metadata"].get("ownerReferences", ())
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def created(resource: Object) -> datetime:
    """When the pod or Job was created."""
    return time(resource["metadata"]["creationTimestamp"])


def condition(resource: Object, type_: str) -> Object | None:
    """That condition of a pod or Job, if it is true."""
    conditions = resource.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == type_ and c["status"] == "True"), None)


def time(text: str) -> datetime:
    """A moment as the API server writes it."""
    return datetime.fromisoformat(text)


def _disrupted(pod: Object) -> bool:
    """Whether it was ended to make room, or with its node: its Job makes another."""
    return condition(pod, "DisruptionTarget") is not None


def _statuses(pod: Object) -> Sequence[Object]:
    """Of all containers, in the order they run in."""
    order = [container["name"] for kind in ("initContainers", "containers") for container in pod["spec"].get(kind, ())]
    known = _by_name(pod)
    return [known[name] for name in order if name in known]


def _by_name(pod: Object) -> Mapping[str, Object]:
    status = pod.get("status", {})
    return {s["name"]: s for kind in ("initContainerStatuses", "containerStatuses") for s in status.get(kind) or ()}


def _engine(pod: Object) -> Object:
    """The container that does the work."""
    containers = pod["spec"].get("initContainers", ())
    return next((each for each in containers if each["name"] in names.ENGINE_OF.values()), {"name": names.TOOL})


def _engine_status(pod: Object) -> Object:
    return status_of(pod, _engine(pod)["name"])


def _ended(status: Object) -> Object:
    ended: Object = status.get("state", {}).get("terminated", {})
    return ended


def _termination(status: Object) -> Problem | None:
    """The line of JSON that fetch and report leave when they fail."""
    try:
        return Problem.model_validate_json(_ended(status).get("message", ""))
    except ValidationError:
        return None
