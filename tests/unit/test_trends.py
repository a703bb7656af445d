"""How numbers went from archive to archive."""

from datetime import timedelta

from kai_snapshot.api.visualizer import QueueGPUs
from kai_snapshot.runs.listing import Archive
from kai_snapshot.runs.look import Stored
from kai_snapshot.stores.memory import MemoryStore
from kai_snapshot.web.trends import QUEUES, Computed, queue_trends, trends
from support.stored import FIRST, keep


def archives(count: int) -> list[Archive]:
    """So many, an hour apart."""
    store = MemoryStore()
    for hour in range(count):
        keep(store, "01", FIRST + timedelta(hours=hour))
    return list(Stored(store).listing().archives)


def numbers(pending: int, **queues: tuple[float, float | None]) -> Computed:
    """With queues, what they have and their fair share."""
    listed = [
        QueueGPUs(id=id_, name=id_.title(), allocated=had, requested=had, fair_share=share)
        for id_, (had, share) in queues.items()
    ]
    return Computed(allocated_gpus=0, fragmented_gpus=0, pending=pending, queues=listed)


def test_one_archive_has_no_trend() -> None:
    assert trends(archives(1), {}) == []


def test_what_is_computed_comes_first_and_is_as_high_as_it_is_much() -> None:
    listed = archives(3)
    known = {each.key: numbers(pending) for each, pending in zip(listed, (10, 5, 0), strict=True)}
    first = trends(listed, known)[0]
    assert (first.id, first.line.first, first.line.last, first.line.most) == ("pending", 10, 0, 10)
    assert first.line.path == "M0.0 0.0h0L500.0 30.0L1000.0 60.0"


def test_where_an_archive_could_not_be_read_there_is_a_gap() -> None:
    listed = archives(4)
    known = {listed[at].key: numbers(1) for at in (0, 1, 3)}
    (path,) = {each.line.path for each in trends(listed, known) if each.id == "pending"}
    assert path == "M0.0 0.0h0L333.3 0.0M1000.0 0.0h0"


def test_a_queue_has_what_it_had_beside_its_fair_share() -> None:
    listed = archives(2)
    known = {
        listed[0].key: numbers(0, a=(2, 4), out=(1, None), once=(1, 1)),
        listed[1].key: numbers(0, a=(8, 4), out=(1, None)),
    }
    (trend,) = queue_trends(listed, known)
    assert (trend.id, trend.name) == ("a", "A")
    assert trend.line.path == "M0.0 45.0h0L1000.0 0.0"
    assert trend.beside is not None
    assert trend.beside.path == "M0.0 30.0h0L1000.0 30.0"


def test_of_many_queues_those_with_the_most_are_shown() -> None:
    listed = archives(2)
    queues = {f"q{i:02}": (float(i), 0.0) for i in range(QUEUES + 5)}
    found = queue_trends(listed, {each.key: numbers(0, **queues) for each in listed})
    assert [each.id for each in found] == sorted(queues, reverse=True)[:QUEUES]


def test_queues_that_are_called_the_same_are_told_apart() -> None:
    listed = archives(2)
    found = queue_trends(listed, {each.key: numbers(0, a=(3, 1), A=(2, 1), b=(1, 1)) for each in listed})
    assert [each.name for each in found] == ["A (a)", "A (A)", "B"]
