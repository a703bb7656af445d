"""Looks at this machine: collectors side by side, each with its own time, none of which can hold up the others."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kai_snapshot.api.environmentdocument import CollectorReport, CollectorStatus, Measurement
from kai_snapshot.collectors import gpu, system, systemd
from kai_snapshot.collectors.host import CollectorError, Host

TIMEOUT_SECONDS: Final = 10.0
"""Of one collector, as in aicr."""
_OF_IT: Final = 0.7
"""The share of its time that a collector gives to what may hang, so that it can still say what else it has."""
Collector = Callable[[], Measurement]


@dataclass(frozen=True)
class Outcome:
    """What came of a collector."""

    report: CollectorReport
    measurement: Measurement | None = None


def of_node(host: Host, *, units: Sequence[str], timeout_seconds: float = TIMEOUT_SECONDS) -> Mapping[str, Collector]:
    """The collectors that look at a machine, by name."""
    patience = timeout_seconds * _OF_IT
    return {
        "gpu": lambda: gpu.collect(host, timeout_seconds=patience),
        "os": lambda: system.collect(host),
        "systemd": lambda: systemd.collect(host, units, timeout_seconds=patience),
    }


class Running:
    """Collectors at work, each in a thread of its own.

    A read of /proc, or a driver, can hang where no signal reaches. So the threads are daemons, and nobody waits for one
    beyond its time: the process ends without it. An executor would join them, and a child process in their place could
    not be killed either. Where such a thread keeps even the process from being reaped, the document has been handed
    over by then, and the Job's own deadline ends the pod.
    """

    def __init__(self, collectors: Mapping[str, Collector], *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout = timeout_seconds
        self._end = time.monotonic() + timeout_seconds
        self._workers = [_Worker(name, collector) for name, collector in collectors.items()]
        for worker in self._workers:
            worker.start()

    def outcomes(self) -> Iterator[Outcome]:
        """What came of each collector, when all are done or their time is over."""
        for worker in self._workers:
            worker.join(max(0.0, self._end - time.monotonic()))
            yield worker.outcome(self._timeout)


class _Worker(threading.Thread):
    """What the collector is not expected to raise is a fault of this program: its traceback goes to standard error."""

    def __init__(self, name: str, collector: Collector) -> None:
        super().__init__(name=name, daemon=True)
        self._collector = collector
        self._measurement: Measurement | None = None
        self._message = "a fault in this program, the log has the details"
        self._seconds = 0.0

    def run(self) -> None:
        started = time.monotonic()
        try:
            self._measurement = self._collector()
        except CollectorError as error:
            self._message = str(error)
        except OSError as error:
            self._message = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
        finally:
            self._seconds = time.monotonic() - started

    def outcome(self, timeout_seconds: float) -> Outcome:
        """To be asked when it is done, or given up."""
        if self.is_alive():
            message = f"it took longer than {timeout_seconds:g} s"
            return Outcome(self._report(CollectorStatus.TIMED_OUT, timeout_seconds, message))
        if self._measurement is None:
            return Outcome(self._report(CollectorStatus.FAILED, self._seconds, self._message))
        lacks = "; ".join(each.lacks for each in self._measurement.subtypes if each.lacks is not None)
        return Outcome(self._report(CollectorStatus.SUCCEEDED, self._seconds, lacks or None), self._measurement)

    def _report(self, status: CollectorStatus, seconds: float, message: str | None = None) -> CollectorReport:
        return CollectorReport(name=self.name, status=status, duration_seconds=round(seconds, 3), message=message)
