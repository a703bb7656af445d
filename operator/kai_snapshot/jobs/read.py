"""What became of a replay's Job, read from the Job and its pods."""

from collections.abc import Iterable, Mapping, Sequence
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
_PULL_FAILURES: Final = frozenset(
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
class JobFacts:
    """What the Job and its newest pod say."""

    name: str
    index: int
    attempt: int
    ended: bool
    """Complete or Failed."""
    expires: bool
    """The Job controller has been told to remove it."""
    finding: Finding | None
    """Set as soon as it is certain, also while the Job still runs."""
    not_started_since: datetime | None
    """Since when no container of it could start."""
    pull_fails_at: datetime | None
    """When an image that cannot be pulled at present becomes a finding, which no event will tell."""
    message: str
    """Why it waits, or why it failed; may be empty."""
    image_id: str
    """The tool's image as the node resolved it; empty until then."""
    node_name: str
    """The node of the newest pod; empty until one is bound."""


def job_facts(job: Object, pods: Iterable[Object], *, now: datetime) -> JobFacts:
    """The facts of this Job, `pods` being all that it has made (those of other Jobs are passed over)."""
    metadata = job["metadata"]
    own = [pod for pod in pods if _controller(pod) == metadata["uid"]]
    newest = max(own, key=lambda pod: _time(pod["metadata"]["creationTimestamp"]), default=None)
    failed = _condition(job, "Failed") or _condition(job, "FailureTarget")
    waiting = _why_waiting(newest) if newest is not None else "it has no pod yet: see `kubectl describe job`"
    trouble = _trouble(newest) if newest is not None else ""
    not_started = _condition(job, "Complete") is None and failed is None and (newest is None or not _started(newest))
    failing_pull = _failing_pull(newest) if newest is not None else None
    return JobFacts(
        name=metadata["name"],
        index=int(metadata["labels"][names.INDEX]),
        attempt=int(metadata["labels"][names.ATTEMPT]),
        ended=_condition(job, "Complete") is not None or _condition(job, "Failed") is not None,
        expires=job["spec"].get("ttlSecondsAfterFinished") is not None,
        finding=_finding(newest, now) if newest is not None else None,
        not_started_since=_time((newest or job)["metadata"]["creationTimestamp"]) if not_started else None,
        pull_fails_at=failing_pull.until if failing_pull is not None else None,
        message=trouble or _told(failed) or (waiting if not_started else ""),
        image_id=_status_of(newest, names.TOOL).get("imageID", ""),
        node_name=newest["spec"].get("nodeName", "") if newest is not None else "",
    )


def _finding(pod: Object, now: datetime) -> Finding | None:
    tool = _ended(_status_of(pod, names.TOOL))
    if pod.get("status", {}).get("reason") == "Evicted" and not _disrupted(pod):
        return Finding(Outcome.FAILED, f"{Reason.NO_SPACE_LEFT}: {pod['status'].get('message', '')}")
    # Where the kernel kills only the tool, its shell still exits 0; but the kubelet then starts no further container.
    if (tool.get("reason") == "OOMKilled" or tool.get("exitCode") == _KILLED) and not _disrupted(pod):
        limit = _limit(pod, "memory")
        message = f"the tool needed more memory than its container may have ({limit}): raise podTemplate.spec.resources"
        return Finding(Outcome.OOM_KILLED, message)
    hopeless = [
        trouble
        for name in (names.FETCH, names.REPORT)
        if _ended(_status_of(pod, name)).get("exitCode") == names.HOPELESS
        and (trouble := _termination(_status_of(pod, name))) is not None
    ]
    if hopeless:
        outcome = Outcome.INCOMPATIBLE_SNAPSHOT if hopeless[0].reason in ARCHIVE_REASONS else Outcome.FAILED
        return Finding(outcome, f"{hopeless[0].reason}: {hopeless[0].message}")
    pull = _failing_pull(pod)
    return Finding(Outcome.IMAGE_PULL_FAILED, pull.message) if pull is not None and now >= pull.until else None


def _disrupted(pod: Object) -> bool:
    """Whether it was ended to make room, or with its node: its Job makes another."""
    return _condition(pod, "DisruptionTarget") is not None


@dataclass(frozen=True)
class _FailingPull:
    """An image that cannot be had, and until when that may heal by itself."""

    until: datetime
    message: str


def _failing_pull(pod: Object) -> _FailingPull | None:
    """Counted from the end of the container before or the pod's start: the kubelet does not say since when."""
    since = pod.get("status", {}).get("startTime")
    for status in _statuses(pod):
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _PULL_FAILURES:
            detail = waiting.get("message") or waiting["reason"]
            message = (
                f"the image {status['image']} could not be pulled in {PULL_PATIENCE.seconds // 60} minutes: {detail}. "
                "See whether that version exists, give it an image of its own in spec.versions, or imagePullSecrets"
            )
            return _FailingPull(_time(since) + PULL_PATIENCE, message) if since is not None else None
        since = _ended(status).get("finishedAt", since)
    return None


def _trouble(pod: Object) -> str:
    """What a container of ours said when it failed, or how a container was ended from outside."""
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


def _why_waiting(pod: Object) -> str:
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


def _started(pod: Object) -> bool:
    return any("running" in s.get("state", {}) or "terminated" in s.get("state", {}) for s in _statuses(pod))


def _statuses(pod: Object) -> Sequence[Object]:
    """Of all containers, in the order they run in."""
    status = pod.get("status", {})
    order = [container["name"] for kind in ("initContainers", "containers") for container in pod["spec"].get(kind, ())]
    known = {s["name"]: s for kind in ("initContainerStatuses", "containerStatuses") for s in status.get(kind) or ()}
    return [known[name] for name in order if name in known]


def _status_of(pod: Object | None, container: str) -> Object:
    return next((s for s in _statuses(pod) if s["name"] == container), {}) if pod is not None else {}


def _ended(status: Object) -> Object:
    ended: Object = status.get("state", {}).get("terminated", {})
    return ended


def _termination(status: Object) -> Problem | None:
    """The line of JSON that fetch and report leave when they fail."""
    try:
        return Problem.model_validate_json(_ended(status).get("message", ""))
    except ValidationError:
        return None


def _limit(pod: Object, resource: str) -> str:
    containers = pod["spec"].get("initContainers", ())
    tool: Object = next((c for c in containers if c["name"] == names.TOOL), {})
    return str(tool.get("resources", {}).get("limits", {}).get(resource, "the node's"))


def _controller(pod: Object) -> str | None:
    owners = pod["metadata"].get("ownerReferences", ())
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def _condition(of: Object, type_: str) -> Object | None:
    conditions = of.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == type_ and c["status"] == "True"), None)


def _told(condition: Object | None) -> str:
    return f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ") if condition else ""


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
