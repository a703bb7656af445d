"""What has become of the pod that looks at a node."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from kai_snapshot.jobs.environment import CONTAINER
from kai_snapshot.jobs.pods import PULL_FAILURES, PULL_PATIENCE, status_of, time


class PodPhase(Enum):
    """How far it is."""

    WAITING = auto()
    """It runs, or may yet."""
    SUCCEEDED = auto()
    """Its log has the document."""
    FAILED = auto()
    """Nothing more comes from it."""


class PodState(NamedTuple):
    """How far a pod is, and what there is to say about it."""

    phase: PodPhase
    message: str = ""


_HOPELESS: Final = frozenset({"CreateContainerConfigError", "InvalidImageName", "ErrImageNeverPull"})


def state(pod: Mapping[str, Any], *, now: datetime) -> PodState:
    """The state of the pod; its message says why it failed, or what it waits for."""
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return PodState(PodPhase.SUCCEEDED)
    said = "; ".join(_said(pod))
    if status.get("phase") == "Failed":
        return PodState(PodPhase.FAILED, said or "it ended, and nobody says why")
    waiting = status_of(pod, CONTAINER).get("state", {}).get("waiting") or {}
    since = status.get("startTime")
    patience_ends = waiting.get("reason") in PULL_FAILURES and since and now >= time(since) + PULL_PATIENCE
    if waiting.get("reason") in _HOPELESS or patience_ends:
        return PodState(PodPhase.FAILED, said)
    return PodState(PodPhase.WAITING, said)


def _said(pod: Mapping[str, Any]) -> Iterator[str]:
    """What the kubelet, the scheduler and the container say, if it is not good."""
    status = pod.get("status") or {}
    if status.get("reason"):
        yield f"{status['reason']}: {status.get('message', '')}".removesuffix(": ")
    container = status_of(pod, CONTAINER).get("state", {})
    ended, waiting = container.get("terminated") or {}, container.get("waiting") or {}
    if ended.get("exitCode"):
        yield f"the container ended with status {ended['exitCode']} ({ended.get('reason', 'Error')})"
        if ended.get("message"):
            yield ended["message"].strip()
    if waiting.get("reason"):
        yield f"{waiting['reason']}: {waiting.get('message', '')}".removesuffix(": ")
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"{condition.get('reason', '')}: {condition.get('message', '')}"
