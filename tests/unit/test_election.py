"""Who holds the Lease acts, nobody else does, and there is always somebody who will."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kai_snapshot.cluster.lease import Election, LeaseLock
from kai_snapshot.election import LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS, Candidacy, Held, LostError
from support.eventually import eventually

FREE = Held(holder="", seconds=0, version="")


@dataclass
class Clock:
    """One that the test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class OneLease:
    """The Lease in an API server: a write is refused if another came before it."""

    held: Held = FREE
    answers: bool = True
    writes: int = 0

    def of(self, identity: str) -> "OfOne":
        """As a process has it."""
        return OfOne(self, identity)


def nothing() -> None:
    """What happens meanwhile."""


@dataclass
class OfOne:
    """The same, as one process has it."""

    lease: OneLease
    identity: str
    before_take: Callable[[], None] = nothing
    arrives: bool = True
    """Whether the answer does."""

    def read(self) -> Held | None:
        return self.lease.held if self.lease.answers else None

    def take(self, over: Held) -> bool:
        self.before_take()
        if not self.lease.answers or over != self.lease.held:
            return False
        self.lease.writes += 1
        self.lease.held = Held(self.identity, LEASE_SECONDS, str(self.lease.writes))
        return self.arrives


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease() -> OneLease:
    return OneLease()


def candidacy(lease: OneLease, clock: Clock, name: str = "a") -> Candidacy:
    return Candidacy(lease.of(name), name, clock)


class TestOne:
    def test_a_lease_that_nobody_has_is_taken_at_once(self, lease: OneLease, clock: Clock) -> None:
        one = candidacy(lease, clock)
        one.step()
        assert (one.leads, lease.held.holder) == (True, "a")

    def test_one_that_was_held_by_this_pod_before_its_container_restarted_is_taken_at_once(
        self, lease: OneLease, clock: Clock
    ) -> None:
        lease.held = Held("a", LEASE_SECONDS, "1")
        one = candidacy(lease, clock)
        one.step()
        assert one.leads

    @pytest.mark.parametrize(("seconds", "leads"), [(LEASE_SECONDS - 1, False), (LEASE_SECONDS, True)])
    def test_one_that_another_has_is_taken_when_it_was_not_renewed_for_as_long_as_it_is_good_for(
        self, lease: OneLease, clock: Clock, seconds: int, leads: bool
    ) -> None:
        lease.held = Held("b", LEASE_SECONDS, "1")
        one = candidacy(lease, clock)
        one.step()
        assert (one.leads, one.stands_by) == (False, True)
        clock.now += seconds
        one.step()
        assert one.leads is leads

    def test_each_renewal_is_waited_for_again(self, lease: OneLease, clock: Clock) -> None:
        one = candidacy(lease, clock)
        for version in range(10):
            lease.held = Held("b", LEASE_SECONDS, str(version))
            one.step()
            clock.now += LEASE_SECONDS - 1
        assert not one.leads

    def test_it_acts_for_as_long_as_it_renews(self, lease: OneLease, clock: Clock) -> None:
        one = candidacy(lease, clock)
        for _ in range(100):
            one.step()
            clock.now += RETRY_SECONDS
            assert one.leads

    def test_it_does_not_act_without_having_renewed_well_before_another_may(
        self, lease: OneLease, clock: Clock
    ) -> None:
        one = candidacy(lease, clock)
        one.step()
        lease.answers = False
        clock.now += RENEW_SECONDS - 1
        one.step()
        assert one.leads
        clock.now += 1
        one.step()
        assert (one.leads, one.late) == (False, True)

    def test_a_renewal_counts_from_when_it_was_sent(self, lease: OneLease, clock: Clock) -> None:
        mine = lease.of("a")
        one = Candidacy(mine, "a", clock)

        def slow() -> None:
            clock.now += RENEW_SECONDS - 1

        mine.before_take = slow
        one.step()
        assert one.leads
        clock.now += 1
        assert one.late

    def test_a_write_whose_answer_is_lost_is_none(self, lease: OneLease, clock: Clock) -> None:
        mine = lease.of("a")
        mine.arrives = False
        one = Candidacy(mine, "a", clock)
        one.step()
        assert not one.leads, "but it is ours, and taken the next time"
        mine.arrives = True
        one.step()
        assert one.leads

    def test_where_another_has_what_was_its_own_it_ends_at_once(self, lease: OneLease, clock: Clock) -> None:
        one = candidacy(lease, clock)
        one.step()
        lease.held = Held("b", LEASE_SECONDS, "9")
        with pytest.raises(LostError):
            one.step()

    def test_a_lease_that_somebody_deleted_is_not_taken_while_who_held_it_may_still_act(
        self, lease: OneLease, clock: Clock
    ) -> None:
        first, second = candidacy(lease, clock, "a"), candidacy(lease, clock, "b")
        first.step()
        second.step()
        lease.held = FREE
        for _ in range(LEASE_SECONDS // RETRY_SECONDS):
            second.step()
            assert not (first.leads and second.leads)
            clock.now += RETRY_SECONDS
        clock.now += RETRY_SECONDS
        second.step()
        assert (first.leads, second.leads) == (False, True)

    def test_who_held_a_lease_that_somebody_deleted_makes_it_again(self, lease: OneLease, clock: Clock) -> None:
        one = candidacy(lease, clock)
        one.step()
        lease.held = FREE
        one.step()
        assert (one.leads, lease.held.holder) == (True, "a")

    def test_it_stands_by_only_for_one_whom_it_has_seen_lately(self, lease: OneLease, clock: Clock) -> None:
        lease.held = Held("b", LEASE_SECONDS, "1")
        one = candidacy(lease, clock)
        assert not one.stands_by
        one.step()
        lease.answers = False
        clock.now += LEASE_SECONDS - 1
        assert one.stands_by
        clock.now += 1
        assert not one.stands_by


@dataclass
class World:
    """Some processes, one Lease, and a network that loses and delays; processes sleep for any time."""

    clock: Clock = field(default_factory=Clock)
    lease: OneLease = field(default_factory=OneLease)
    alive: dict[str, Candidacy] = field(default_factory=dict)

    def check(self) -> None:
        """At no time do two act. The guard ends one that is late, so that counts as ended."""
        acting = [name for name, one in self.alive.items() if one.leads]
        assert len(acting) <= 1, acting


NAMES = ("a", "b", "c")
TIMES = st.sampled_from([0, 0, 0, 1, RETRY_SECONDS, RENEW_SECONDS - 1, LEASE_SECONDS - RENEW_SECONDS, LEASE_SECONDS])
MOVES = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        TIMES,  # that passes before its step
        TIMES,  # that its write is on the way
        st.sampled_from([*NAMES, None]),  # and who makes a step meanwhile
        st.booleans(),  # whether the answer arrives
        st.sampled_from(["step", "step", "step", "restart", "away"]),
    ),
    min_size=4,
    max_size=30,
)


