"""Logs as snapshot-tool writes them, message by message, in the form of any version, for tests of the log reader.

`Log` knows how messages look and which verbosity they need; it knows nothing of what a reader makes of them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

Version = tuple[int, int, int]

VERSIONS: tuple[Version, ...] = (
    (0, 6, 0), (0, 6, 23), (0, 7, 13), (0, 8, 0), (0, 8, 2), (0, 9, 0), (0, 9, 20), (0, 10, 2), (0, 10, 3),
    (0, 12, 0), (0, 12, 23), (0, 13, 4), (0, 14, 0), (0, 14, 1), (0, 14, 7), (0, 15, 3), (0, 16, 0), (0, 16, 8),
    (0, 17, 0),
)  # fmt: skip
"""The releases at which a message changed, and the last of each line."""

ACTIONS = {
    "allocate": ("Allocate", 32, "allocate/allocate.go:47"),
    "consolidation": ("Consolidation", 37, "consolidation/consolidation.go:34"),
    "reclaim": ("Reclaim", 34, "reclaim/reclaim.go:47"),
    "preempt": ("Preempt", 31, "preempt/preempt.go:47"),
    "stalegangeviction": ("StaleGangEviction", 31, "stalegangeviction/stalegangeviction.go:29"),
}
_LEVEL_COLOURS = {"INFO": 34, "WARN": 33, "ERROR": 31, "FATAL": 31}

PANIC = """panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x243ca97]

goroutine 1 [running]:
github.com/NVIDIA/KAI-scheduler/pkg/scheduler/actions/common/solvers.NewIdleGpusFilter(0x0, 0x0?)
\tgithub.com/NVIDIA/KAI-scheduler/pkg/scheduler/actions/common/solvers/idle_gpus.go:60 +0x17
main.main()
\tgithub.com/NVIDIA/KAI-scheduler/cmd/snapshot-tool/main.go:97 +0x616
"""


@dataclass(frozen=True)
class Share:
    """A queue's share of a resource, as printed; None is Unlimited."""

    deserved: float | None
    requested: float | None
    limit: float | None
    allocated: float | None
    used: float | None
    fair: float | None


