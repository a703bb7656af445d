"""Logs written from the message table, in the form of every version, read back as what they were written from."""

import gzip
import io
from dataclasses import dataclass, field
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot import toollog
from kai_snapshot.api.result import Eviction, JobOutcome, Outcome, Pipelined, Placement, QueueShare, ReplayResult
from support.fuzz import fuzzed
from support.toollogs import ACTIONS, PANIC, VERSIONS, Log, Share

QUEUES = {"prod": "prod", "prod-0": "prod-0", "research": "Research & <b>development</b>"}
"""By name, what the log shows: `spec.displayName` may hold anything."""
JOBS = {
    f"team-{number % 3}/{kind}-{number}": list(QUEUES)[number % 3]
    for number, kind in enumerate(("train", "serve", "eval", "prep"))
}
PODS = {job: [f"{job}-{number}" for number in range(3)] for job in JOBS}
RUNNING = [f"sandbox/old-{number}-0" for number in range(4)]
NODES = ["h100-0001", "gpu.example.com", "n1"]
GROUPS = ["43f34a3c-7b0f-4ab7-9fbe-f69ae534edc9", "gpu-group-1"]
OUTCOMES = {"consolidation": JobOutcome.CONSOLIDATED, "reclaim": JobOutcome.RECLAIMED, "preempt": JobOutcome.PREEMPTED}
NOISE = "W1122 11:21:23.239161   17690 feature_gate.go:352] Setting GA feature gate DynamicResourceAllocation=false."

amounts = st.none() | st.integers(0, 10**7).map(lambda thousandths: thousandths / 1000)
shares = st.builds(Share, amounts, amounts, amounts, amounts, amounts, amounts)
resources = st.fixed_dictionaries({"gpu": shares, "cpu": shares, "memory": shares})


@dataclass
class Story:
    """What happens, and what a reader should know of it."""

    log: Log
    placements: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    evictions: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    pipelined: dict[str, str | None] = field(default_factory=dict)
    outcomes: dict[str, JobOutcome] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    queues: dict[str, dict[str, Share]] = field(default_factory=dict)

    def seen(self, verbosity: int) -> bool:
        return self.log.verbosity >= verbosity


