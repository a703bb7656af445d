"""Events only say that something happened; what it means is read fresh by a worker.

kopf ignores errors of event handlers and, after a gap in a watch, does not report deletions: nothing else is done here.
"""

from typing import Any

import kopf

from kai_snapshot.api.base import GROUP, VERSION
from kai_snapshot.cluster import CAPTURES, REPLAYS
from kai_snapshot.handlers.workers import ENVIRONMENTS, Key, Workers
from kai_snapshot.jobs import names
from kai_snapshot.reconcile.replay import is_over


def watch_ours(settings: kopf.OperatorSettings) -> None:
    """Lets the API server send our Jobs and pods only."""
    for resource in (("batch", "v1", "jobs"), ("", "v1", "pods")):
        settings.watching.label_selectors[resource] = names.WATCHED


@kopf.on.event(GROUP, VERSION, CAPTURES)
async def capture_event(memo: Any, namespace: str | None, name: str, **_: Any) -> None:
    """Looks at the capture, and at the replays that wait for it."""
    workers: Workers = memo.workers
    workers.add(Key(CAPTURES, str(namespace), name))
    workers.wake_replays_of(str(namespace), name)


@kopf.on.event(GROUP, VERSION, REPLAYS)
async def replay_event(memo: Any, namespace: str | None, name: str, event: kopf.RawEvent, **_: Any) -> None:
    """Looks at the replay, unless it is over when it is listed: Jobs that it may have left are listed as well."""
    if event["type"] is None and is_over(event["object"]):
        return
    workers: Workers = memo.workers
    workers.add(Key(REPLAYS, str(namespace), name))


@kopf.on.event("batch", "v1", "jobs")  # those with our labels: `watch_ours`
@kopf.on.event("v1", "pods")
async def job_event(memo: Any, namespace: str | None, labels: kopf.Labels, **_: Any) -> None:
    """Looks at the replay or environment the Job, or the pod of a Job, belongs to."""
    workers: Workers = memo.workers
    if replay := labels.get(names.REPLAY):
        workers.add(Key(REPLAYS, str(namespace), replay))
    if capture := labels.get(names.CAPTURE):
        workers.add(Key(ENVIRONMENTS, str(namespace), capture))
