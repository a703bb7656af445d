"""What changed between two environment documents, apart from what changes by itself."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from typing import Final

from kai_snapshot.api.environmentdocument import COLLECTOR_OF, CollectorStatus, EnvironmentDocument
from kai_snapshot.api.environmentdrift import Change, ChangeKind, DriftSummary, EnvironmentDrift, Severity
from kai_snapshot.environment.readings import go_text
from kai_snapshot.environment.text import flat

VOLATILE: Final = (
    "OS.sysctl./proc/sys/fs/aio-nr", "OS.sysctl./proc/sys/fs/dentry-state", "OS.sysctl./proc/sys/fs/file-nr",
    "OS.sysctl./proc/sys/fs/inode-nr", "OS.sysctl./proc/sys/fs/inode-state", "OS.sysctl./proc/sys/fs/quota/*",
    "OS.sysctl./proc/sys/kernel/domainname", "OS.sysctl./proc/sys/kernel/hostname",
    "OS.sysctl./proc/sys/kernel/hung_task_detect_count", "OS.sysctl./proc/sys/kernel/ns_last_pid",
    "OS.sysctl./proc/sys/kernel/perf_event_max_sample_rate", "OS.sysctl./proc/sys/kernel/pty/nr",
    "OS.sysctl./proc/sys/kernel/random/*", "OS.sysctl./proc/sys/kernel/sched_domain/*/max_newidle_lb_cost",
    "OS.sysctl./proc/sys/kernel/tainted",
    "SystemD.*.*Timestamp", "SystemD.*.*TimestampMonotonic", "SystemD.*.*PID", "SystemD.*.*Usage*",
    "SystemD.*.*NSec", "SystemD.*.IOReadBytes", "SystemD.*.IOReadOperations", "SystemD.*.IOWriteBytes",
    "SystemD.*.IOWriteOperations", "SystemD.*.IPEgress*", "SystemD.*.IPIngress*", "SystemD.*.Memory*Available",
    "SystemD.*.MemoryCurrent", "SystemD.*.MemoryPeak", "SystemD.*.MemorySwapCurrent", "SystemD.*.MemorySwapPeak",
    "SystemD.*.MemoryZSwapCurrent", "SystemD.*.MemoryAvailable", "SystemD.*.TasksCurrent", "SystemD.*.InvocationID",
    "SystemD.*.Exec*", "SystemD.*.ControlGroupId", "SystemD.*.EffectiveMemory*", "SystemD.*.EffectiveTasksMax",
    "SystemD.*.NFileDescriptorStore", "SystemD.*.StatusText",
)  # fmt: skip
"""Readings that differ between two looks at one node to which nothing has happened: the one list of them.

A node's name is among them: it is `source-node`, and what the kernel says is, in a pod, the pod's.
"""
UNORDERED: Final = frozenset(
    {
        "After",
        "Before",
        "Conflicts",
        "ConflictedBy",
        "Names",
        "RequiredBy",
        "Requires",
        "TriggeredBy",
        "WantedBy",
        "Wants",
    }
)
"""Properties of units that are sets: systemd lists them in another order each time."""
IDENTITY: Final = ("K8s.node.source-node", "K8s.node.provider-id", "OS.grub.BOOT_IMAGE")
"""Readings that differ between two nodes of one kind; not looked at when two nodes are compared."""
_WARNING: Final = (
    "GPU.*", "K8s.server.version", "K8s.policy.*", "K8s.node.k*", "K8s.node.container-runtime-version",
    "K8s.node.os-image",
    "OS.release.VERSION*", "OS.grub.*", "OS.kmod.nvidia*", "OS.sysctl./proc/sys/kernel/osrelease",
    "SystemD.*.ActiveState", "SystemD.*.LoadState", "SystemD.*.SubState", "SystemD.*.UnitFileState",
    "NodeTopology.taint.*", "NodeTopology.summary.node-count",
)  # fmt: skip


def diff(
    baseline: EnvironmentDocument,
    target: EnvironmentDocument,
    *,
    baseline_source: str = "",
    target_source: str = "",
    ignored: Iterable[str] = (),
) -> EnvironmentDrift:
    """The changes from baseline to target; `ignored` are further patterns of paths, `*` for any text.

    What a collector could not find out, in one document or the other, did not change: it is not compared.
    """
    skipped = [*VOLATILE, *ignored]
    if baseline.source_node and target.source_node and baseline.source_node != target.source_node:
        skipped += IDENTITY
    unknown = sorted(_unknown(baseline) | _unknown(target))
    skip, unknown_ones = _any(skipped), tuple(f"{each}." for each in unknown)
    before, after = _flat(baseline), _flat(target)
    changes = tuple(
        change
        for path in sorted(before.keys() | after.keys())
        if not skip(path) and not path.startswith(unknown_ones)
        for change in _change(path, before.get(path), after.get(path))
    )
    kinds = Counter(change.kind for change in changes)
    return EnvironmentDrift(
        baseline_source=baseline_source,
        target_source=target_source,
        changes=changes,
        summary=DriftSummary(
            added=kinds[ChangeKind.ADDED],
            removed=kinds[ChangeKind.REMOVED],
            modified=kinds[ChangeKind.MODIFIED],
            total=len(changes),
        ),
        not_compared=tuple(unknown),
    )


def _unknown(document: EnvironmentDocument) -> set[str]:
    """The types whose collector failed, and the subtypes, with their type, that are not complete."""
    failed = {report.name for report in document.collectors if report.status is not CollectorStatus.SUCCEEDED}
    types = {str(type_) for type_, collector in COLLECTOR_OF.items() if collector in failed}
    return types | {
        f"{measurement.type}.{each.subtype}"
        for measurement in document.measurements
        if measurement.type not in types
        for each in measurement.subtypes
        if each.lacks is not None
    }


def _flat(document: EnvironmentDocument) -> dict[str, str]:
    """As text, so that a number compares with the same number in quotes: not every writer keeps types."""
    return {path: _comparable(path, go_text(value)) for path, value in flat(document)}


def _comparable(path: str, text: str) -> str:
    if path.startswith("SystemD.") and path.rpartition(".")[2] in UNORDERED and text.startswith("["):
        return f"[{' '.join(sorted(text[1:-1].split()))}]"
    return text


def _change(path: str, before: str | None, after: str | None) -> Iterator[Change]:
    if before == after:
        return
    kind = ChangeKind.MODIFIED
    if before is None or after is None:
        kind = ChangeKind.ADDED if before is None else ChangeKind.REMOVED
    severity = Severity.WARNING if _important(path) else Severity.INFO
    yield Change(kind=kind, severity=severity, path=path, baseline=before, target=after)


def _any(patterns: Iterable[str]) -> Callable[[str], object]:
    """Whether a path fits one of the patterns."""
    return re.compile("|".join(map(translate, patterns)), re.DOTALL).match


_important = _any(_WARNING)
