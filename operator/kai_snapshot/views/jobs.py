"""The jobs, with their pods."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import get_args

from kai_snapshot.api.visualizer import NEVER, JobStatus, JobView, ReceivedType, TaskView
from kai_snapshot.simulator.status import Status
from kai_snapshot.views.amounts import stats
from kai_snapshot.views.facts import Facts, Job, Pod

_RECEIVED: dict[str, ReceivedType] = {each: each for each in get_args(ReceivedType)}


def jobs(facts: Facts) -> tuple[JobView, ...]:
    """All jobs, by namespace and name."""
    return tuple(_job(job) for job in facts.jobs)


def job_status(job: Job) -> JobStatus:
    """A job's state: that of its liveliest pods. One without pods was just created: it waits."""
    found = {pod.status for pod in job.pods}
    if any(status.used for status in found):
        return "Running"
    if not found or found & {Status.PENDING, Status.GATED}:
        return "Pending"
    return "Completed" if Status.SUCCEEDED in found else "Failed"


def job_counts(listed: Iterable[Job]) -> dict[JobStatus, int]:
    """How many are in each state that there is."""
    return dict(sorted(Counter(map(job_status, listed)).items()))


def _job(job: Job) -> JobView:
    namespace, _, name = job.of.name.partition("/")
    status = job_status(job)
    return JobView(
        uid=job.uid,
        name=name,
        namespace=namespace,
        queue=job.of.queue_name,
        status=status,
        create_time=_moment(job.of.created) or NEVER,
        tasks=tuple(_task(pod) for pod in job.pods),
        min_member=sum(pods.minimum for pods in job.of.pod_sets),
        priority=job.of.priority,
        priority_class_name=job.priority_class or None,
        preemptible=job.of.preemptible,
        pending_reason=(job.reason or None) if status == "Pending" else None,
        stale_since=_moment(job.of.stale_since),
    )


def _task(pod: Pod) -> TaskView:
    return TaskView(
        name=pod.name,
        status=pod.status.text,
        node_name=pod.node,
        requested=stats(pod.amount, mig=pod.mig),
        received_type=_RECEIVED.get(pod.received) or None,
        gpu_groups=pod.groups or None,
        sub_group=pod.sub_group or None,
    )


def _moment(moment: datetime | None) -> datetime | None:
    """The moment in UTC; none if it is beyond the calendar there."""
    try:
        return moment.astimezone(UTC) if moment is not None else None
    except OverflowError:
        return None
