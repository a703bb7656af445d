"""What became of a replay's Job, read from the Job and its pods."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from kai_snapshot.api.result import Outcome
from kai_snapshot.jobs import names, pods
from kai_snapshot.jobs.pods import Finding, Object

_NO_POD: Final = "it has no pod yet: see `kubectl describe job`"


@dataclass(frozen=True)
class JobFacts:
    """What the Job and its newest pod say; of an Indexed Job, what is true of all its pods."""

    name: str
    index: int
    attempt: int
    ended: bool
    """Complete or Failed."""
    expires: bool
    """The Job controller has been told to remove it."""
    finding: Finding | None = None
    """Set as soon as it is certain, also while the Job still runs. Of an Indexed Job only that no pod gets its image:
    all else is about one archive."""
    not_started_since: datetime | None = None
    """Since when no container of it could start."""
    pull_fails_at: datetime | None = None
    """When an image that cannot be pulled at present becomes a finding, which no event will tell."""
    message: str = ""
    """Why it waits, or why it failed; may be empty. Of an Indexed Job the trouble of the pod that failed last."""
    image_id: str = ""
    """The tool's image as the node resolved it; empty until then."""
    node_name: str = ""
    """The node of the newest pod; empty until one is bound, and always of an Indexed Job."""
    suspended: bool = False
    """Its pods are held back."""


def job_facts(job: Object, candidates: Iterable[Object], *, now: datetime) -> JobFacts:
    """The facts of this Job. Of the `candidates`, pods of other Jobs are passed over.

    All pods of the Job have to be among them; of an Indexed Job all that are not over and some that failed.
    """
    metadata = job["metadata"]
    own = sorted((pod for pod in candidates if pods.owner(pod) == metadata["uid"]), key=pods.created)
    facts = JobFacts(
        name=metadata["name"],
        index=int(metadata["labels"][names.INDEX]),
        attempt=int(metadata["labels"][names.ATTEMPT]),
        ended=_is_complete(job) or pods.condition(job, "Failed") is not None,
        expires=job["spec"].get("ttlSecondsAfterFinished") is not None,
        suspended=bool(job["spec"].get("suspend")),
    )
    if job["spec"].get("completionMode") == "Indexed":
        return _of_all(facts, job, own, now)
    return _of_newest(facts, job, own[-1] if own else None, now)


def _of_newest(facts: JobFacts, job: Object, newest: Object | None, now: datetime) -> JobFacts:
    failure = _failure(job)
    if newest is None:
        if failure is not None or _is_complete(job):
            return replace(facts, message=_told(failure))
        return replace(facts, not_started_since=pods.created(job), message=_NO_POD)
    not_started = failure is None and not _is_complete(job) and not pods.has_started(newest)
    pull = pods.failing_pull(newest)
    return replace(
        facts,
        finding=pods.finding(newest, now),
        not_started_since=pods.created(newest) if not_started else None,
        pull_fails_at=pull.until if pull is not None else None,
        message=pods.trouble(newest) or _told(failure) or (pods.why_waiting(newest) if not_started else ""),
        image_id=pods.image_id(newest),
        node_name=newest["spec"].get("nodeName", ""),
    )


def _of_all(facts: JobFacts, job: Object, own: Sequence[Object], now: datetime) -> JobFacts:
    failure = _failure(job)
    completed, failed = (bool(job.get("status", {}).get(f"{how}Indexes")) for how in ("completed", "failed"))
    live = [pod for pod in own if _phase(pod) not in ("Succeeded", "Failed")]
    since = None
    if failure is None and not _is_complete(job) and not facts.suspended:
        since = _none_started_since(job, live, begun=completed or failed or bool(own))
    image_id = next((id_ for pod in own if (id_ := pods.image_id(pod))), "")
    pull = _last_failing_pull(live) if not completed and not image_id else None
    waiting = "" if since is None else pods.why_waiting(live[-1]) if live else _NO_POD
    return replace(
        facts,
        finding=Finding(Outcome.IMAGE_PULL_FAILED, pull.message) if pull is not None and now >= pull.until else None,
        not_started_since=since,
        pull_fails_at=pull.until if pull is not None else None,
        message=_why_failed(own, failure, now) or waiting,
        image_id=image_id,
    )


def _none_started_since(job: Object, live: Sequence[Object], *, begun: bool) -> datetime | None:
    if any(pods.has_started(pod) for pod in live) or (begun and not live):
        return None
    return pods.created(live[-1] if live else job)


def _last_failing_pull(live: Sequence[Object]) -> pods.FailingPull | None:
    """The one with the most patience left, if all of them fail: else it is the matter of a node."""
    failing = [pods.failing_pull(pod) for pod in live]
    known = [pull for pull in failing if pull is not None]
    return max(known, key=lambda pull: pull.until) if known and len(known) == len(live) else None


def _why_failed(own: Sequence[Object], failure: Object | None, now: datetime) -> str:
    """The Job controller's words only where they say more than that pods have failed."""
    if failure is not None and failure.get("reason") != "FailedIndexes":
        return _told(failure)
    last = next((pod for pod in reversed(own) if _phase(pod) == "Failed"), None)
    if last is None:
        return _told(failure)
    found = pods.finding(last, now)
    return found.message if found is not None else pods.trouble(last) or _told(failure)


def _phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _is_complete(job: Object) -> bool:
    return pods.condition(job, "Complete") is not None


def _failure(job: Object) -> Object | None:
    return pods.condition(job, "Failed") or pods.condition(job, "FailureTarget")


def _told(condition: Object | None) -> str:
    return f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ") if condition else ""