class Teller:
    """Writes a story's log while it notes what should be read from it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        version = draw(st.sampled_from(VERSIONS))
        verbosity, colours = draw(st.sampled_from([2, 3, 4, 4, 6])), draw(st.booleans())
        self.log = Log(version, verbosity, colours, zone=draw(st.sampled_from(["Z", "+0200", "-0700"])))
        self.story = Story(self.log)

    def open(self) -> None:
        if self.draw(st.booleans()):
            self.log.noise(NOISE)
        queues = self.draw(st.dictionaries(st.sampled_from(sorted(QUEUES)), resources))
        self.log.open({QUEUES[name]: shares for name, shares in queues.items()})
        self.story.queues = queues if self.story.seen(3) else {}
        for plugin in self.draw(st.lists(st.sampled_from(["sg-multinodegang", "numa"]))):
            self.log.complain("framework/framework.go:51", f"Failed to get plugin {plugin}.")

    def act(self, action: str) -> None:
        self.log.enter(action)
        if action == "stalegangeviction":
            for pod in self.draw(st.lists(st.sampled_from(RUNNING), max_size=2)):
                self.evict_stale(pod)
            return
        for job in self.draw(st.lists(st.sampled_from(sorted(JOBS)), max_size=4)):
            (self.allocate if action == "allocate" else self.solve)(job)
            if self.draw(st.integers(0, 9)) == 0:
                self.log.hint("framework/session.go:1", f"Something about {job}\nand more of it")

    def allocate(self, job: str) -> None:
        self.log.attempt(job, JOBS[job], QUEUES[JOBS[job]])
        match self.draw(st.sampled_from(["fail", "bind", "wait"])):
            case "fail":
                self.log.fail(job, JOBS[job])
                if self.story.seen(3):
                    self.story.outcomes.setdefault(job, JobOutcome.UNSCHEDULABLE)
            case "bind":
                self.log.succeed(job, [])
                self.note(job, JobOutcome.ALLOCATED)
                self.log.commit()
                self.bind(self.draw(st.sampled_from(PODS[job])))
            case _:
                self.log.wait(job)
                self.note(job, JobOutcome.PIPELINED)
                pod = self.draw(st.sampled_from(PODS[job]))
                node = self.simulate(pod)
                self.log.commit()
                self.pipeline(pod, node)

    def bind(self, pod: str) -> None:
        node, groups = (
            self.draw(st.sampled_from(NODES)),
            tuple(self.draw(st.lists(st.sampled_from(GROUPS), max_size=2, unique=True))),
        )
        self.log.bind(pod, node, groups)
        if self.draw(st.integers(0, 9)) == 0:
            self.log.bind_fails(pod, node)
            self.story.placements.pop(pod, None)
        elif self.story.seen(3):
            self.story.placements[pod] = node, groups

    def solve(self, job: str) -> None:
        action = self.log.action
        if self.draw(st.booleans()):
            self.log.skip(job, min(JOBS))
            return
        self.log.attempt(job, JOBS[job], QUEUES[JOBS[job]])
        if self.draw(st.booleans()):
            if action == "preempt" and self.draw(st.booleans()):
                self.log.refuse_over_quota(job)
                if self.story.seen(3):
                    self.story.reasons[job] = "The job would have placed the queue resources over quota."
            self.log.fail(job, JOBS[job])
            return
        victims = self.draw(st.lists(st.sampled_from(RUNNING), min_size=1, max_size=3, unique=True))
        pods = [*self.draw(st.lists(st.sampled_from(PODS[job]), max_size=2, unique=True)), *victims[1:]]
        nodes = [self.simulate(pod) for pod in pods]
        self.log.succeed(job, victims)
        self.note(job, OUTCOMES[action])
        self.log.commit()
        for victim in victims:
            self.evict(victim, job)
        for pod, node in zip(pods, nodes, strict=True):
            self.pipeline(pod, node)

    def simulate(self, pod: str) -> str:
        nodes: list[str] = self.draw(st.lists(st.sampled_from(NODES), min_size=1, max_size=3))
        for number, node in enumerate(nodes):
            if number:
                self.log.discard()
            self.log.simulate(pod, node)
        return nodes[-1]

    def evict(self, pod: str, preemptor: str) -> None:
        self.log.evict(pod)
        if self.draw(st.integers(0, 3)) == 0:
            self.log.evict_fails(pod)
        elif self.story.seen(4):
            self.story.evictions.setdefault(pod, (self.log.action, preemptor))

    def evict_stale(self, pod: str) -> None:
        self.log.evict_stale(pod)
        if self.story.seen(3):
            self.story.evictions.setdefault(pod, (self.log.action, None))

    def pipeline(self, pod: str, node: str) -> None:
        self.log.pipeline(pod)
        if self.story.seen(4):
            self.story.pipelined[pod] = node if self.story.seen(6) else None

    def note(self, job: str, outcome: JobOutcome) -> None:
        if self.story.seen(3):
            self.story.outcomes[job] = outcome

    def close(self) -> None:
        for job in self.draw(st.lists(st.sampled_from(sorted(JOBS)), max_size=2, unique=True)):
            self.log.explain(
                job,
                PODS[job][0],
                "no nodes with enough resources were found: 3 node(s) lack GPUs. \n2 node(s) are full.",
                "\nNot enough resources for the workload.\nResources were not found.",
            )
            if self.story.seen(6):
                self.story.outcomes.setdefault(job, JobOutcome.UNSCHEDULABLE)
                self.story.reasons[job] = (
                    "Not enough resources for the workload. Resources were not found."
                    if self.log.version >= (0, 12, 0)
                    else "no nodes with enough resources were found: 3 node(s) lack GPUs. 2 node(s) are full."
                )


@dataclass(frozen=True)
class Run:
    """A story with its outcome."""

    story: Story
    configured: list[str]
    exit_code: int
    stdout: bytes
    outcome: Outcome


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run of the tool with any actions, whole or ended by a panic."""
    teller = Teller(draw)
    teller.open()
    log = teller.log
    configured: list[str] = draw(st.lists(st.sampled_from(sorted(ACTIONS)), min_size=1, unique=True))
    panics_in = draw(st.none() | st.sampled_from(configured))
    for action in configured:
        teller.act(action)
        if action == panics_in:
            log.panic()
            return Run(teller.story, configured, 2, b"", Outcome.PANICKED)
        log.leave(draw(st.integers(0, 200_000)))
    log.end()
    teller.close()
    return Run(teller.story, configured, 0, log.summary(), Outcome.SUCCEEDED)