@dataclass
class Log:
    """A log being written."""

    version: Version
    verbosity: int = 4
    colours: bool = True
    zone: str = "Z"
    action: str = ""
    lines: list[str] = field(default_factory=list)
    now: datetime = datetime(2026, 11, 22, 11, 21, 23)  # noqa: DTZ001 - the zone is printed
    errors: int = 0
    warnings: int = 0
    milliseconds: dict[str, int] = field(default_factory=dict)

    def text(self) -> bytes:
        """All of it."""
        return "".join(f"{line}\n" for line in self.lines).encode()

    def summary(self) -> bytes:
        """What goes to stdout."""
        if self.version < (0, 14, 1):
            return b""
        total = 100 + sum(self.milliseconds.values())
        return (
            json.dumps({"total_duration_ms": total, "action_durations_ms": self.milliseconds}, indent=2).encode()
            + b"\n"
        )

    def entry(self, verbosity: int, source: str, message: str, level: str = "INFO") -> bool:
        """One message; whether it is logged at this verbosity."""
        if self.verbosity < verbosity:
            return False
        if self.version < (0, 10, 0) and level != "INFO":
            source = "log/log.go:63"
        self.errors += level in ("ERROR", "FATAL")
        self.warnings += level == "WARN"
        names = self._bracketed("snapshot-runner", 32)
        if self.action:
            names += self._bracketed(self.action, ACTIONS[self.action][1])
        stamp = self.now.isoformat(timespec="milliseconds") + self.zone
        self.lines.append(f"{stamp}\t{self._coloured(level, _LEVEL_COLOURS[level])}\t{source}\t{names}{message}")
        return True

    def complain(self, source: str, message: str) -> None:
        self.entry(0, source, message, "ERROR")

    def hint(self, source: str, message: str) -> None:
        self.entry(0, source, message, "WARN")

    def noise(self, text: str) -> None:
        """Lines of another logger, or of none."""
        self.lines += text.splitlines()

    def _coloured(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colours else text

    def _bracketed(self, name: str, colour: int) -> str:
        return f"[{self._coloured(name, colour)}] "

    # the session

    def open(self, queues: Mapping[str, Mapping[str, Share]]) -> None:
        self.entry(2, "framework/session.go:499", "Taking cluster snapshot ...")
        self.entry(
            4,
            "cluster_info/cluster_info.go:260",
            "Snapshot info - PodGroupInfos: <3>, BindRequests: <0>, Queues: <2>, Nodes: <2> in total for scheduling",
        )
        self.entry(2, "framework/session.go:508", "Session  with <3> Jobs, <2> Queues and <2> Nodes")
        for name, shares in queues.items():
            self.entry(
                3,
                "resource_division/resource_division.go:68",
                f"Resource division result for queue <{name}>: "
                f"Queue Priority: <100>, GPU: {self._share(shares['gpu'])} "
                f"CPU (cores): {self._share(shares['cpu'])} memory (GB): {self._share(shares['memory'])} ",
            )

    def _share(self, share: Share) -> str:
        figures = {"deserved": share.deserved, "requested": share.requested, "maxAllowed": share.limit}
        if self.version >= (0, 10, 3):
            figures |= {"allocated": share.allocated, "historicalUsage": share.used}
        elif self.version >= (0, 8, 2):
            figures |= {"usage": share.used}
        figures["fairShare"] = share.fair
        return ", ".join(f"{name}: <{_humanized(value)}>" for name, value in figures.items())

    def enter(self, action: str) -> None:
        self.action = action
        name, _, source = ACTIONS[action]
        self.entry(2, source, f"Enter {name} ...")
        self.entry(2, source, "There are <3> PodGroupInfos and <2> Queues in total for scheduling")

    def leave(self, milliseconds: int) -> None:
        name, _, source = ACTIONS[self.action]
        self.now += timedelta(milliseconds=milliseconds)
        self.milliseconds[self.action] = milliseconds
        self.entry(2, source, f"Leaving {name} ...")
        if self.version >= (0, 14, 1):
            self.entry(2, "snapshot-tool/main.go:131", f"Action <{self.action}> completed in {_go(milliseconds)}")

    def end(self) -> None:
        if self.version >= (0, 14, 1):
            total = 100 + sum(self.milliseconds.values())
            self.entry(2, "snapshot-tool/main.go:149", f"Snapshot tool run completed in {_go(total)}")

    def panic(self) -> None:
        if self.action:
            self.entry(2, "runtime/panic.go:860", f"Leaving {ACTIONS[self.action][0]} ...")
        self.noise(PANIC)

    # attempts

    def attempt(self, job: str, queue: str, shown: str) -> None:
        resources = (
            "[2000 1.7179869184e+10 8 1 0]"
            if self.version >= (0, 14, 1)
            else "CPU: 2 (cores), memory: 17.179 (GB), Gpus: 8"
        )
        what = {
            "allocate": f"allocate job: <{job}> of queue <{shown}>, resources: <{resources}>",
            "consolidation": "consolidate running jobs in order to make room for "
            f"job: <{job}>, resources: <{resources}>",
            "reclaim": f"reclaim for job: <{job}> of queue <{shown}>, resources: <{resources}>",
            "preempt": f"preempt for job: <{job}>, priority: <50>, queue: <{queue}>, resources: <{resources}>",
        }
        self.entry(3, f"{self.action}/{self.action}.go:100", f"Attempting to {what[self.action]}")

    def fail(self, job: str, queue: str) -> None:
        messages = {
            "allocate": f"Could not allocate resources for job: <{job}> of queue <{queue}>",
            "consolidation": f"Didn't find a consolidation strategy for job: <{job}>",
            "reclaim": f"Didn't find a reclaim strategy for job <{job}>",
            "preempt": f"Didn't find a preemption strategy for job <{job}>",
        }
        self.entry(3, f"{self.action}/{self.action}.go:106", messages[self.action])

    def refuse_over_quota(self, job: str) -> None:
        self.entry(3, "preempt/preempt.go:124", f"Job <{job}> would have placed the queue resources over quota")

    def skip(self, job: str, other: str) -> None:
        words = {"consolidation": "consolidation", "reclaim": "reclaim", "preempt": "preemption"}
        self.entry(
            3,
            f"{self.action}/{self.action}.go:68",
            f"Skipping {words[self.action]} for job: <{job}> - is not easier to {self.action} for than: <{other}>",
        )

    def succeed(self, job: str, victims: Sequence[str]) -> None:
        named = " ".join(f"<{pod}>" for pod in victims)
        messages = {
            "allocate": f"Succesfully allocated resources for job: <{job}>",
            "consolidation": f"Sucesfully consolidated for job: <{job}>, and about to reallocate victims: <[{named}]>",
            "reclaim": f"Reclaimed resources for job <{job}>, evicting reclaimee tasks: <[{named}]>.",
            "preempt": f"Successfully preempted for job <{job}>, preempted tasks: <[{named}]>",
        }
        if self.action != "allocate":
            count = "1 tasks out of 2 tasks" if self.version < (0, 14, 1) else "2 tasks"
            self.entry(
                4,
                "solvers/job_solver.go:144",
                f"Scenario solved for {count} to allocate for {job}. Victims: {', '.join(victims)}",
            )
        self.entry(3, f"{self.action}/{self.action}.go:98", messages[self.action])

    def wait(self, job: str) -> None:
        self.entry(
            3, "allocate/allocate.go:96", f"Some tasks were pipelined, setting all job to be pipelined for job: <{job}>"
        )

    # commits

    def commit(self) -> None:
        self.entry(4, "framework/statement.go:574", "Committing operations ...")

    def bind(self, pod: str, node: str, groups: Iterable[str]) -> None:
        requires = (
            "[1000 2.147483648e+09 1 1 0]"
            if self.version >= (0, 15, 0)
            else "GPU: 1, CPU: 1 (cores), memory: 2.147 (GB)"
        )
        self.entry(4, "framework/statement.go:593", f"Allocating task: {pod}")
        self.entry(
            3,
            "cache/cache.go:328",
            f"Creating bind request for task <{pod}> to node <{node}> "
            f"gpuGroup: <[{' '.join(groups)}]>, requires: <{requires}> GPUs",
        )

    def bind_fails(self, pod: str, node: str) -> None:
        self.complain(
            "status_updater/default_status_updater.go:129", f"Failed to bind pod {pod} to node {node}. already exists"
        )
        self.complain("framework/statement.go:406", f"Failed to bind task <{pod}>. Error: already exists")
        self.complain("framework/statement.go:596", "Failed to allocate task. error: already exists")

    def evict(self, pod: str) -> None:
        self.entry(4, "framework/statement.go:583", f"Evicting task: {pod}")

    def evict_fails(self, pod: str) -> None:
        name = pod.partition("/")[2]
        self.complain("framework/statement.go:143", f'Failed to evict task <{pod}>: pod "{name}" not found.')
        self.complain("framework/statement.go:586", f'Failed to evict task <{pod}>, error: <pod "{name}" not found>')

    def evict_stale(self, pod: str) -> None:
        self.entry(
            3,
            "stalegangeviction/stalegangeviction.go:85",
            f"Evicted task: <{pod}> due its job being a stale job, its status: <Running>",
        )

    def simulate(self, pod: str, node: str) -> None:
        self.entry(
            6, "framework/statement.go:308", f"Statement pipelined task: <{pod}> to node: <{node}>, gpuGroup: <[]>"
        )

    def discard(self) -> None:
        self.entry(6, "framework/statement.go:558", "Discarding operations ...")

    def pipeline(self, pod: str) -> None:
        self.entry(4, "framework/statement.go:590", f"Pipelining task: {pod}")

    # when the session closes

    def explain(self, job: str, pod: str, pod_message: str, job_message: str, *, condition: bool = True) -> None:
        source = "status_updater/default_status_updater.go:381"
        if pod:
            name = pod.partition("/")[2]
            self.entry(6, source, f"setting message for task: {name}, {pod_message}")
            self.entry(6, source, f"setting message for task: {name}")
            self.entry(6, source, f"Updating pod condition for {pod} to (PodScheduled==False)")
        if self.version >= (0, 12, 0):
            self.entry(6, source, f"Full job fit error: {job_message}")
        if condition:
            condition_type = "(UnschedulableOnNodePool,nodepool=default)"
            self.entry(6, source, f"Updating pod group scheduling condition for {job} to {condition_type}")


def _humanized(value: float | None) -> str:
    return "Unlimited" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def _go(milliseconds: int) -> str:
    """As Go prints a duration, with some microseconds."""
    if milliseconds < 1:
        return "68.978µs"
    if milliseconds < 1000:
        return f"{milliseconds}.345726ms"
    minutes, rest = divmod(milliseconds, 60_000)
    return (f"{minutes}m" if minutes else "") + f"{rest // 1000}.{rest % 1000:03}001s"
