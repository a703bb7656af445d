"""Reasons are true: what would help does, as exactly as it is said. Held over made-up clusters and the corpus.

Each job is looked at alone, on what the cycle leaves behind: what other jobs would make of a change is no reason of it.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_snapshot.api.waiting import NeedKind, WaitingJob, WaitingReason
from support.clusters import Kind, Object, drawn, snapshot
from support.counterfactual import Ended, again, document_of, ended, less, met, of
from support.simulated import CORPUS, MINI, MINI_CASES

RATES = st.sampled_from((0.0, 0.3, 0.7))
KINDS = st.builds(
    Kind,
    nodes=st.integers(2, 5),
    jobs_per_node=st.sampled_from((3.0, 5.0)),
    full=st.sampled_from((0.5, 0.95)),
    shared=RATES,
    cpu_only=RATES,
    elastic=RATES,
    selecting=RATES,
    tainted=RATES,
    limited=RATES,
    priorities=st.booleans(),
)
OF_EACH_KIND = 2
"""Jobs looked at of those that wait for the same and need the same kind of thing."""
SAMPLE = ["02-gang+fraction", "05-gang+selector+taint", "09-gang+prio", "16-gang+limit+running+overq+prio"]
NOT_ALONE = frozenset(
    {
        *(WaitingReason.PIPELINED, WaitingReason.BEYOND_QUEUE_DEPTH),
        *(WaitingReason.SCHEDULING_BACKOFF, WaitingReason.OTHER_NODE_POOL),
    }
)
"""What is about other jobs, or jobs that the scheduler does not have."""
EXACT = frozenset({NeedKind.FREE, NeedKind.LIMIT, NeedKind.QUOTA})


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clusters")


@given(kind=KINDS, seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_reasons_are_true_whatever_the_cluster(kind: Kind, seed: int, directory: Path) -> None:
    holds(snapshot(kind, seed), directory)


@pytest.mark.parametrize("number", [2, 13, 20, 22, 29])
def test_reasons_are_true_of_made_up_clusters(number: int, directory: Path) -> None:
    holds(snapshot(drawn(number), number), directory)


@pytest.mark.parametrize("case", SAMPLE)
def test_reasons_are_true_of_the_corpus(case: str, directory: Path) -> None:
    holds(document_of(CORPUS / case / "snapshot.zip"), directory)


@pytest.mark.parametrize("case", MINI_CASES)
def test_reasons_are_true_of_clusters_that_isolate_a_rule(case: str, directory: Path) -> None:
    holds(document_of(MINI / f"{case}.zip"), directory)


def holds(document: Object, directory: Path) -> None:
    over = ended(document, directory)
    for job in sampled(over):
        alone = over.only(job.name)
        found = of(again(alone, directory), job.name)
        if job.reason is WaitingReason.ROOM_NEXT_CYCLE:
            assert found is None
            continue
        assert found is not None
        assert (found.reason, without_holders(found)) == (job.reason, without_holders(job))
        what_would_help_helps(alone, job, directory)
        no_less_would(alone, job, directory)
        the_holders_hold_enough(alone, job, directory)


def sampled(over: Ended) -> Iterator[WaitingJob]:
    seen: Counter[object] = Counter()
    for job in over.waiting:
        kind = job.reason, len(job.needs), {(need.what, bool(need.holders)) for need in job.needs[:1]} or None
        seen[str(kind)] += 1
        if seen[str(kind)] <= OF_EACH_KIND and job.reason not in NOT_ALONE:
            yield job


def without_holders(job: WaitingJob) -> list[object]:
    """Of holders who hold the same, others may be named."""
    return [need.model_copy(update={"holders": ()}) for need in job.needs]


def can_be_met(job: WaitingJob) -> bool:
    """Whether a larger node stands for what is to be freed: not for parts of a GPU, nor where no node is said.

    A queue may be there already, but not for this scheduler.
    """
    if job.reason is WaitingReason.QUEUE_DOES_NOT_EXIST:
        return False
    of_nodes = [need for need in job.needs if need.what is NeedKind.FREE]
    parts = any(need.resource == "gpu" and (need.amount or 0) % 1 for need in of_nodes)
    return bool(job.needs) and not parts and all(need.node for need in of_nodes)


def what_would_help_helps(alone: Object, job: WaitingJob, directory: Path) -> None:
    if can_be_met(job):
        after = of(again(met(alone, job.needs, job.name), directory), job.name)
        assert after is None or after.reason is not job.reason


def no_less_would(alone: Object, job: WaitingJob, directory: Path) -> None:
    for i, need in enumerate(job.needs if can_be_met(job) else ()):
        if need.what in EXACT:
            needs = [*job.needs[:i], less(need), *job.needs[i + 1 :]]
            assert of(again(met(alone, needs, job.name), directory), job.name) is not None


def the_holders_hold_enough(alone: Object, job: WaitingJob, directory: Path) -> None:
    to_free = [need for need in job.needs if need.what is NeedKind.FREE]
    if to_free and all(need.holders for need in to_free):
        after = of(again(met(alone, job.needs, job.name, by_holders=True), directory), job.name)
        assert after is None or after.reason is not job.reason
