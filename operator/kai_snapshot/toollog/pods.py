"""What the scheduler did with pods: binds, evictions and pipelined pods that were committed."""

import re

from kai_snapshot.api.result import Eviction, Pipelined, Placement
from kai_snapshot.toollog.line import action_of, plain
from kai_snapshot.toollog.podgroups import PodGroups

_BIND = re.compile(rb"([^>]*)> to node <([^>]*)> gpuGroup: <([^>]*)>")
_SIMULATION = re.compile(rb"([^>]*)> to node: <([^>]*)>")


class Pods:
    """The pods of a log. Handlers take what follows the beginning of a message; cut off, it is a ValueError."""

    def __init__(self, pod_groups: PodGroups) -> None:
        self._pod_groups = pod_groups
        self._placements: dict[bytes, tuple[bytes, bytes]] = {}
        self._evictions: dict[bytes, tuple[bytes, bytes | None]] = {}
        self._pipelined: dict[bytes, bytes | None] = {}
        self._simulated: dict[bytes, bytes] = {}
        self._first_attempt = b""

    def bind(self, rest: bytes, _: bytes) -> None:
        """`Creating bind request for task <pod> to node <node> gpuGroup: <[..]>, requires: <..> GPUs`"""
        bind = _BIND.match(rest)
        if bind is None:
            raise ValueError("cut off")
        self._placements[bind[1]] = bind[2], bind[3]

    def bind_failed(self, rest: bytes, _: bytes) -> None:
        """`Failed to bind task <pod>. Error: ..`, after its bind request."""
        self._placements.pop(rest[: rest.index(b">")], None)

    def evict(self, rest: bytes, raw: bytes) -> None:
        """`Evicting task: pod`. A pod may be evicted again for another job, which changes nothing."""
        self._first_attempt = b""
        pod = _named(rest)
        if pod not in self._evictions:
            self._evictions[pod] = action_of(raw), self._pod_groups.preemptor
            self._first_attempt = pod

    def evict_failed(self, rest: bytes, _: bytes) -> None:
        """`Failed to evict task <pod>..`: a first attempt is undone; a pod that was evicted before stays so."""
        if rest[: rest.index(b">")] == self._first_attempt:
            del self._evictions[self._first_attempt]
            self._first_attempt = b""

    def evict_stale(self, rest: bytes, raw: bytes) -> None:
        """`Evicted task: <pod> due its job being a stale job, ..`"""
        self._evictions.setdefault(rest[: rest.index(b">")], (action_of(raw), None))

    def simulate(self, rest: bytes, _: bytes) -> None:
        """`Statement pipelined task: <pod> to node: <node>, ..` (verbosity 6); most of them are discarded again."""
        simulation = _SIMULATION.match(rest)
        if simulation is None:
            raise ValueError("cut off")
        self._simulated[simulation[1]] = simulation[2]

    def pipeline(self, rest: bytes, _: bytes) -> None:
        """`Pipelining task: pod`: to the node of the last simulation."""
        pod = _named(rest)
        self._pipelined[pod] = self._simulated.get(pod)

    def placements(self) -> tuple[Placement, ...]:
        """Binds, in the order of the log."""
        return tuple(
            Placement(pod=plain(pod), node=plain(node), gpu_groups=tuple(plain(groups).strip("[]").split()))
            for pod, (node, groups) in self._placements.items()
        )

    def evictions(self) -> tuple[Eviction, ...]:
        """Evictions, in the order of the log."""
        return tuple(
            Eviction(pod=plain(pod), action=plain(action), preemptor=_name(preemptor))
            for pod, (action, preemptor) in self._evictions.items()
        )

    def pipelined(self) -> tuple[Pipelined, ...]:
        """Pipelined pods, in the order of the log."""
        return tuple(Pipelined(pod=plain(pod), node=_name(node)) for pod, node in self._pipelined.items())


def _named(pod: bytes) -> bytes:
    if b"/" not in pod:
        raise ValueError("cut off")
    return pod


def _name(name: bytes | None) -> str | None:
    return None if name is None else plain(name)
