"""The smallest quota with which a job runs: beside all quotas, and beside what the real tool does with some."""

import math
import time
from functools import cache
from typing import Any

import pytest
import yaml

from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.api.quotasweep import QueueResource, QuotaSweep
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.simulator import sweep as sweeping
from kai_snapshot.simulator.cluster import build
from kai_snapshot.simulator.collect import Collected
from kai_snapshot.simulator.fate import watched
from kai_snapshot.simulator.quota import with_quota
from kai_snapshot.simulator.simulate import load, simulate
from kai_snapshot.simulator.sweep import Question, sweep
from kai_snapshot.simulator.whatif import EVERY_LIST, patched
from support.simulated import CORPUS, MINI, RECORDED_AT

BUSY = "10-gang+running"


@cache
def loaded(case: str) -> Collected:
    path = MINI / f"{case}.zip" if (MINI / f"{case}.zip").exists() else CORPUS / case / "snapshot.zip"
    return load(path, not_after=RECORDED_AT, changeable=EVERY_LIST)


def swept(case: str | Collected, job: str, **question: Any) -> QuotaSweep:
    collected = loaded(case) if isinstance(case, str) else case
    return sweep(collected, Question(job=job, **question), clock=time.perf_counter, now=RECORDED_AT)


def runs(collected: Collected, job: str) -> bool:
    """Whether a job runs in what is loaded as it is."""
    known = watched(build(collected, now=RECORDED_AT), job)
    assert known is not None
    return known.fate(simulate(collected, clock=time.perf_counter, now=RECORDED_AT)).runs


def change(kind: str, name: str, *operations: dict[str, Any]) -> Patch:
    return Patch(target=PatchTarget(kind=kind, name=name), patch=yaml.safe_dump(list(operations)))


def put(path: str, value: object) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


@pytest.mark.parametrize(
    ("case", "job", "present", "smallest", "outcome"),
    [
        ("15-nonpreemptible_over_quota", "a/np2", 2, 3, "Allocated"),
        ("15-nonpreemptible_over_quota", "a/np3", 2, 4, "Allocated"),
        ("15-nonpreemptible_over_quota", "a/np1", 2, 2, "Allocated"),
        ("57-nonpreemptible_reclaimer", "a/np", 1, 2, "Reclaimed"),
        ("18-reclaim_basic", "b/b1", 2, 3, "Running"),
        (BUSY, "research-0/serve-0027", 28, 29, "Reclaimed"),
        (BUSY, "research-0/prep-0063", 28, 41, "Reclaimed"),
    ],
)
def test_the_smallest_quota_is_that_with_which_the_tool_runs_the_job(
    case: str, job: str, present: int, smallest: int, outcome: str
) -> None:
    """Found with snapshot-tool v0.17.0: it runs the job with that quota, and not with one GPU less."""
    found = swept(case, job)
    assert (found.present, found.smallest, found.found, found.step) == (present, smallest, True, 1)
    assert (found.tried[-1].quota, found.tried[-1].runs, found.tried[-1].outcome) == (smallest, True, outcome)
    assert not any(each.runs for each in found.tried[:-1])


@pytest.mark.parametrize(("quota", "outcome"), [(60, "Reclaimed"), (112, "Unschedulable")])
def test_more_quota_can_hurt_as_it_does_with_the_tool(quota: int, outcome: str) -> None:
    """So no quota can be left out for what a larger one does."""
    queue = next(each for each in loaded(BUSY).queues if each["metadata"]["name"] == "research-0")
    changed = patched(loaded(BUSY), [with_quota(queue, "gpu", float(quota))])
    result = simulate(changed, clock=time.perf_counter, now=RECORDED_AT)
    assert {each.name: each.outcome for each in result.pod_groups}["research-0/prep-0063"] == outcome


@pytest.mark.parametrize("job", ["prod-1/serve-0065", "research-1/train-0022", "research-1/sweep-0066"])
def test_what_is_found_is_the_first_of_all_quotas_that_do(job: str) -> None:
    found = swept(BUSY, job)
    quotas = [float(each) for each in range(28, math.ceil(found.tried[-1].quota or 0) + 1)]
    assert [each.quota for each in found.tried] == quotas
    assert [each.runs for each in found.tried] == [False] * (len(quotas) - 1) + [True]


def test_the_patches_that_are_given_do_what_is_said() -> None:
    found = swept(BUSY, "research-0/serve-0027")
    assert not runs(loaded(BUSY), found.job)
    assert runs(patched(loaded(BUSY), found.patches), found.job)


def test_where_there_are_many_quotas_every_so_many_are_tried_and_those_before_the_first_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sweeping, "MOST", 10)
    found = swept(BUSY, "research-0/serve-0027")
    coarse = {28.0 + found.step * each for each in range(10)}
    assert found.step > 1
    assert found.smallest is not None
    tried = [each.quota for each in found.tried]
    assert set(tried) - coarse <= {found.smallest - each for each in range(found.step)} | {found.smallest}
    assert runs(patched(loaded(BUSY), found.patches), found.job)


