"""Who acts: what a look at the Lease means. Pure, but for the clock it is given.

Clocks of other machines are not believed: a Lease is over when it was seen unchanged for its whole duration, by the own
clock. Who holds it stops to act well before that, counted from before its last renewal was sent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

LEASE_SECONDS: Final = 30
"""How long the Lease is good for: after a crash nobody acts for as long."""
RENEW_SECONDS: Final = 20
"""How long its holder acts without having renewed it. The rest is for a guard that is late."""
RETRY_SECONDS: Final = 4
"""Between two looks."""


@dataclass(frozen=True)
class Held:
    """The Lease as it was read."""

    holder: str
    """Empty: it was given back."""
    seconds: float
    """How long it is good for."""
    version: str
    """Another one after each write; empty: there is no Lease."""


class LostError(Exception):
    """Another has the Lease: it may act from now on, and this process may not."""


class Lease(Protocol):
    """The one lock there is. Nothing is raised: an API server that is away has no answer."""

    def read(self) -> Held | None:
        """The Lease; one that nobody holds if there is none. None: no answer."""

    def take(self, over: Held) -> bool:
        """Writes the own name into the Lease as it was read, and whether that is certain; False if it changed since."""


class Candidacy:
    """One process that wants to act, step by step. `clock` counts seconds, also while a machine sleeps."""

    def __init__(self, lease: Lease, identity: str, clock: Callable[[], float]) -> None:
        self._lease = lease
        self._identity = identity
        self._clock = clock
        self._seen: Held | None = None
        self._since = 0.0
        self._leader_seen: float | None = None
        self._acts_until: float | None = None

    @property
    def leads(self) -> bool:
        """Whether it has had the Lease, and may still act."""
        return self._acts_until is not None and self._clock() < self._acts_until

    @property
    def late(self) -> bool:
        """Whether it acted, and must not any more, since the Lease was not renewed in time."""
        return self._acts_until is not None and not self.leads

    @property
    def stands_by(self) -> bool:
        """Whether it has seen lately that another one acts, and would notice if that one ended."""
        return self._leader_seen is not None and self._clock() - self._leader_seen < LEASE_SECONDS

    def step(self) -> None:
        """Takes or renews the Lease, if that is possible. Raises LostError where another has what was ours."""
        held = self._lease.read()
        if held is None:
            return
        if held != self._seen:
            self._seen, self._since = held, self._clock()
        if held.holder not in ("", self._identity):
            if self._acts_until is not None:
                raise LostError(held.holder)
            if self._clock() - self._since < held.seconds:
                self._leader_seen = self._clock()
                return
        if not held.version and self.stands_by:
            return  # somebody has deleted it, and who held it acts until it is noticed
        began = self._clock()
        if self._lease.take(held):
            self._acts_until = began + RENEW_SECONDS
