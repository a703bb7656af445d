"""A result as a page for a person."""

from collections import Counter

from kai_snapshot.api.result import JobOutcome, ReplayResult
from kai_snapshot.cli.waiting_text import waiting_lines


def page(result: ReplayResult) -> str:
    """The outcome, how much of everything there is, the jobs, why jobs wait, the errors, and what not to rely on."""
    outcomes = Counter(job.outcome for job in result.pod_groups)
    times = ", ".join(f"{action} {ms} ms" for action, ms in result.durations_ms.actions.items())
    lines = [
        f"{result.outcome}{': ' if result.message else ''}{result.message}",
        f"pods:   {len(result.placements)} bound, {len(result.evictions)} evicted, {len(result.pipelined)} pipelined",
        f"jobs:   {', '.join(f'{count} {outcome}' for outcome, count in outcomes.most_common()) or 'none tried'}",
        f"times:  {times or 'no action ran to its end'}",
    ]
    if result.engine.name == "SnapshotTool":
        lines.append(f"log:    {result.error_count} errors, {result.warning_count} warnings")
    explained = {job.name for job in result.waiting}
    lines += [
        f"  {job.outcome:<14} {job.name}{f': {job.reason}' if job.reason else ''}"
        for job in result.pod_groups
        if job.outcome is not JobOutcome.UNSCHEDULABLE or job.name not in explained
    ]
    lines += waiting_lines(result.waiting)
    lines += [f"  {error.count} x {error.source} {error.message}" for error in (*result.errors, *result.warnings)]
    lines += [f"not modelled: {each}" for each in result.unmodelled]
    lines += [f"approximate: {each}" for each in result.approximate]
    return "".join(f"{line}\n" for line in lines)
