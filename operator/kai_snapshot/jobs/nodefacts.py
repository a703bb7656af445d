"""What became of the Job of a node, read from the Job and its pods."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kai_snapshot.api.problem import Problem
from kai_snapshot.errors import Reason
from kai_snapshot.jobs import names, pods
from kai_snapshot.jobs.environment import CONTAINER
from kai_snapshot.jobs.pods import Object


@dataclass(frozen=True)
class NodeJob:
    """What a Job and its newest pod say."""

    name: str
    node: str
    uid: str
    created: datetime
    has_pod: bool
    problem: Problem | None = None
    """Why it hands in no document; certain."""
    waiting: str = ""
    """What it is at, while it is not over."""


def node_job_facts(job: Object, candidates: Iterable[Object]) -> NodeJob:
    """The facts of this Job. Of the `candidates`, pods of other Jobs are passed over."""
    metadata = job["metadata"]
    own = sorted((pod for pod in candidates if pods.owner(pod) == metadata["uid"]), key=pods.created)
    newest = own[-1] if own else None
    return NodeJob(
        name=metadata["name"],
        node=metadata.get("annotations", {}).get(names.NODE, ""),
        uid=metadata["uid"],
        created=pods.created(job),
        has_pod=newest is not None,
        problem=_problem(job, newest),
        waiting=_waiting(newest),
    )


def _problem(job: Object, newest: Object | None) -> Problem | None:
    ended = pods.condition(job, "Failed") or pods.condition(job, "FailureTarget") or pods.condition(job, "Complete")
    if ended is None:
        return None
    said = pods.said(newest, CONTAINER) if newest is not None else None
    if said is not None:
        return said
    if (
        ended.get("reason") == "DeadlineExceeded"
        or (newest or {}).get("status", {}).get("reason") == "DeadlineExceeded"
    ):
        return Problem(reason=Reason.DEADLINE_EXCEEDED, message="it took longer than environment.timeoutSeconds")
    if newest is not None and pods.out_of_memory(newest, CONTAINER):
        message = "it needed more memory than its container may have: raise environment.resources"
        return Problem(reason=Reason.OUT_OF_MEMORY, message=message)
    told = (pods.trouble(newest) if newest is not None else "") or f"{ended.get('message', '')}"
    message = f"its Job ended without handing in a document{': ' if told else ''}{told}"
    return Problem(reason=Reason.COLLECTION_FAILED, message=message)


def _waiting(newest: Object | None) -> str:
    if newest is None:
        return "its Job has no pod yet: see `kubectl describe job`"
    return "its pod runs" if pods.has_started(newest) else pods.why_waiting(newest)
