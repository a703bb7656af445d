"""What a change would bring, for a person."""

from collections.abc import Iterator, Sequence

from kai_snapshot.api.comparisondocument import BesideBaseline, Difference
from kai_snapshot.api.result import JobOutcome, QueueResult, QueueShare, ReplayResult
from kai_snapshot.api.whatif import WhatIf
from kai_snapshot.cli import output
from kai_snapshot.cli.samples_page import often

SHOWN = 20
"""Of each kind."""


def text(document: WhatIf) -> str:
    """What was changed; how much of everything there is before and after; what differs, by name."""
    before, after = document.before, document.after
    lines = [*after.adaptations, "", output.table(_counts(before, after))]
    beside = document.comparison.versions[-1].baseline
    if beside is not None:
        for part in (*_tables(document, beside), *_lists(beside)):
            lines += ["", *part] if part else []
        lines += ["", *_chance(document, beside)]
    lines += [f"not modelled: {each}" for each in after.unmodelled]
    lines += [f"approximate: {each}" for each in after.approximate]
    return "".join(f"{line}\n" for line in lines)


def _counts(before: ReplayResult, after: ReplayResult) -> list[tuple[str, str, str]]:
    rows = [("", "BEFORE", "AFTER")]
    if not before.outcome == after.outcome == "Succeeded":
        rows.append(("outcome", before.outcome, after.outcome))
    counted = [(len(each.placements), len(each.evictions), len(each.pipelined)) for each in (before, after)]
    rows += [
        (name, str(a), str(b)) for name, a, b in zip(("pods bound", "evicted", "pipelined"), *counted, strict=True)
    ]
    for outcome in JobOutcome:
        a, b = (sum(job.outcome is outcome for job in each.pod_groups) for each in (before, after))
        if a or b:
            rows.append((f"jobs {outcome}", str(a), str(b)))
    return rows


def _tables(document: WhatIf, beside: BesideBaseline) -> Iterator[list[str]]:
    """Jobs, those without a place first, then queues and places."""
    before, after = document.before, document.after
    runs = after.runs.count if after.runs is not None else 1
    why = {each.name: each.message for each in after.waiting}
    jobs = [
        (*_sides(each, runs), why.get(each.name, "") if JobOutcome.UNSCHEDULABLE in each.version else "")
        for each in sorted(beside.job_outcomes.differing, key=lambda each: JobOutcome.UNSCHEDULABLE not in each.version)
    ]
    yield _table(("JOB", "BEFORE", "AFTER", "WHY"), jobs)
    yield _table(("QUEUE", "RESOURCE", "QUOTA", "LIMIT", "FAIR SHARE", "ALLOCATED"), list(_queues(before, after)))
    yield _table(("POD BOUND", "BEFORE", "AFTER"), [_sides(each, runs) for each in beside.placements.differing])


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [output.table([columns, *rows[:SHOWN]]), *_more(len(rows))] if rows else []


def _lists(beside: BesideBaseline) -> Iterator[list[str]]:
    for what, found in (("evicted", beside.evictions), ("pipelined", beside.pipelined)):
        sides = {
            "after": [each.name for each in found.differing if each.version],
            "before": [each.name for each in found.differing if each.baseline],
        }
        for when, pods in sides.items():
            if pods:
                yield [f"{what} only {when}: {', '.join(pods[:SHOWN])}", *_more(len(pods))]


def _more(count: int) -> list[str]:
    return [f"and {count - SHOWN} more; -o json has them all"] if count > SHOWN else []


def _sides(each: Difference, runs: int) -> tuple[str, str, str]:
    return each.name, often(each.baseline, runs) or "-", often(each.version, runs) or "-"


def _queues(before: ReplayResult, after: ReplayResult) -> Iterator[tuple[str, ...]]:
    """Of which a figure is another, all figures."""
    was, now = ({each.name: each for each in result.queues} for result in (before, after))
    for name in sorted(was.keys() | now.keys()):
        for resource in ("gpu", "cpu", "memory"):
            a, b = (_share(queues.get(name), resource) for queues in (was, now))
            if a != b:
                yield name, resource, *(x if x == y else f"{x} -> {y}" for x, y in zip(a, b, strict=True))


def _share(queue: QueueResult | None, resource: str) -> tuple[str, ...]:
    if queue is None:
        return ("-",) * 4
    share: QueueShare = getattr(queue.resources, resource)
    return tuple(
        "unlimited" if figure is None else f"{figure:g}"
        for figure in (share.deserved, share.limit, share.fair_share, share.allocated)
    )


def _chance(document: WhatIf, beside: BesideBaseline) -> Iterator[str]:
    varying = sum(len(each.varying) for each in beside.kinds.values())
    if not beside.differing:
        yield "nothing that is certain is decided otherwise" if varying else "the same is decided"
    elif document.after.runs is None:
        yield "one simulation cannot tell what follows from the change from what is chance: --samples 10"
    if varying:
        yield f"{varying} more vary between simulations; -o json names them"
    if beside.expected_by_chance is not None and beside.expected_by_chance >= 0.5:
        yield f"of {beside.differing} differences chance may give {beside.expected_by_chance:g}: more samples tell"
