"""Jobs that wait, as text for the person who asks why: by reason, a line for each job with what would help."""

from collections import Counter
from collections.abc import Iterator, Sequence

from kai_snapshot.api.waiting import Need, NeedKind, WaitingJob


def waiting_lines(waiting: Sequence[WaitingJob]) -> Iterator[str]:
    """How many wait for what, the most first, and then the jobs."""
    for reason, count in Counter(each.reason for each in waiting).most_common():
        yield f"waiting, {reason}: {count} job{'' if count == 1 else 's'}"
        for job in waiting:
            if job.reason is reason:
                pods = f"{job.pods} pod{'' if job.pods == 1 else 's'}"
                yield f"  {job.name} ({job.queue or 'no queue'}, {pods}): {job.message}{_help(job.needs)}"


def _help(needs: Sequence[Need]) -> str:
    return f" It would help to {'; and to '.join(_text(need) for need in needs)}." if needs else ""


def _text(need: Need) -> str:
    number = f"{need.amount or 0:,.3f}".rstrip("0").rstrip(".")
    unit = need.unit or need.resource
    of = f" of {need.resource}" if need.unit in _OF_SPACE else ""
    return _TEXTS[need.what].format(
        amount=f"{number} {unit.removesuffix('s') if number == '1' else unit}{of}",
        node=need.node or "several nodes",
        queue=need.queue or "that the PodGroup is to name",
        name=need.name,
        subgroup=f" of subgroup {need.name}" if need.name else "",
        held=f" (held by {', '.join(need.holders)})" if need.holders else "",
    )


_OF_SPACE = ("GB", "bytes")
_TEXTS = {
    NeedKind.FREE: "free {amount} on {node}{held}",
    NeedKind.LIMIT: "raise the limit of {queue} by {amount}",
    NeedKind.QUOTA: "raise the quota of {queue} by {amount}",
    NeedKind.PODS: "create {amount} more{subgroup}",
    NeedKind.GATES: "lift the scheduling gates of {amount}{subgroup}",
    NeedKind.LABEL: "label {node} {name}",
    NeedKind.TOLERATION: "tolerate {name} of {node}",
    NeedKind.NODE: "make {node} ready",
    NeedKind.CONFIG_MAP: "create the ConfigMap {name}",
    NeedKind.LARGER_NODE: "ask for less than {amount} in a pod, or add a node that has it",
    NeedKind.QUEUE: "have the queue {queue}, or name another",
}
