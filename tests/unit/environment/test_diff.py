"""What changed, apart from what changes by itself."""

from typing import Any

import pytest

from kai_snapshot.api.environmentdocument import (
    CollectorReport,
    CollectorStatus,
    EnvironmentDocument,
    Measurement,
    Reading,
    Subtype,
)
from kai_snapshot.api.environmentdrift import ChangeKind, Severity
from kai_snapshot.environment.diff import VOLATILE, diff
from kai_snapshot.environment.drift_text import markdown, summary, table
from kai_snapshot.environment.smi import no_answer, no_gpu


def document(type_: str, subtype: str, *, node: str = "n", **more: Any) -> Any:
    def of(**data: Reading) -> EnvironmentDocument:
        return EnvironmentDocument(
            metadata={"source-node": node},
            measurements=(Measurement(type=type_, subtypes=(Subtype(subtype=subtype, data=data),)),),
            **more,
        )

    return of


release = document("OS", "release")


def test_readings_are_added_removed_and_modified() -> None:
    drift = diff(release(ID="debian", VERSION_ID="12", OLD=1), release(ID="debian", VERSION_ID="13", NEW=True))
    assert [(each.kind, each.path, each.baseline, each.target) for each in drift.changes] == [
        (ChangeKind.ADDED, "OS.release.NEW", None, "true"),
        (ChangeKind.REMOVED, "OS.release.OLD", "1", None),
        (ChangeKind.MODIFIED, "OS.release.VERSION_ID", "12", "13"),
    ]
    assert drift.summary.model_dump() == {"added": 1, "removed": 1, "modified": 1, "total": 3}


def test_a_number_is_equal_to_its_text() -> None:
    assert diff(release(a=1, b=True, c=1.0), release(a="1", b="true", c="1")).changes == ()


def test_the_document_says_it_as_aicr_does() -> None:
    drift = diff(release(a=1), release(b=2), baseline_source="a.yaml", target_source="b.yaml")
    assert drift.dump() == {
        "baselineSource": "a.yaml",
        "targetSource": "b.yaml",
        "changes": [
            {"kind": "removed", "severity": "info", "path": "OS.release.a", "baseline": "1"},
            {"kind": "added", "severity": "info", "path": "OS.release.b", "target": "2"},
        ],
        "summary": {"added": 1, "removed": 1, "modified": 0, "total": 2},
        "notCompared": [],
    }


@pytest.mark.parametrize(
    ("type_", "subtype", "key"),
    [
        ("OS", "sysctl", "/proc/sys/kernel/random/uuid"), ("OS", "sysctl", "/proc/sys/fs/file-nr"),
        ("OS", "sysctl", "/proc/sys/fs/dentry-state"), ("SystemD", "kubelet.service", "ActiveEnterTimestamp"),
        ("SystemD", "kubelet.service", "MainPID"), ("SystemD", "kubelet.service", "MemoryCurrent"),
        ("SystemD", "kubelet.service", "CPUUsageNSec"), ("SystemD", "kubelet.service", "InvocationID"),
        ("SystemD", "kubelet.service", "StateChangeTimestampMonotonic"),
        ("OS", "sysctl", "/proc/sys/kernel/hostname"), ("OS", "sysctl", "/proc/sys/kernel/perf_event_max_sample_rate"),
        ("OS", "sysctl", "/proc/sys/kernel/sched_domain/cpu0/domain1/max_newidle_lb_cost"),
    ],
)  # fmt: skip
def test_what_changes_by_itself_is_no_drift(type_: str, subtype: str, key: str) -> None:
    of = document(type_, subtype)
    assert diff(of(**{key: 1}), of(**{key: 2})).changes == ()