class TestNoQuotaDoes:
    def test_and_the_reason_with_the_largest_is_given(self) -> None:
        found = swept("18-reclaim_basic", "a/a3")
        assert (found.found, found.smallest, found.patches) == (False, None, ())
        assert [each.quota for each in found.tried] == [2, 3]  # its queue asks for no more than 3 GPUs
        assert found.tried[-1].message.startswith("No node has 1 GPU free")

    def test_as_the_queue_has_a_limit(self) -> None:
        limited = patched(
            loaded("15-nonpreemptible_over_quota"), [change("Queue", "a", put("/spec/resources/gpu/limit", 3))]
        )
        found = swept(limited, "a/np3")
        assert not found.found
        assert "limit" in found.tried[-1].message

    def test_as_it_is_unlimited_already(self) -> None:
        found = swept("12-gang_all_or_nothing", "a/gang")
        assert (found.present, found.found, [each.quota for each in found.tried]) == (None, False, [None])


class TestQueuesAbove:
    """A job that cannot be evicted has to fit into the quotas of all of them."""

    BOUND = (change("Queue", "top", put("/spec/resources/gpu/quota", 2)),)

    def test_can_be_what_the_job_lacks_and_that_is_said(self) -> None:
        found = swept(patched(loaded("15-nonpreemptible_over_quota"), self.BOUND), "a/np3")
        assert (found.found, found.parents_would_help) == (False, True)
        assert "quota of queue top" in found.tried[-1].message

    def test_can_be_given_as_much_more(self) -> None:
        collected = patched(loaded("15-nonpreemptible_over_quota"), self.BOUND)
        found = swept(collected, "a/np3", raise_parents=True)
        assert (found.found, found.smallest) == (True, 4)
        assert [each.target.name for each in found.patches] == ["a", "top"]
        assert runs(patched(collected, found.patches), "a/np3")

    def test_can_be_asked_about(self) -> None:
        roomy = (change("Queue", "a", put("/spec/resources/gpu/quota", 8)), *self.BOUND)
        found = swept(patched(loaded("15-nonpreemptible_over_quota"), roomy), "a/np3", queue="top")
        assert (found.queue, found.present, found.smallest) == ("top", 2, 4)


@pytest.mark.parametrize(
    ("resource", "present", "smallest", "unit"), [("cpu", 0.5, 1, "cores"), ("memory", 0.5, 2, "GB")]
)
def test_cores_and_gigabytes_are_counted_as_results_count_them(
    resource: QueueResource, present: float, smallest: int, unit: str
) -> None:
    """The job asks for 1 core and 1 GiB, which is more than 1 GB."""
    quota = {"quota": present * 1000, "limit": -1, "overQuotaWeight": 1}
    bound = [change("Queue", "a", put(f"/spec/resources/{resource}", quota))]
    found = swept(patched(loaded("15-nonpreemptible_over_quota"), bound), "a/np1", resource=resource)
    assert (found.present, found.smallest, found.unit) == (present, smallest, unit)
    assert f"value: {smallest * 1000}}}" in found.patches[0].patch


def test_a_queue_that_says_nothing_of_a_resource_gets_it() -> None:
    queue = {"metadata": {"name": "q"}, "spec": {}}
    assert [each["path"] for each in yaml.safe_load(with_quota(queue, "gpu", 1.5).patch)] == [
        "/spec/resources",
        "/spec/resources/gpu",
        "/spec/resources/gpu/quota",
    ]


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"job": "a/nobody"}, "no job (PodGroup) a/nobody"),
        ({"job": "a/a1", "queue": "b"}, "is none of job a/a1: that is in a, below top"),
        ({"job": "a/a1", "queue": "nowhere"}, "is none of job a/a1"),
    ],
)
def test_a_job_and_a_queue_that_are_not_there_are_refused(question: dict[str, Any], says: str) -> None:
    with pytest.raises(TerminalError) as caught:
        swept("18-reclaim_basic", **question)
    assert (caught.value.reason, says in caught.value.message) == (Reason.INVALID_SPEC, True)


def test_each_quota_is_told_as_it_is_tried() -> None:
    told: list[float | None] = []
    question = Question(job="a/np3")
    found = sweep(
        loaded("15-nonpreemptible_over_quota"),
        question,
        clock=time.perf_counter,
        tell=lambda tried: told.append(tried.quota),
    )
    assert told == [each.quota for each in found.tried]


def test_of_an_archive_only_the_queues_need_be_kept() -> None:
    collected = load(CORPUS / BUSY / "snapshot.zip", not_after=RECORDED_AT, changeable={"queues"})
    assert swept(collected, "research-0/serve-0027").smallest == 29
