"""What snapshot-tool says, read: its log (stderr), its summary (stdout) and its exit code become a ReplayResult.

Reads the logs of every version from v0.6 to v0.17 in one pass and in memory that grows with what was decided, not with
the log. Placements need verbosity 3, evictions and pipelined pods 4, the reasons and nodes of what found no place 6.
"""

from collections.abc import Sequence

from kai_snapshot.api.result import Engine, ReplayResult
from kai_snapshot.toollog.ending import Evidence, decide
from kai_snapshot.toollog.line import plain, time_of
from kai_snapshot.toollog.names import Names
from kai_snapshot.toollog.reader import Reader
from kai_snapshot.toollog.text import Readable, Text
from kai_snapshot.toollog.timings import summary

__all__ = ["Names", "Readable", "read"]


def read(
    log: Readable,
    *,
    stdout: bytes | None,
    exit_code: int | None,
    configured_actions: Sequence[str] | None,
    tool_version: str | None,
    deadline_exceeded: bool = False,
    names: Names | None = None,
) -> ReplayResult:
    """Reads one run of the tool.

    `log`: its stderr, plain or gzip, open for reading bytes; cut off, damaged or foreign text is read as far as it goes
    and never an error (what `log.read` raises passes through).
    `stdout`: what it printed, None if that was not kept. `exit_code`: None if unknown, 137 for killed.
    `configured_actions`: the names in the archive's `config.actions`; None: whatever the log enters.
    `tool_version`: as `v0.17.0`; says whether a summary is due (from v0.14.1 on); else the log tells.
    `deadline_exceeded`: whether the run was stopped because its time was over, which exit code 137 alone does not say.
    `names`: what an archive can add.

    The image, what the process used and what was changed in the archive are not in the log: `model_copy(update=...)`.
    """
    text = Text(log)
    reader = Reader()
    reader.read(text.lines())
    printed = summary(stdout or b"")
    names = names or Names()
    outcome, message = decide(
        Evidence(
            exit_code=exit_code,
            deadline_exceeded=deadline_exceeded,
            version=tool_version,
            configured=configured_actions,
            entered=reader.timings.entered,
            left=reader.timings.left,
            summary=None if printed is None else printed.action_durations_ms.keys(),
            stdout_known=stdout is not None,
            completed=reader.timings.completed,
            opened=reader.timings.opened,
            panic=reader.crash.summary(),
            fatal=reader.fatal[:500],
            last=plain(reader.last)[:500],
            damaged=text.damaged,
        )
    )
    return ReplayResult(
        engine=Engine(version=tool_version or ""),
        outcome=outcome,
        exit_code=exit_code,
        message=message,
        durations_ms=reader.timings.durations(printed, time_of(reader.message)),
        placements=reader.pods.placements(),
        evictions=reader.pods.evictions(),
        pipelined=reader.pods.pipelined(),
        pod_groups=reader.pod_groups.results(names),
        queues=reader.queues.results(names),
        error_count=reader.errors.count,
        warning_count=reader.warnings.count,
        errors=reader.errors.most_frequent(),
        warnings=reader.warnings.most_frequent(),
    )
