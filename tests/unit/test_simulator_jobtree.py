"""The tree that hands out jobs: passing many at once is the same as taking them out one by one."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kai_snapshot.simulator.jobtree import JobTree
from kai_snapshot.simulator.model import UNLIMITED, Group, Job, PodSet, Queue
from kai_snapshot.simulator.stock import Line, Member, Roster, Stock, item_of

CREATED = datetime(2026, 11, 20, tzinfo=UTC)
UNBOUND = (UNLIMITED, UNLIMITED, UNLIMITED)


def queue(name: str, parent: Queue | None, chance: Random) -> Queue:
    quota = (UNLIMITED, UNLIMITED, chance.choice((UNLIMITED, 0.0, 4.0, 16.0)))
    made = Queue(name, parent, [], 100, CREATED, quota, UNBOUND, (1.0, 1.0, 1.0))
    made.allocatable, made.divisors = quota, (64.0, 64.0, quota[2] if quota[2] > 0 else 64.0)
    made.allocated = [float(chance.randint(0, 20)) for _ in range(3)]
    made.path = (made, *(parent.path if parent is not None else ()))
    if parent is not None:
        parent.children.append(made)
    return made


def leaves(chance: Random) -> list[Queue]:
    found: list[Queue] = []
    for i in range(2):
        department = queue(f"d{i}", None, chance)
        found += [queue(f"d{i}-{j}", department, chance) for j in range(3)]
    return found


def job(number: int, of: Queue, chance: Random) -> Job:
    pod_set = PodSet("default", 1)
    made = Job(
        f"ns/{number}", str(number), of, of.name, chance.choice((50, 75, 100)), True, CREATED,
        Group("", 1, [pod_set]), pod_sets=[pod_set], age=number,
    )  # fmt: skip
    made.asked_cache = (1.0, float(chance.choice((1, 1, 2))), float(chance.choice((0, 1, 2, 8, 8, 16))))
    return made


@given(number=st.integers(0, 2**32))
@example(number=9)  # a queue is chosen by what was on top below it, and then brings a job with which it would not be
@example(number=682)
@settings(max_examples=200, deadline=None)
def test_passing_jobs_is_taking_them_out_one_by_one(number: int) -> None:
    chance = Random(number)
    queues = leaves(chance)
    jobs = [job(i, chance.choice(queues), chance) for i in range(chance.randint(1, 120))]
    gone = chance.sample(jobs, min(len(jobs), chance.randint(0, 5)))
    besides = [job(1000 + i, chance.choice(queues), chance) for i in range(chance.randint(1, 60))]
    changes = [(chance.choice(queues), (0.0, 0.0, float(chance.randint(-16, 16)))) for _ in besides]
    stock = Stock.of(map(item_of, jobs))

    def order(take: Callable[[JobTree], Job]) -> list[str]:
        """Whoever comes changes what a queue has, and so the order of queues."""
        tree = JobTree(besides, stock=stock, without=gone, chance=np.random.default_rng(number))
        came = []
        for changed, (cpu, memory, gpus) in changes:
            came.append(take(tree).name)
            changed.add((cpu, memory, gpus), +1.0, held=False)
        for changed, (cpu, memory, gpus) in changes:
            changed.add((cpu, memory, gpus), -1.0, held=False)
        return came

    wanted = set(map(id, besides))
    assert order(lambda tree: a_job(tree.pop_besides())) == order(lambda tree: next_of(tree, wanted))


def next_of(tree: JobTree, wanted: set[int]) -> Job:
    taken = a_job(tree.pop())
    while id(taken) not in wanted:
        taken = a_job(tree.pop())
    return taken


def a_job(taken: Member) -> Job:
    assert isinstance(taken, Job)
    return taken


@pytest.mark.parametrize("at", range(4))
def test_a_line_knows_who_asks_for_more_than_those_before(at: int) -> None:
    chance = Random(0)
    of = queue("q", None, chance)
    line = Line(of)
    for number, asked in enumerate([(2.0, 2.0, 2.0), (1.0, 2.0, 0.0), (2.0, 1.0, 1.0), (1.0, 1.0, 3.0)]):
        each = job(number, of, chance)
        each.priority, each.asked_cache = 50, asked
        line.put_in(item_of(each))
    assert [line.asks_more(at) for _ in (1, 2)] == [[3, 2, 3, 4][at]] * 2


def test_a_roster_follows_its_jobs_and_leaves_what_it_gave_as_it_was() -> None:
    chance = Random(1)
    of = queue("q", None, chance)
    jobs = [job(number, of, chance) for number in range(5)]
    kept = {id(each) for each in jobs}
    roster = Roster(jobs, lambda each: each if id(each) in kept else None)
    before = roster.stock()
    jobs[3].priority, jobs[3].rank_cache = 1000, None
    kept.discard(id(jobs[0]))
    roster.change([jobs[0], jobs[3]])
    after = roster.stock()
    assert len(before) == 5
    assert next(each.name for _, each in after.items() if isinstance(each, Job)) == "ns/3"
    assert {id(each) for _, each in after.items()} == kept
    assert after.numbers(jobs) == [after.lines[0].place(each) for each in jobs[1:]]
