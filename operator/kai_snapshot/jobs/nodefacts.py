"""What became of the Job of a node, read from the Job and its pods."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kai_snapshot.api.problem import Problem
from kai_snapshot.errors import Reason
from kai_snapshot.jobs import names, pods
from kai_snapshot.jobs.environment import CONTAINER
from kai_snapshot.jobs.nodepod import PodPhase, PodState, state
from kai_snapshot.jobs.pods import Object

_ENDS: Final = ("Failed", "FailureTarget", "Complete")


@dataclass(frozen=True)
class NodeJob:
    """What a Job and its newest pod say."""

    name: str
    node: str
    uid: str
    created: datetime
    has_pod: bool
    started: bool = False
    """Its pod has begun to work: all that it needs is there, its token included."""
    ended: bool = False
    """Complete or failed: it may stay for whoever wants its log."""
    problem: Problem | None = None
    """Why it hands in no document; certain."""
    waiting: str = ""
    """What it is at, while it is not over."""


def node_job_facts(job: Object, candidates: Iterable[Object], *, now: datetime) -> NodeJob:
    """The facts of this Job. Of the `candidates`, pods of other Jobs are passed over."""
    metadata = job["metadata"]
    own = sorted((pod for pod in candidates if pods.owner(pod) == metadata["uid"]), key=pods.created)
    newest = own[-1] if own else None
    told = state(newest, now=now) if newest is not None else PodState(PodPhase.WAITING)
    ended = next((found for type_ in _ENDS if (found := pods.condition(job, type_)) is not None), None)
    return NodeJob(
        name=metadata["name"],
        node=metadata.get("annotations", {}).get(names.NODE, ""),
        uid=metadata["uid"],
        created=pods.created(job),
        has_pod=newest is not None,
        started=newest is not None and pods.has_started(newest),
        ended=ended is not None,
        problem=_why_failed(ended, newest, told) if ended is not None else _why_hopeless(newest, told),
        waiting=_waiting(newest, told),
    )


def _why_failed(ended: Object, newest: Object | None, told: PodState) -> Problem:
    said = pods.said(newest, CONTAINER) if newest is not None else None
    if said is not None:
        return said
    if "DeadlineExceeded" in (ended.get("reason"), (newest or {}).get("status", {}).get("reason")):
        return Problem(reason=Reason.DEADLINE_EXCEEDED, message="it took longer than environment.timeoutSeconds")
    if newest is not None and pods.out_of_memory(newest, CONTAINER):
        message = "it needed more memory than its container may have: raise environment.resources"
        return Problem(reason=Reason.OUT_OF_MEMORY, message=message)
    why = told.message or str(ended.get("message", ""))
    message = f"its Job ended without handing in a document{': ' if why else ''}{why}"
    return Problem(reason=Reason.COLLECTION_FAILED, message=message)


def _why_hopeless(newest: Object | None, told: PodState) -> Problem | None:
    """A pod that can never start; of one that has failed the Job controller may make another."""
    if newest is None or told.phase is not PodPhase.FAILED or newest.get("status", {}).get("phase") == "Failed":
        return None
    return Problem(reason=Reason.COLLECTION_FAILED, message=f"its pod cannot start: {told.message}")


def _waiting(newest: Object | None, told: PodState) -> str:
    if newest is None:
        return "its Job has no pod yet: see `kubectl describe job`"
    return "its pod runs" if pods.has_started(newest) else told.message or "its pod is being set up"