@pytest.mark.parametrize(
    ("type_", "subtype", "key", "severity"),
    [
        ("GPU", "smi", "driver", Severity.WARNING), ("OS", "sysctl", "/proc/sys/kernel/osrelease", Severity.WARNING),
        ("SystemD", "kubelet.service", "ActiveState", Severity.WARNING),
        ("K8s", "server", "version", Severity.WARNING),
        ("OS", "sysctl", "/proc/sys/vm/swappiness", Severity.INFO),
        ("SystemD", "kubelet.service", "Restart", Severity.INFO),
    ],
)  # fmt: skip
def test_what_a_scheduler_or_a_job_may_notice_is_a_warning(
    type_: str, subtype: str, key: str, severity: Severity
) -> None:
    of = document(type_, subtype)
    (change,) = diff(of(**{key: 1}), of(**{key: 2})).changes
    assert change.severity is severity


def test_two_nodes_may_have_names_of_their_own() -> None:
    one, other = document("K8s", "node", node="a"), document("K8s", "node", node="b")
    assert diff(one(**{"source-node": "a"}), other(**{"source-node": "b"})).changes == ()
    assert len(diff(one(**{"source-node": "a"}), one(**{"source-node": "b"})).changes) == 1


@pytest.mark.parametrize("status", [CollectorStatus.FAILED, CollectorStatus.TIMED_OUT])
def test_what_could_not_be_found_out_did_not_change(status: CollectorStatus) -> None:
    report = CollectorReport(name="os", status=status, duration_seconds=1)
    without = EnvironmentDocument(measurements=(), collectors=(report,))
    for drift in (diff(release(ID="debian"), without), diff(without, release(ID="debian"))):
        assert drift.changes == ()
        assert drift.not_compared == ("OS",)
        assert summary(drift) == "no changes; not compared: OS"


def test_a_part_that_is_not_complete_is_not_compared_and_the_others_are() -> None:
    def gpu(smi: Subtype, model: str) -> EnvironmentDocument:
        hardware = Subtype(subtype="hardware", data={"model": model})
        return EnvironmentDocument(measurements=(Measurement(type="GPU", subtypes=(smi, hardware)),))

    whole = Subtype(subtype="smi", data={"gpu-count": 8, "driver": "570.133.20"})
    hanging, gone = no_answer("nvidia-smi did not answer within 7 s"), no_gpu("nvidia-smi is not installed")
    for drift in (diff(gpu(whole, "a"), gpu(hanging, "b")), diff(gpu(hanging, "a"), gpu(whole, "b"))):
        assert [change.path for change in drift.changes] == ["GPU.hardware.model"]
        assert drift.not_compared == ("GPU.smi",)
    drift = diff(gpu(whole, "a"), gpu(gone, "a"))
    assert [change.path for change in drift.changes] == ["GPU.smi.driver", "GPU.smi.gpu-count"]
    assert drift.not_compared == ()


def test_the_order_of_what_has_none_is_no_drift() -> None:
    unit = document("SystemD", "kubelet.service")
    before, after = unit(After="[b.slice a.target]", Args="[b a]"), unit(After="[a.target b.slice]", Args="[a b]")
    assert [each.path for each in diff(before, after).changes] == ["SystemD.kubelet.service.Args"]


def test_further_patterns_can_be_ignored() -> None:
    assert diff(release(a=1), release(a=2), ignored=["OS.release.*"]).changes == ()


def test_only_the_first_measurement_of_a_type_is_compared() -> None:
    first, second = release(a=1).measurements[0], release(a=2).measurements[0]
    twice = EnvironmentDocument(measurements=(first, second))
    assert diff(twice, release(a=1)).changes == ()


def test_people_get_a_table_on_single_lines() -> None:
    drift = diff(release(a="1\n2|`3`"), release(a="x" * 100), baseline_source="a", target_source="b")
    assert table(drift)[1] == ("modified", "info", "OS.release.a", "1 2|`3`", "x" * 57 + "...")
    assert markdown(drift).splitlines()[:4] == [
        "**1 change: 0 added, 0 removed, 1 modified**", "", "Baseline `a`, target `b`.", "",
    ]  # fmt: skip
    assert "| modified | info | `OS.release.a` | `1 2\\|'3'` |" in markdown(drift)


def test_no_pattern_of_what_changes_by_itself_is_said_twice() -> None:
    assert len(set(VOLATILE)) == len(VOLATILE)
