"""Why no action tries a job at all: its queue, its pods, or how the scheduler is set up."""

from kai_snapshot.api.waiting import Need, NeedKind, WaitingReason
from kai_snapshot.simulator.allocate import NAME as ALLOCATE
from kai_snapshot.simulator.cluster import Ignored
from kai_snapshot.simulator.halt import Halt
from kai_snapshot.simulator.model import Group, Job, PodSet
from kai_snapshot.simulator.nexttasks import is_ready
from kai_snapshot.simulator.podgroups import DEFAULT_SET
from kai_snapshot.simulator.reasons.words import Why, counted, few
from kai_snapshot.simulator.session import Session
from kai_snapshot.simulator.status import Status

_ONE_GATED = "The pod that waits has scheduling gates."


def why_ignored(group: Ignored) -> Why:
    """Of a PodGroup that the scheduler leaves out."""
    if group.backs_off:
        return Why(
            WaitingReason.SCHEDULING_BACKOFF,
            "The scheduler found no place for it before and leaves it alone, as `spec.schedulingBackoff` says.",
        )
    return Why(WaitingReason.OTHER_NODE_POOL, "It is not of the node pool that this scheduler looks after.")


def why_untried(session: Session, job: Job, halted: Halt | None) -> Why | None:
    """Of a job that is there."""
    return _queue(job) or _pods(job) or _actions(session, halted) or _depth(session, job)


def _queue(job: Job) -> Why | None:
    if job.queue is None:
        need = Need(what=NeedKind.QUEUE, queue=job.queue_name or None)
        name = f"queue {job.queue_name}" if job.queue_name else "queue for it, as it names none"
        text = f"The scheduler has no {name}. It and all queues above it must exist, in the scheduler's node pool."
        return Why(WaitingReason.QUEUE_DOES_NOT_EXIST, text, (need,))
    if job.queue.children:
        below = few(sorted(each.name for each in job.queue.children))
        return Why(
            WaitingReason.QUEUE_NOT_LEAF,
            f"Queue {job.queue.name} has queues below it ({below}), and only queues without any run jobs.",
        )
    return None


def _pods(job: Job) -> Why | None:
    """Pods that are not there, or have gates."""
    if is_ready(job):
        if job.has_pending():
            return None
        gated = _gated(job.root)
        text = f"All {counted(gated, 'pod')} that wait have scheduling gates." if gated > 1 else _ONE_GATED
        return Why(WaitingReason.SCHEDULING_GATED, text, (Need(what=NeedKind.GATES, amount=gated, unit="pods"),))
    short = _short(job.root)
    if not short:
        text = "More subgroups must start together (minSubGroup) than there are."
        return Why(WaitingReason.TOO_FEW_PODS, text)
    lifted = [(part, min(_missing(part), _gated(part))) for part in short]
    needs = [_need(NeedKind.GATES, part, gates) for part, gates in lifted if gates]
    needs += [_need(NeedKind.PODS, part, _missing(part) - gates) for part, gates in lifted if _missing(part) > gates]
    part = next((part for part, gates in lifted if _missing(part) > gates), short[0])
    gated, there = _gated(part), sum(task.status.alive for task in part.tasks)
    of = f" in subgroup {part.name}" if part.name != DEFAULT_SET else ""
    text = f"{counted(part.minimum, 'pod')} must start together{of} (minMember), and there "
    text += f"{'is' if there == 1 else 'are'} {there}{f', {gated} of them with scheduling gates' if gated else ''}."
    few_pods = _missing(part) > gated
    return Why(WaitingReason.TOO_FEW_PODS if few_pods else WaitingReason.SCHEDULING_GATED, text, tuple(needs))


def _need(what: NeedKind, part: PodSet, amount: int) -> Need:
    return Need(what=what, amount=amount, unit="pods", name=part.name if part.name != DEFAULT_SET else None)


def _short(group: Group) -> list[PodSet]:
    """Pod sets that lack pods, so far as the group cannot do without them."""
    found: list[PodSet] = []
    met = 0
    for child in group.children:
        below = _short(child) if isinstance(child, Group) else ([child] if _missing(child) > 0 else [])
        found += below
        met += not below
    return found if met < group.threshold else []


def _missing(part: PodSet) -> int:
    able = sum(task.status.alive and task.status is not Status.GATED for task in part.tasks)
    return max(part.minimum - able, 0)


def _gated(part: Group | PodSet) -> int:
    return sum(task.status is Status.GATED for each in part.sets() for task in each.tasks)


def _actions(session: Session, halted: Halt | None) -> Why | None:
    if halted:
        return Why(WaitingReason.ACTION_NOT_CONFIGURED, halted.of_jobs)
    if ALLOCATE not in session.settings.actions:
        return Why(WaitingReason.ACTION_NOT_CONFIGURED, f"The configured actions are without {ALLOCATE}.")
    return None


def _depth(session: Session, job: Job) -> Why | None:
    depth = session.settings.depth.get(ALLOCATE, 0)
    if not depth or job.name in session.journal.outcomes:
        return None
    return Why(
        WaitingReason.BEYOND_QUEUE_DEPTH,
        f"The scheduler looks at {counted(depth, 'job')} of a queue only (queueDepthPerAction), and others of "
        f"{job.queue_name} come before it.",
    )
