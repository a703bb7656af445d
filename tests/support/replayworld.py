"""A SnapshotReplay through time, for unit tests of what is decided about it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from kai_snapshot.api.comparison import ReplayComparison
from kai_snapshot.api.problem import Problem
from kai_snapshot.api.result import Durations, Engine, Outcome, ReplayResult
from kai_snapshot.api.snapshotreplay import ReplayVersion, ResolvedSource, ResultCounts, SnapshotReplay
from kai_snapshot.compatibility import SnapshotFacts
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs.read import JobFacts
from kai_snapshot.reconcile.observed import Found, Observed, Waiting
from kai_snapshot.reconcile.plan import CreateJob, Plan
from kai_snapshot.reconcile.replay import reconcile
from kai_snapshot.reconcile.version import StoredResult
from support import kstatus
from support.resources import CREATED, replay

SOURCE = ResolvedSource.model_validate(
    {
        "id": "20261122T090000Z",
        "capture": "hourly",
        "storage": {"s3": {"bucket": "archives"}},
        "key": "kai-snapshots/hourly/20261122T090000Z-00000000.zip",
        "uri": "s3://archives/kai-snapshots/hourly/20261122T090000Z-00000000.zip",
        "sha256": "0" * 64,
        "sizeBytes": 1000,
        "schedulerVersion": "v0.17.0",
    }
)
ALIKE = ReplayComparison(baseline="AsCaptured")
"""What the comparison says of versions that do the same."""
NOT_YET = Waiting(Problem(reason=Reason.WAITING_FOR_CAPTURE, message="no archive yet"))


FOUND = Found(SOURCE, (SnapshotFacts(),))


def image_for(version: ReplayVersion, captured_version: str) -> str:
    if version.name == "none":
        raise TerminalError(Reason.INCOMPATIBLE_SNAPSHOT, "no such version")
    return version.image or f"tool:{captured_version if version.name == 'AsCaptured' else version.name}"


def facts(index: int, attempt: int = 1, **changes: Any) -> JobFacts:
    values: dict[str, Any] = {
        "name": f"compare-{index}" if attempt == 1 else f"compare-{index}-a{attempt}",
        "index": index,
        "attempt": attempt,
        "ended": False,
        "expires": False,
        "finding": None,
        "not_started_since": None,
        "pull_fails_at": None,
        "message": "",
        "image_id": "tool@sha256:1",
        "node_name": "node-1",
    }
    return JobFacts(**{**values, **changes})


def stored(outcome: Outcome = Outcome.SUCCEEDED) -> StoredResult:
    result = ReplayResult(
        engine=Engine(),
        outcome=outcome,
        message="" if outcome is Outcome.SUCCEEDED else "nil map",
        durations_ms=Durations(total=41, actions={"allocate": 30, "reclaim": 5}),
        error_count=2,
    )
    return StoredResult(result, ResultCounts(placements=1, errors=2), "s3://archives/r.json", "s3://archives/l.gz")


class World:
    """A replay, and time: each step is one look, its status kept as the API server keeps it."""

    def __init__(self, **spec: Any) -> None:
        self.now = CREATED
        self.resource = replay(**spec)
        self.jobs: dict[tuple[int, int], JobFacts] = {}
        self.plan: Plan[Any]

    def look(self, *, after: float = 1, **observed: Any) -> Plan[Any]:
        """One look. All versions over, they are found alike unless the test says how they differ."""
        self.now += timedelta(seconds=after)
        if self.all_over():
            observed = {"compared": ALIKE, **observed}
        self.plan = reconcile(
            SnapshotReplay.model_validate(self.resource),
            Observed(jobs=dict(self.jobs), **observed),
            self.now,
            image_for=image_for,
        )
        self.resource["status"] = self.plan.status.dump()
        kstatus.check(self.resource)
        return self.plan

    def finish(self, **observed: Any) -> Plan[Any]:
        """A look, and if all versions are over then, the one at which they are compared."""
        self.look(**observed)
        if self.condition("Finished") is None and self.all_over():
            assert self.plan.again_at == self.now
            first = self.plan.actions
            self.look()
            self.plan = replace(self.plan, actions=(*first, *self.plan.actions))
        return self.plan

    def all_over(self) -> bool:
        results = self.resource.get("status", {}).get("results")
        return bool(results) and not {"Pending", "Running"} & {result["outcome"] for result in results}

    def outcomes(self) -> list[str]:
        return [result["outcome"] for result in self.resource["status"]["results"]]

    def actions(self, kind: type) -> list[Any]:
        return [action for action in self.plan.actions if isinstance(action, kind)]

    def condition(self, type_: str) -> tuple[str, str] | None:
        found = [c for c in self.resource["status"]["conditions"] if c["type"] == type_]
        return (found[0]["status"], found[0]["reason"]) if found else None


def pinned(**spec: Any) -> World:
    world = World(**spec)
    world.look(resolution=FOUND)
    assert world.actions(CreateJob) == [], "not before the pin can be seen"
    assert world.plan.again_at == world.now
    world.look()
    return world