def read(run: Run, text: bytes | None = None) -> ReplayResult:
    log = run.story.log
    return toollog.read(
        io.BytesIO(log.text() if text is None else text),
        stdout=run.stdout,
        exit_code=run.exit_code,
        configured_actions=run.configured,
        tool_version="v{}.{}.{}".format(*log.version),
        names=toollog.Names(queues={shown: name for name, shown in QUEUES.items()}),
    )


@given(runs())
def test_a_log_reads_back_as_what_it_was_written_from(run: Run) -> None:
    story, result = run.story, read(run)
    assert result.outcome == run.outcome
    assert list(result.placements) == [
        Placement(pod=pod, node=node, gpu_groups=groups) for pod, (node, groups) in story.placements.items()
    ]
    assert list(result.evictions) == [
        Eviction(pod=pod, action=action, preemptor=preemptor) for pod, (action, preemptor) in story.evictions.items()
    ]
    assert {found.pod: found for found in result.pipelined} == {
        pod: Pipelined(pod=pod, node=node) for pod, node in story.pipelined.items()
    }
    assert {job.name: job.outcome for job in result.pod_groups} == story.outcomes
    assert {job.name: job.reason for job in result.pod_groups if job.reason} == {
        job: reason for job, reason in story.reasons.items() if story.outcomes.get(job) is JobOutcome.UNSCHEDULABLE
    }
    assert all(job.queue in (None, JOBS[job.name]) for job in result.pod_groups)
    assert (result.error_count, result.warning_count) == (story.log.errors, story.log.warnings)
    assert sum(error.count for error in result.errors) == story.log.errors


@given(runs())
def test_queue_figures_are_those_printed_whatever_their_form(run: Run) -> None:
    version = run.story.log.version

    def printed(share: Share) -> QueueShare:
        return QueueShare(
            deserved=share.deserved,
            requested=share.requested,
            limit=share.limit,
            allocated=share.allocated if version >= (0, 10, 3) else None,
            fair_share=share.fair,
        )

    found = {queue.name: queue.resources for queue in read(run).queues}
    assert found.keys() == run.story.queues.keys()
    for name, of in run.story.queues.items():
        assert (found[name].gpu, found[name].cpu, found[name].memory) == (
            printed(of["gpu"]),
            printed(of["cpu"]),
            printed(of["memory"]),
        )


@given(runs())
def test_actions_that_ran_to_their_end_have_their_time(run: Run) -> None:
    assert read(run).durations_ms.actions == run.story.log.milliseconds


@given(runs())
def test_gzip_makes_no_difference(run: Run) -> None:
    assert read(run, gzip.compress(run.story.log.text())) == read(run)


@given(runs(), st.data())
def test_a_log_that_is_cut_off_anywhere_tells_no_more_than_the_whole(run: Run, data: st.DataObject) -> None:
    text = run.story.log.text()
    whole, part = read(run), read(run, text[: data.draw(st.integers(0, len(text)))])
    assert {placement.pod for placement in part.placements} <= set(chain(*PODS.values()))
    assert part.error_count <= whole.error_count
    assert part.warning_count <= whole.warning_count
    assert {job.name for job in part.pod_groups} <= {job.name for job in whole.pod_groups}


@fuzzed(100)
@given(st.binary() | st.text().map(str.encode))
def test_garbage_is_read_without_a_crash_and_is_no_success(text: bytes) -> None:
    result = toollog.read(io.BytesIO(text), stdout=text, exit_code=0, configured_actions=None, tool_version=None)
    assert result.outcome is not Outcome.SUCCEEDED
    assert ReplayResult.model_validate(result.dump()) == result


@fuzzed(100)
@given(runs(), st.data())
def test_a_damaged_log_is_read_without_a_crash(run: Run, data: st.DataObject) -> None:
    text = bytearray(run.story.log.text())
    for position in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=20)) if text else []:
        text[position] = data.draw(st.integers(0, 255))
    result = read(run, bytes(text))
    assert ReplayResult.model_validate_json(result.model_dump_json(by_alias=True)) == result


def test_the_stack_of_a_panic_is_no_message() -> None:
    log = Log((0, 17, 0))
    log.open({})
    log.complain("framework/session.go:1", "Something is wrong")
    log.noise(PANIC)
    result = read(Run(Story(log), ["allocate"], 2, b"", Outcome.PANICKED))
    assert [error.message for error in result.errors] == ["Something is wrong"]
    assert "idle_gpus.go:60" in result.message