@settings(max_examples=300)
@given(MOVES)
def test_two_never_act_at_once_whatever_is_slow_or_lost(
    moves: list[tuple[str, int, int, str | None, bool, str]],
) -> None:
    world = World()
    for name in NAMES:
        world.alive[name] = candidacy(world.lease, world.clock, name)
    for name, before, within, other, arrives, what in moves:
        world.clock.now += before
        world.check()
        world.lease.answers = what != "away"
        mine = world.lease.of(name)
        if what == "restart" or world.alive[name].late:
            world.alive[name] = Candidacy(mine, name, world.clock)
        one = world.alive[name]
        one._lease = mine

        def meanwhile(other: str | None = other, within: int = within, name: str = name) -> None:
            world.clock.now += within
            world.check()
            if other is not None and other != name:
                step(world, other)
                world.check()

        mine.before_take = meanwhile
        mine.arrives = arrives
        step(world, name)
        mine.before_take, mine.arrives = nothing, True
        world.check()


def step(world: World, name: str) -> None:
    """One that is late, or has lost the Lease, ends and starts again."""
    one = world.alive[name]
    try:
        if one.late:
            raise LostError(name)
        one.step()
    except LostError:
        world.alive[name] = candidacy(world.lease, world.clock, name)


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
def test_when_one_ends_another_acts_within_the_time_the_lease_is_good_for(rest: list[str]) -> None:
    world = World()
    gone = candidacy(world.lease, world.clock, "gone")
    gone.step()
    others = [candidacy(world.lease, world.clock, name) for name in rest]
    for _ in range(LEASE_SECONDS // RETRY_SECONDS + 2):
        for one in others:
            one.step()
        world.clock.now += RETRY_SECONDS
    assert sum(one.leads for one in others) == 1


class FakeApi:
    """Leases of an API server in memory."""

    def __init__(self) -> None:
        self.lease: Any = None
        self.failing: Exception | None = None
        self.versions = 0

    def read_namespaced_lease(self, name: str, namespace: str, **_: Any) -> Any:
        if self.failing:
            raise self.failing
        if self.lease is None:
            raise ApiException(status=404, reason="Not Found")
        return client.V1Lease(
            metadata=replace_version(self.lease.metadata, self.lease.metadata.resource_version),
            spec=client.V1LeaseSpec(**{key: getattr(self.lease.spec, key) for key in client.V1LeaseSpec.openapi_types}),
        )

    def create_namespaced_lease(self, namespace: str, lease: Any, **_: Any) -> None:
        if self.lease is not None:
            raise ApiException(status=409, reason="Conflict")
        self._keep(lease)

    def replace_namespaced_lease(self, name: str, namespace: str, lease: Any, **_: Any) -> None:
        if self.failing:
            raise self.failing
        if lease.metadata.resource_version != self.lease.metadata.resource_version:
            raise ApiException(status=409, reason="Conflict")
        self._keep(lease)

    def _keep(self, lease: Any) -> None:
        self.versions += 1
        self.lease = client.V1Lease(metadata=replace_version(lease.metadata, str(self.versions)), spec=lease.spec)


def replace_version(metadata: Any, version: str) -> Any:
    return client.V1ObjectMeta(name=metadata.name, namespace=metadata.namespace, resource_version=version)


@dataclass
class FakeCluster:
    coordination: FakeApi = field(default_factory=FakeApi)


def lock(cluster: FakeCluster, identity: str) -> LeaseLock:
    return LeaseLock(cluster, name="l", namespace="ns", identity=identity)  # type: ignore[arg-type]


class TestLock:
    def test_it_is_made_when_there_is_none(self) -> None:
        cluster = FakeCluster()
        mine = lock(cluster, "a")
        held = mine.read()
        assert held is not None
        assert mine.take(held)
        spec = cluster.coordination.lease.spec
        assert (spec.holder_identity, spec.lease_duration_seconds, spec.lease_transitions) == ("a", LEASE_SECONDS, 0)

    def test_of_two_who_take_it_at_once_one_has_it(self) -> None:
        cluster = FakeCluster()
        mine, others = lock(cluster, "a"), lock(cluster, "b")
        seen = [each.read() for each in (mine, others)]
        assert [each.take(held) for each, held in zip((mine, others), seen, strict=True) if held] == [True, False]
        seen = [each.read() for each in (mine, others)]
        assert [each.take(held) for each, held in zip((mine, others), seen, strict=True) if held] == [True, False]

    def test_another_holder_is_counted_and_a_renewal_is_not(self) -> None:
        cluster = FakeCluster()
        for name, transitions in (("a", 0), ("a", 0), ("b", 1)):
            mine = lock(cluster, name)
            held = mine.read()
            assert held is not None
            assert mine.take(held)
            assert cluster.coordination.lease.spec.lease_transitions == transitions

    def test_one_that_is_given_back_is_free_and_only_its_holder_gives_it_back(self) -> None:
        cluster = FakeCluster()
        mine = lock(cluster, "a")
        held = mine.read()
        assert held is not None
        mine.take(held)
        lock(cluster, "b").release()
        assert cluster.coordination.lease.spec.holder_identity == "a"
        mine.release()
        freed = lock(cluster, "b").read()
        assert freed is not None
        assert freed.holder == ""

    @pytest.mark.parametrize("failure", [ApiException(status=500, reason="x"), OSError()], ids=["500", "unreachable"])
    def test_an_api_server_that_fails_has_no_answer(self, failure: Exception) -> None:
        cluster = FakeCluster()
        mine = lock(cluster, "a")
        held = mine.read()
        assert held is not None
        mine.take(held)
        held = mine.read()
        assert held is not None
        cluster.coordination.failing = failure
        assert mine.read() is None
        assert mine.take(held) is False


class TestElection:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("kai_snapshot.cluster.lease.RETRY_SECONDS", 0.01)
        monkeypatch.setattr("kai_snapshot.cluster.lease.GUARD_SECONDS", 0.01)

    def test_who_has_the_lease_starts_once_and_ends_when_another_has_it(self) -> None:
        cluster, started, lost = FakeCluster(), [], threading.Event()
        mine = Election(lock(cluster, "a"), identity="a", on_started=lambda: started.append(1), on_lost=lost.set)
        mine.start()
        eventually(lambda: mine.leads, interval=0.01)
        cluster.coordination.lease.spec.holder_identity = "b"
        eventually(lost.is_set, interval=0.01)
        mine.stop()
        assert started == [1]

    def test_who_gives_it_back_does_not_take_it_again(self) -> None:
        cluster, lost = FakeCluster(), threading.Event()
        mine = Election(lock(cluster, "a"), identity="a", on_started=lambda: None, on_lost=lost.set)
        mine.start()
        eventually(lambda: mine.leads, interval=0.01)
        mine.stop()
        after = cluster.coordination.versions
        follower = Election(lock(cluster, "b"), identity="b", on_started=lambda: None, on_lost=lost.set)
        follower.start()
        eventually(lambda: follower.leads, interval=0.01)
        assert cluster.coordination.lease.spec.holder_identity == "b"
        assert after < cluster.coordination.versions
        follower.stop()
        assert not lost.is_set()

    def test_who_cannot_renew_it_ends_even_if_the_request_hangs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("kai_snapshot.election.RENEW_SECONDS", 0.1)
        cluster, lost, hangs = FakeCluster(), threading.Event(), threading.Event()
        mine = lock(cluster, "a")
        election = Election(mine, identity="a", on_started=hangs.set, on_lost=lost.set)
        read, release = mine.read, threading.Event()

        def hanging() -> Held | None:
            if hangs.is_set():
                release.wait(10)
            return read()

        monkeypatch.setattr(mine, "read", hanging)
        election.start()
        assert lost.wait(10)
        release.set()
