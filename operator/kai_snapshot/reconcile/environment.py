"""What to do about the environment beside an archive.

What became of a node is in the storage, so that Jobs may go: a node without a record needs a Job, one with a record
needs nothing. `status.environment` says which archive it is about, and how far it has come.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from kai_snapshot.api.conditions import shorten
from kai_snapshot.api.environmentindex import EnvironmentIndex, EnvironmentPlan
from kai_snapshot.api.environmentspec import Environment, EnvironmentStatus, NodeCounts, NodeFailure
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.snapshotcapture import SnapshotCapture, SnapshotCaptureSpec, SnapshotCaptureStatus
from kai_snapshot.errors import Reason
from kai_snapshot.jobs.nodefacts import NodeJob
from kai_snapshot.reconcile import capture_conditions
from kai_snapshot.reconcile.plan import (
    Action,
    Announce,
    CreateNodeJob,
    DeleteJob,
    Plan,
    RecordNode,
    StartStep,
    earliest,
    normal,
    warning,
)

AGAIN: Final = timedelta(seconds=30)
"""When to look again after what may heal by itself."""
READING: Final = "reading the archive"
WITHOUT_POD: Final = timedelta(seconds=5)
"""When to look again at a Job without a pod, of which no event tells."""
ALLOWANCE: Final = timedelta(minutes=30)
"""What an environment may take besides its nodes, a storage that is away included."""
EXAMPLES: Final = 3
_FORBIDDEN_FOR_EVER: Final = (
    "violates PodSecurity",
    "unable to validate against any security context constraint",
    "denied the request",  # an admission webhook
)


@dataclass(frozen=True)
class Concluded:
    """The index is written, and its digest is in the manifest."""

    index: EnvironmentIndex
    uri: str
    sha256: str


@dataclass(frozen=True)
class StepFailed:
    """A step that ended badly."""

    problem: Problem
    transient: bool
    at: datetime


StepState = Literal["Running"] | StepFailed | None


@dataclass(frozen=True)
class Observed:
    """What is known besides the object. A storage or API server that is away is a `problem`."""

    plan: EnvironmentPlan | None = None
    recorded: frozenset[str] = frozenset()
    """The nodes of which it is known what became of them."""
    captured: int = 0
    """How many of them have a document."""
    jobs: Mapping[str, NodeJob] = field(default_factory=dict)
    """By node."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why the API server does not admit the pod of a Job, by node."""
    archive_gone: bool = False
    concluded: Concluded | None = None
    step: StepState = None
    """What the child process of the step that is due is at; None: there is none."""
    problem: Problem | None = None


def begin(
    spec: SnapshotCaptureSpec, before: EnvironmentStatus | None, run: str, now: datetime
) -> tuple[EnvironmentStatus | None, tuple[Action, ...]]:
    """What follows a run that has stored its archive. One that is under way is not cut off by the next archive."""
    if spec.environment is None:
        return None, ()
    if before is None:
        return EnvironmentStatus(id=run, start_time=now, message=READING), ()
    if before.outcome == "Running":
        message = (
            f"run {run} gets no environment: that of run {before.id} is still under way. "
            "Raise environment.parallelism, lower maxNodes, or capture less often"
        )
        return before, (warning("EnvironmentSkipped", message),)
    return EnvironmentStatus(id=run, start_time=now, previous=_baseline(before), message=READING), ()


def _baseline(status: EnvironmentStatus) -> str | None:
    """The run whose environment is the last that came to an end."""
    return status.id if status.sha256 is not None else status.previous


def needed(status: EnvironmentStatus | None) -> tuple[str, ...]:
    """The runs whose archives must stay: that whose environment is under way, and the one that is compared with."""
    if status is None:
        return ()
    baseline = _baseline(status)
    under_way = (status.id,) if status.outcome == "Running" else ()
    return (*under_way, *((baseline,) if baseline is not None else ()))


def reconcile(capture: SnapshotCapture, observed: Observed, now: datetime) -> Plan[SnapshotCaptureStatus]:
    """The plan for an environment that is under way. All else in the status is left as it is."""
    status, wanted = capture.status.environment, capture.spec.environment
    assert status is not None
    if wanted is None:
        if observed.problem is not None:
            return Plan(capture.status, again_at=now + AGAIN)  # its Jobs may not be known
        gone = tuple(DeleteJob(job.name) for job in observed.jobs.values())
        return Plan(capture_conditions.with_environment(capture.status, None, now), gone)
    after, actions, again_at = _follow(status, wanted, observed, now)
    return Plan(capture_conditions.with_environment(capture.status, after, now), actions, again_at)


