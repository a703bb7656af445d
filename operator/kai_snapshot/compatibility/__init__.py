"""What a replay of an archive at a version will get wrong or lose, said before anything runs.

Only what follows from what is known, and from what the archive holds: an empty list is no loss, and what the tables of
`kaiversions` do not have - a version, an action, a list - is accused of nothing.
"""

from collections.abc import Iterable, Iterator

from kai_snapshot import kaiversions
from kai_snapshot.api.compatibility import Code, Finding, Severity
from kai_snapshot.compatibility import configuration, objects
from kai_snapshot.compatibility.configuration import Mode
from kai_snapshot.compatibility.facts import SnapshotFacts

__all__ = ["Mode", "SnapshotFacts", "report", "told"]

TOLD = 3


def report(facts: SnapshotFacts, target: str, *, config: Mode) -> tuple[Finding, ...]:
    """All findings about a replay of that archive by the tool of `target`, the worst first.

    `target` is a tag, or any name of an image: one that names no release counts as the newest; empty, nothing is known
    of it. `config` is `prepare.config`: what it mends is not reported as broken.
    """
    if not target:
        return ()
    if facts.problem is not None:
        message = f"The archive is not whole ({facts.problem.reason}), and the tool refuses it: capture it again."
        return (Finding.of(Code.INVALID_ARCHIVE, message),)
    found = (
        *_tool(facts, target),
        *configuration.findings(facts, target, config),
        *objects.findings(facts, target),
    )
    worst_first = list(Code)
    return tuple(sorted(found, key=lambda finding: worst_first.index(finding.code)))


def told(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The few that a status has room for: what makes a result worthless, not what goes without saying."""
    bad = (finding for finding in findings if finding.severity is not Severity.NOTE)
    return tuple(f"{finding.code}: {finding.message}" for finding in bad)[:TOLD]


def _tool(facts: SnapshotFacts, target: str) -> Iterator[Finding]:
    if not kaiversions.within(target, kaiversions.HAS_TOOL):
        message = f"Upstream publishes no snapshot-tool of {target}: take v0.6.0 or later."
        yield Finding.of(Code.NO_TOOL, message)
    captured, release = kaiversions.release(facts.version), kaiversions.release(target)
    if captured is not None and release is not None and captured > release:
        message = (
            f"The snapshot is of {facts.version}: what is new since {target}, in any object, its tool passes "
            "over without a word."
        )
        yield Finding.of(Code.NEWER_SNAPSHOT, message)
