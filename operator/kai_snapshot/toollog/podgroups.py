"""What became of each job, and why of those that found no place.

A success replaces what was said of a job before, and `Could not allocate` counts only where nothing was.
"""

import re

from kai_snapshot.api.result import JobOutcome, PodGroupResult
from kai_snapshot.toollog.line import plain
from kai_snapshot.toollog.names import Names

MAX_REASON = 1024
"""Characters kept of a reason."""

_ATTEMPT = re.compile(rb"[^<]*<([^>]*)>( of|, priority: <[^>]*>,) queue:? <(.*?)>, resources: ")
_OVER_QUOTA = b"would have placed the queue resources over quota"
_DELAYED = b"is within its preemption delay window"
_NO_REASON = ("", "Unable to schedule podgroup.", "Unable to schedule pod")


class PodGroups:
    """The jobs of a log. Handlers take what follows the beginning of a message; cut off, it is a ValueError."""

    def __init__(self) -> None:
        self.preemptor: bytes | None = None
        """The job that gets what is evicted now: that of the last success line. No commit is waited for, because the
        loggers up to v0.14 drop repeated messages, and `Committing operations ...` is one."""
        self._outcomes: dict[bytes, JobOutcome] = {}
        self._queues: dict[bytes, bytes] = {}
        self._shown_queues: dict[bytes, bytes] = {}
        self._reasons: dict[bytes, str] = {}
        self._attempt = b""
        self._pod_reason = ""
        self._job_reason: str | None = None

    def attempt(self, rest: bytes, _: bytes) -> None:
        """`Attempting to .. job: <job> of queue <shown name>, ..`; to preempt: `.. job: <job>, .. queue: <name>, ..`"""
        self._attempt = rest

    def fail(self, rest: bytes, _: bytes) -> None:
        """`Could not allocate resources for job: <job> of queue <name>`"""
        job, of, queue = rest.partition(b"> of queue <")
        if not of or not queue.endswith(b">"):
            raise ValueError("cut off")
        self._outcomes.setdefault(job, JobOutcome.UNSCHEDULABLE)
        self._queues[job] = queue[:-1]

    def allocate(self, rest: bytes, _: bytes) -> None:
        """`Succesfully allocated resources for job: <job>`"""
        self._succeed(rest, JobOutcome.ALLOCATED)

    def pipeline(self, rest: bytes, _: bytes) -> None:
        """`Some tasks were pipelined, setting all job to be pipelined for job: <job>`"""
        self._succeed(rest, JobOutcome.PIPELINED)

    def consolidate(self, rest: bytes, _: bytes) -> None:
        """`Sucesfully consolidated for job: <job>, and about to reallocate victims: <[..]>`"""
        self._succeed(rest, JobOutcome.CONSOLIDATED)

    def reclaim(self, rest: bytes, _: bytes) -> None:
        """`Reclaimed resources for job <job>, evicting reclaimee tasks: <[..]>.`"""
        self._succeed(rest, JobOutcome.RECLAIMED)

    def preempt(self, rest: bytes, _: bytes) -> None:
        """`Successfully preempted for job <job>, preempted tasks: <[..]>`"""
        self._succeed(rest, JobOutcome.PREEMPTED)

    def _succeed(self, rest: bytes, outcome: JobOutcome) -> None:
        job = rest[: rest.index(b">")]
        self.preemptor = job
        self._outcomes[job] = outcome
        attempt = _ATTEMPT.match(self._attempt)
        if attempt is not None and attempt[1] == job:
            (self._shown_queues if attempt[2] == b" of" else self._queues)[job] = attempt[3]

    def remark(self, rest: bytes, _: bytes) -> None:
        """`Job <job> would have placed the queue resources over quota`, `.. is within its preemption delay window`"""
        job, remark = rest.split(b"> ", 1)
        if remark.startswith((_OVER_QUOTA, _DELAYED)):
            self._reasons[job] = f"The job {plain(remark.partition(b',')[0])}."

    # From here on verbosity 6, when the session closes: for each job with pending pods a message per pod (in two lines,
    # one of them without it), from v0.12 on one for the job, and, if none of its pods runs, its condition.

    def explain_pod(self, rest: bytes) -> None:
        """`setting message for task: <pod's name>, <message>`"""
        _, found, message = rest.partition(b", ")
        self._begin_job()
        if found:
            self._pod_reason = _one_line(message)

    def explain_job(self, rest: bytes) -> None:
        """`Full job fit error: <lines>`"""
        self._begin_job()
        self._job_reason = _one_line(rest)

    def set_condition(self, rest: bytes, _: bytes) -> None:
        """`Updating pod group scheduling condition for job to (type,nodepool=name)` says whose messages came before."""
        job = rest[: rest.index(b" to (")]
        self._outcomes.setdefault(job, JobOutcome.UNSCHEDULABLE)
        reasons = [reason for reason in (self._job_reason or "", self._pod_reason) if reason not in _NO_REASON]
        if reasons:
            self._reasons[job] = reasons[0]
        self._pod_reason, self._job_reason = "", None

    def _begin_job(self) -> None:
        """But for its condition a job's own message is its last: where there is one, another job begins."""
        if self._job_reason is not None:
            self._pod_reason, self._job_reason = "", None

    def results(self, names: Names) -> tuple[PodGroupResult, ...]:
        """The jobs by name."""

        def queue(job: bytes) -> str | None:
            if known := names.queue_of.get(plain(job)):
                return known
            if job in self._queues:
                return plain(self._queues[job])
            return names.queue(plain(self._shown_queues[job])) if job in self._shown_queues else None

        return tuple(
            PodGroupResult(
                name=plain(job),
                queue=queue(job),
                outcome=outcome,
                reason=self._reasons.get(job) if outcome is JobOutcome.UNSCHEDULABLE else None,
            )
            for job, outcome in sorted(self._outcomes.items())
        )


def _one_line(message: bytes) -> str:
    return " ".join(plain(message).split())[:MAX_REASON]