Followed = tuple[EnvironmentStatus | None, tuple[Action, ...], datetime | None]


def _follow(status: EnvironmentStatus, wanted: Environment, observed: Observed, now: datetime) -> Followed:
    if observed.concluded is not None:
        return _finish(status, observed.concluded, now)
    if observed.archive_gone:
        message = f"the archive of run {status.id} was removed, and what is known of its environment with it"
        return _fail(status, Problem(reason=Reason.ARCHIVE_NOT_FOUND, message=message), observed, now)
    seen = _counted(status, observed)
    over = now >= status.start_time + _longest(wanted, seen.nodes)
    if observed.problem is not None:
        if over:
            return _fail(seen, observed.problem, observed, now)
        return _in_trouble(seen, observed.problem, again_at=now + AGAIN)
    if observed.plan is None:
        return _step("Plan", _waits(status, READING), observed, now, over=over)
    left = [node.name for node in observed.plan.nodes if node.name not in observed.recorded]
    if not left:
        return _step("Close", _waits(seen, "summing up"), observed, now, over=over)
    return _nodes(seen, wanted, left, observed, now, over=over)


def _counted(status: EnvironmentStatus, observed: Observed) -> EnvironmentStatus:
    """How far it has come; as it was known before, while the storage is away."""
    if observed.plan is None:
        return status
    counts = NodeCounts(
        matching=observed.plan.matching,
        total=len(observed.plan.nodes),
        captured=observed.captured,
        failed=len(observed.recorded) - observed.captured,
    )
    return status.model_copy(update={"nodes": counts})


