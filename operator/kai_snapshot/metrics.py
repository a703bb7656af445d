"""The operator's metrics, names and help texts in one place; the only user of prometheus_client.

Gauges of an object are set from its status whenever that is looked at, also after a restart, and go with the object.
"""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.process_collector import ProcessCollector

from kai_snapshot.api.conditions import LAST_CAPTURE_SUCCEEDED, READY, STALLED, Condition
from kai_snapshot.api.environmentdocument import CollectorReport, EnvironmentDocument
from kai_snapshot.api.environmentspec import EnvironmentStatus
from kai_snapshot.api.snapshotcapture import SnapshotCapture, SnapshotCaptureStatus
from kai_snapshot.api.snapshotreplay import SnapshotReplayStatus
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.schedule import Timetable, interval, jitter

logger = logging.getLogger(__name__)

_VERDICTS: Final = (Reason.EXPECTATIONS_MET, Reason.EXPECTATIONS_NOT_MET)
_SILENCE_SECONDS: Final = 10
"""A client that says nothing for so long gives its thread back."""
_BUCKETS: Final = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


def _say_what_failed(_request: object, client_address: tuple[str, int]) -> None:
    """In a line: a client that goes away, or says nothing, is no news."""
    logger.info("a client of the metrics at %s was not served: %s", client_address[0], sys.exception())


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._gauges = {
            name: Gauge(f"kai_snapshot_capture_{name}", text, ["namespace", "name"], registry=self.registry)
            for name, text in {
                "last_success_timestamp_seconds": "When the last successful run was over; absent before the first.",
                "next_schedule_timestamp_seconds": "When the next run starts by schedule.",
                "schedule_interval_seconds": "From the run before to the next, by schedule.",
                "consecutive_failures": "Failed runs since the last success.",
                "suspended": "1 while the schedule is suspended.",
                "ready": "1 if the condition Ready is True.",
                "archives": "Archives in the storage, as counted after the last success.",
                "archive_bytes": "Their size together.",
                "environment_nodes": "Nodes whose environment is recorded beside the newest archive that has one.",
                "environment_failed_nodes": "Nodes that are to be recorded there, and have no document.",
                "environment_drift_changes": "What changed there since the environment before.",
            }.items()
        }
        self._leader = Gauge(
            "leader_election_master_status",  # as client-go calls it, so that dashboards of other controllers fit
            "1 in the replica that holds the Lease, 0 in one that stands by.",
            ["name"],
            registry=self.registry,
        )
        self._problem = Gauge(
            "kai_snapshot_capture_problem",
            "1 while the last run has failed, or none can start, for that reason.",
            ["namespace", "name", "reason"],
            registry=self.registry,
        )
        self._problems: dict[tuple[str, str], str] = {}
        self._runs = Counter(
            "kai_snapshot_capture_runs",
            "Runs that are over, by outcome and reason.",
            ["namespace", "name", "outcome", "reason"],
            registry=self.registry,
        )
        self._missed = Counter(
            "kai_snapshot_capture_missed_schedules",
            "Looks at which scheduled runs had been missed.",
            ["namespace", "name"],
            registry=self.registry,
        )
        self._run_seconds = Histogram(
            "kai_snapshot_capture_run_duration_seconds",
            "How long a try of a run took.",
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._replays = Counter(
            "kai_snapshot_replays_finished", "Replays that are over, by outcome.", ["outcome"], registry=self.registry
        )
        self._gates = Counter(
            "kai_snapshot_replay_gates",
            "Replays with expectations that are over, by verdict: ExpectationsMet or ExpectationsNotMet.",
            ["verdict"],
            registry=self.registry,
        )
        # What is there from the start as 0 is seen to rise when it first happens.
        for outcome in (Reason.SUCCEEDED, Reason.PARTIALLY_FAILED, Reason.FAILED):
            self._replays.labels(outcome)
        for verdict in _VERDICTS:
            self._gates.labels(verdict)
        self._versions = Counter(
            "kai_snapshot_replay_versions", "Versions replayed, by outcome.", ["outcome"], registry=self.registry
        )
        self._looks = Counter("kai_snapshot_reconciles", "Looks at an object.", ["kind"], registry=self.registry)
        self._depth = Gauge(
            "kai_snapshot_workqueue_depth",
            "Objects to look at now, those that are being looked at included.",
            ["queue"],
            registry=self.registry,
        )
        self._errors = Counter(
            "kai_snapshot_reconcile_errors",
            "Looks at an object that failed and are repeated, by reason.",
            ["kind", "reason"],
            registry=self.registry,
        )

        self._certificate_ends = Gauge(
            "kai_snapshot_transfer_certificate_expiration_timestamp_seconds",
            "When the certificate that the transfer endpoint serves is good no more.",
            registry=self.registry,
        )
        self._environment = EnvironmentMetrics(self.registry)

    def serve(self, port: int, *, ready: Callable[[], bool]) -> None:
        """Serves /metrics in threads, and /readyz for the kubelet: a replica that stands by has no other server."""
        server, _ = start_http_server(port, registry=self.registry)
        server.RequestHandlerClass.timeout = _SILENCE_SECONDS  # type: ignore[attr-defined]  # socketserver's
        server.handle_error = _say_what_failed  # type: ignore[method-assign,assignment]
        metrics = server.get_app()

        def answer(environ: Any, start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] != "/readyz":
                return metrics(environ, start_response)  # type: ignore[misc]
            start_response("200 OK" if ready() else "503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"ok\n" if ready() else b"neither leads nor follows one that leads\n"]

        server.set_app(answer)

    def leads(self, lease: str, leads: Callable[[], bool]) -> None:
        """Says whether this process holds the Lease, as often as it is asked."""
        self._leader.labels(lease).set_function(lambda: float(leads()))

    def capture_seen(self, capture: SnapshotCapture, status: SnapshotCaptureStatus) -> None:
        """Sets the gauges of a capture."""
        conditions = {each.type: each for each in status.conditions}
        values: dict[str, float | None] = {
            "last_success_timestamp_seconds": _seconds(status.last_successful_time),
            "next_schedule_timestamp_seconds": _seconds(status.next_schedule_time),
            "schedule_interval_seconds": _interval(capture, status),
            "consecutive_failures": status.consecutive_failures,
            "suspended": float(capture.spec.suspend),
            "ready": float(READY in conditions and conditions[READY].status == "True"),
            "archives": status.archives.count if status.archives else None,
            "archive_bytes": status.archives.bytes if status.archives else None,
            **_environment(status.environment),
        }
        labels = (capture.metadata.namespace, capture.metadata.name)
        for name, value in values.items():
            if value is not None:
                self._gauges[name].labels(*labels).set(value)
            else:
                self._gauges[name].remove(*labels)
        self._set_problem(labels, _problem(conditions))

    def _set_problem(self, labels: tuple[str, str], reason: str | None) -> None:
        before = self._problems.pop(labels, None)
        if before not in (None, reason):
            self._problem.remove(*labels, before)
        if reason is not None:
            self._problems[labels] = reason
            self._problem.labels(*labels, reason).set(1)

    def capture_gone(self, namespace: str, name: str) -> None:
        """Removes what is counted and set by the capture's name."""
        self._set_problem((namespace, name), None)
        for metric in (*self._gauges.values(), self._runs, self._missed):
            metric.remove_by_labels({"namespace": namespace, "name": name})

    def run_over(self, capture: SnapshotCapture, *, outcome: str, reason: str, seconds: float) -> None:
        """Counts a run."""
        self._runs.labels(capture.metadata.namespace, capture.metadata.name, outcome, reason).inc()
        self._run_seconds.observe(seconds)

    def schedule_missed(self, capture: SnapshotCapture) -> None:
        """Counts a look at which scheduled runs had been missed."""
        self._missed.labels(capture.metadata.namespace, capture.metadata.name).inc()

    def replay_seen(self, before: SnapshotReplayStatus, after: SnapshotReplayStatus) -> None:
        """Counts what is new in a replay's status."""
        if after.outcome is not None and before.outcome is None:
            self._replays.labels(after.outcome).inc()
            ready = next((each.reason for each in after.conditions if each.type == READY), "")
            if ready in _VERDICTS:
                self._gates.labels(ready).inc()
        known = {result.name: result.outcome for result in before.results}
        for result in after.results:
            if result.outcome not in ("Pending", "Running", known.get(result.name)):
                self._versions.labels(result.outcome).inc()

    def node_recorded(self, document: EnvironmentDocument, reports: Sequence[CollectorReport]) -> None:
        """Takes note of the document of a node, and of how its own collectors ended."""
        self._environment.recorded(document, reports)

    def node_failed(self) -> None:
        """Counts a node without a document."""
        self._environment.collections.labels("error").inc()

    def queue_made(self, name: str, depth: Callable[[], int]) -> None:
        """Tells of a queue; `depth` is called from another thread."""
        self._depth.labels(name).set_function(depth)

    def looked(self, kind: str) -> None:
        """Counts a look at an object, however it ends."""
        self._looks.labels(kind).inc()

    def certificate_served(self, until: datetime) -> None:
        """Says how long the certificate is good that the transfer endpoint serves."""
        self._certificate_ends.set(until.timestamp())

    def look_failed(self, kind: str, reason: str) -> None:
        """Counts a look at an object that failed and will be repeated."""
        self._errors.labels(kind, reason).inc()


class EnvironmentMetrics:
    """What the snapshotter of NVIDIA AICR counts, under its names."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "aicr_snapshot_collection_duration_seconds",
            "How long it took to collect what a node is: as long as its slowest collector.",
            registry=registry,
            buckets=(1, 5, 10, 30, 60, 120, 300),
        )
        self.collections = Counter(
            "aicr_snapshot_collection", "Nodes that were to be recorded, by status.", ["status"], registry=registry
        )
        self._collector_seconds = Histogram(
            "aicr_snapshot_collector_duration_seconds",
            "How long a collector took, or until it was given up.",
            ["collector"],
            registry=registry,
            buckets=(0.1, 0.5, 1, 5, 10, 30),
        )
        self._measurements = Gauge(
            "aicr_snapshot_measurements", "Measurements in the document that came last.", registry=registry
        )

    def recorded(self, document: EnvironmentDocument, reports: Sequence[CollectorReport]) -> None:
        """Takes note of a document."""
        self.collections.labels("success").inc()
        self._measurements.set(len(document.measurements))
        for report in reports:
            self._collector_seconds.labels(report.name).observe(report.duration_seconds)
        self._seconds.observe(max((report.duration_seconds for report in reports), default=0.0))


def _problem(conditions: Mapping[str, Condition]) -> str | None:
    """Why nothing can start, else why the last run failed."""
    stalled, last = conditions.get(STALLED), conditions.get(LAST_CAPTURE_SUCCEEDED)
    if stalled is not None and stalled.status == "True":
        return stalled.reason
    return last.reason if last is not None and last.status == "False" else None


def _interval(capture: SnapshotCapture, status: SnapshotCaptureStatus) -> float | None:
    timing = capture.spec.schedule
    if timing is None or status.next_schedule_time is None:
        return None
    delay = jitter(capture.metadata.uid, timing.jitter_seconds)
    try:
        timetable = Timetable.parse(timing.cron, timing.time_zone)
    except TerminalError:
        return None
    return interval(timetable, status.next_schedule_time - delay).total_seconds()


def _environment(beside: EnvironmentStatus | None) -> dict[str, float | None]:
    """What is known of the newest environment. While one is under way, they stay what they were."""
    if beside is not None and beside.outcome == "Running":
        return {}
    nodes = beside.nodes if beside is not None else None
    drift = beside.drift if beside is not None else None
    return {
        "environment_nodes": nodes.captured if nodes is not None else None,
        "environment_failed_nodes": nodes.failed if nodes is not None else None,
        "environment_drift_changes": drift.changes if drift is not None else None,
    }


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None
