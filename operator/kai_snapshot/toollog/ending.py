"""How a run ended, from the exit code and what log and stdout prove. Exit code 0 alone proves nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from kai_snapshot.api.result import Outcome
from kai_snapshot.kaiversions import prints_summary, release

_KILLED = 128 + 9
_PANIC = 2


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a run that is over."""

    exit_code: int | None
    """None if unknown."""
    deadline_exceeded: bool
    """Whether whoever ran it saw the deadline pass."""
    version: str | None
    """The tool's, as `v0.17.0`."""
    configured: Sequence[str] | None
    """The archive's actions; None if unknown."""
    entered: Sequence[str]
    """Actions the log enters, in order."""
    left: Collection[str]
    """Actions the log leaves, other than by a panic."""
    summary: Collection[str] | None
    """Actions the summary on stdout names; None if there is none."""
    stdout_known: bool
    """Whether stdout was kept at all."""
    completed: bool
    """Whether the log has the lines that come with the summary."""
    opened: bool
    """Whether the log says that a session was opened, as it does from verbosity 2 on."""
    panic: str
    """What the Go runtime said before it ended the tool; empty if nothing."""
    fatal: str
    """The tool's own last words; empty if none."""
    last: str
    """The last line of the log."""
    damaged: bool
    """Whether the log is cut off or corrupt."""


def decide(evidence: Evidence) -> tuple[Outcome, str]:
    """The outcome, and for a person why it is not Succeeded (at most a few hundred characters)."""
    outcome, message = _violent(evidence) or _failed(evidence) or _incomplete(evidence) or (Outcome.SUCCEEDED, "")
    if message and evidence.damaged:
        message += " The log is cut off or damaged, so what came after is unknown."
    return outcome, message


def _violent(evidence: Evidence) -> tuple[Outcome, str] | None:
    if evidence.deadline_exceeded and evidence.exit_code in (None, _KILLED):
        return Outcome.DEADLINE_EXCEEDED, f"The tool was stopped at its deadline{_where(evidence)}."
    if evidence.exit_code == _KILLED:
        return Outcome.OOM_KILLED, f"The tool was killed{_where(evidence)} before its deadline: it needs more memory."
    if evidence.panic and evidence.exit_code in (None, _PANIC):
        return Outcome.PANICKED, f"The tool crashed{_where(evidence)}: {evidence.panic}"
    return None


def _failed(evidence: Evidence) -> tuple[Outcome, str] | None:
    if not evidence.exit_code and not evidence.fatal:
        return None
    if evidence.fatal and not evidence.opened and not evidence.fatal.startswith("open "):
        return Outcome.INCOMPATIBLE_SNAPSHOT, f"This version of the tool cannot read the archive: {evidence.fatal}"
    code = "" if evidence.exit_code is None else f" with exit code {evidence.exit_code}"
    words = evidence.fatal or evidence.last or "its log says nothing"
    return Outcome.FAILED, f"The tool ended{code}{_where(evidence)}: {words}"


def _incomplete(evidence: Evidence) -> tuple[Outcome, str] | None:
    expected = evidence.entered if evidence.configured is None else evidence.configured
    if not evidence.opened and evidence.summary is None:
        return (
            Outcome.INCOMPLETE,
            "Nothing says which actions ran. The tool needs an archive, and a verbosity of 2 or more.",
        )
    left = evidence.left if evidence.opened else evidence.summary or ()
    missing = [action for action in expected if action not in left]
    if missing or not (expected or left):
        why = " An action that it does not know makes it run none." if missing and not left else ""
        return (
            Outcome.INCOMPLETE,
            f"The tool ended without an error, but did not run {_list(missing) or 'any action'}.{why}",
        )
    if evidence.stdout_known and _summary_is_due(evidence):
        unnamed = [action for action in expected if action not in (evidence.summary or ())]
        if unnamed:
            return Outcome.INCOMPLETE, f"The tool ended without an error, but its summary lacks {_list(unnamed)}."
    return None


def _summary_is_due(evidence: Evidence) -> bool:
    known = release(evidence.version) is not None
    return prints_summary(evidence.version) if known else evidence.completed


def _where(evidence: Evidence) -> str:
    inside = [action for action in evidence.entered if action not in evidence.left]
    return f" in {inside[-1]}" if inside else ""


def _list(actions: Sequence[str]) -> str:
    return ", ".join(action or '""' for action in actions)[:500]