def _longest(wanted: Environment, nodes: NodeCounts | None) -> timedelta:
    """So that it ends, whatever happens: as many rounds as it takes, and something besides."""
    total = nodes.total if nodes is not None else 0
    return -(-total // wanted.parallelism) * timedelta(seconds=wanted.timeout_seconds) + ALLOWANCE


def _step(
    step: Literal["Plan", "Close"], status: EnvironmentStatus, observed: Observed, now: datetime, *, over: bool
) -> Followed:
    """The child process that makes the plan, or sums up."""
    failed = observed.step
    if failed == "Running":
        return status, (), now + ALLOWANCE
    if failed is None:
        return status, (StartStep(step),), now + ALLOWANCE
    if over or not failed.transient:
        return _fail(status, failed.problem, observed, now)
    if now < failed.at + AGAIN:
        return _in_trouble(status, failed.problem, again_at=failed.at + AGAIN)
    return status, (StartStep(step),), now + ALLOWANCE


def _nodes(
    status: EnvironmentStatus, wanted: Environment, left: list[str], observed: Observed, now: datetime, *, over: bool
) -> Followed:
    timeout = timedelta(seconds=wanted.timeout_seconds)
    actions: list[Action] = []
    waits_for_token: list[Action] = []  # perhaps: the operator may have ended between Job and token
    waiting: dict[str, str] = {}
    looks: list[datetime] = []
    for node in left:
        job = observed.jobs.get(node)
        if job is None:
            actions += [RecordNode(node, _never_begun(status))] if over else []
            continue
        found = _problem(node, job, observed, now, timeout=timeout, over=over)
        if found is not None:
            actions += [RecordNode(node, found), *_deleted((job,))]
        else:
            waiting[node] = job.waiting
            waits_for_token += [] if job.started else [CreateNodeJob(node)]
            looks.append(now + WITHOUT_POD if not job.has_pod else job.created + timeout)
    if actions:
        looks.append(now)  # what is recorded is seen then
    fresh = [node for node in left if node not in observed.jobs and not over]
    begun = fresh[: max(wanted.parallelism - len(waiting), 0)]
    if begun:
        actions += [CreateNodeJob(node) for node in begun]
        looks.append(now + WITHOUT_POD)
    return _waits(status, _line(waiting)), (*actions, *waits_for_token), earliest(*looks, now + ALLOWANCE)


def _deleted(jobs: Iterable[NodeJob]) -> Iterator[DeleteJob]:
    """Those that are over may stay, for whoever wants a log."""
    return (DeleteJob(job.name) for job in jobs if not job.ended)


def _never_begun(status: EnvironmentStatus) -> Problem:
    """Why a node without a Job has no document in the end."""
    in_trouble = status.retry_time is not None
    why = status.message if in_trouble else "raise environment.parallelism, or lower maxNodes"
    return Problem(reason=Reason.DEADLINE_EXCEEDED, message=f"its turn did not come in time: {why}")


def _problem(
    node: str, job: NodeJob, observed: Observed, now: datetime, *, timeout: timedelta, over: bool
) -> Problem | None:
    """Why the node will have no document, if that is certain."""
    if job.problem is not None:
        return job.problem
    refused = observed.refused.get(node, "")
    late = over or now >= job.created + timeout
    if refused and (late or stays_forbidden(refused)):
        return Problem(reason=Reason.POD_FORBIDDEN, message=refused)
    if late:
        message = f"no document came within environment.timeoutSeconds ({timeout.total_seconds():.0f}): {job.waiting}"
        return Problem(reason=Reason.DEADLINE_EXCEEDED, message=message)
    return None


def stays_forbidden(message: str) -> bool:
    """Whether what the API server does not admit is no matter of waiting, as a quota is."""
    return any(words in message for words in _FORBIDDEN_FOR_EVER)


def _line(waiting: Mapping[str, str]) -> str:
    """What some of the nodes are at."""
    return "; ".join(f"{node}: {text}" for node, text in sorted(waiting.items())[:EXAMPLES])


def _waits(status: EnvironmentStatus, message: str) -> EnvironmentStatus:
    return status.model_copy(update={"message": shorten(message), "retry_time": None})


def _in_trouble(status: EnvironmentStatus, problem: Problem, *, again_at: datetime) -> Followed:
    """The time is in the status, for writing the status makes for another look at once."""
    told = _waits(status, f"{problem.reason}: {problem.message}")
    return told.model_copy(update={"retry_time": again_at}), (), again_at


def _fail(status: EnvironmentStatus, problem: Problem, observed: Observed, now: datetime) -> Followed:
    over = status.model_copy(
        update={
            "outcome": "Failed",
            "reason": problem.reason,
            "message": shorten(problem.message),
            "completion_time": now,
            "retry_time": None,
        }
    )
    told = warning(problem.reason, f"no environment of run {status.id}: {problem.message}")
    return over, (*_deleted(observed.jobs.values()), told), None


def _finish(status: EnvironmentStatus, concluded: Concluded, now: datetime) -> Followed:
    index = concluded.index
    failed = [record for record in index.nodes if record.document is None]
    captured = len(index.nodes) - len(failed)
    incomplete = sum(bool(record.missing) for record in index.nodes)
    failures = tuple(
        NodeFailure(node=record.node, reason=record.problem.reason, message=shorten(record.problem.message)[:512])
        for record in failed
        if record.problem is not None
    )[:EXAMPLES]
    over = status.model_copy(
        update={
            **_verdict(index, captured, len(failed), incomplete, failures),
            "completion_time": now,
            "retry_time": None,
            "nodes": NodeCounts(
                matching=index.matching,
                total=len(index.nodes),
                captured=captured,
                incomplete=incomplete,
                failed=len(failed),
            ),
            "failures": failures,
            "uri": concluded.uri,
            "sha256": concluded.sha256,
            "drift": index.drift,
        }
    )
    return over, tuple(_news(over)), None


def _verdict(
    index: EnvironmentIndex, captured: int, failed: int, incomplete: int, failures: tuple[NodeFailure, ...]
) -> dict[str, object]:
    if index.mode != "ClusterOnly" and not index.nodes:
        message = "no node in the archive has the labels of environment.nodeSelector: only the cluster is recorded"
        return {"outcome": "PartiallyFailed", "reason": Reason.NODE_NOT_FOUND, "message": message}
    if not failed:
        lacks = f", {incomplete} of them without everything" if incomplete else ""
        message = f"{captured} nodes recorded{lacks}" if index.nodes else "the cluster is recorded"
        return {"outcome": "Succeeded", "reason": Reason.SUCCEEDED, "message": message}
    first = failures[0]
    message = shorten(f"{failed} of {failed + captured} nodes have no document: {first.node}: {first.message}")
    same = len({failure.reason for failure in failures}) == 1
    reason = first.reason if captured == 0 and same else Reason.PARTIALLY_FAILED
    return {"outcome": "PartiallyFailed" if captured else "Failed", "reason": reason, "message": message}


def _news(over: EnvironmentStatus) -> Iterator[Announce]:
    told = f"environment of run {over.id}: {over.message}"
    if over.outcome == "Succeeded":
        yield normal("EnvironmentCaptured", told)
    else:
        yield warning(over.reason, told)
    if over.drift is not None and over.drift.changes:
        drift = over.drift
        examples = "; ".join(drift.examples)
        yield warning(
            "EnvironmentDrift", f"{drift.changes} changes on {drift.nodes} nodes since {drift.since}: {examples}"
        )
