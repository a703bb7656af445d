"""The message table, and the loop that takes a log's lines through it.

Every text in the table is the same from v0.6 to v0.17 (the misspelt ones too); what differs between versions stands at
the handler. Lines that begin like none of them cost a dictionary look-up.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial

from kai_snapshot.toollog.complaints import Complaints
from kai_snapshot.toollog.crash import Crash
from kai_snapshot.toollog.line import Line, Shape, parse, plain
from kai_snapshot.toollog.podgroups import PodGroups
from kai_snapshot.toollog.pods import Pods
from kai_snapshot.toollog.queues import DIVISION, Queues
from kai_snapshot.toollog.timings import Timings

Handler = Callable[[bytes, bytes], None]
"""Takes what follows a message's beginning, and the whole line."""

_KEY = 5
"""Bytes of a message that the table is looked up by; the shortest beginning in it has as many."""
_LINES_OF_A_MESSAGE = 64
_KLOG = re.compile(rb"[IWEF]\d{4} ")


class Reader:
    """What a log has said so far."""

    def __init__(self) -> None:
        self.pod_groups = PodGroups()
        self.pods = Pods(self.pod_groups)
        self.queues = Queues()
        self.timings = Timings()
        self.errors = Complaints()
        self.warnings = Complaints()
        self.crash = Crash()
        self.fatal = ""
        """What the tool said before it gave up."""
        self.last = b""
        """The last line that is not empty."""
        self._shape = Shape()
        self.message = b""
        """The line in which the last message begins."""
        self._open: list[bytes] = []
        self._close: Callable[[bytes], None] = _ignore
        self._table = _by_key(self.messages())

    def read(self, lines: Iterable[list[bytes]]) -> None:
        """Takes all lines, as `Text.lines` has them."""
        for some in lines:
            self._take(some)
            self.last = next((raw for raw in reversed(some) if raw.strip()), self.last)
        self._close_message()

    def _take(self, lines: list[bytes]) -> None:
        message_at, handlers_of = self._shape.message_at, self._table.get
        for raw in lines:
            start = message_at(raw)
            handlers = handlers_of(raw[start : start + _KEY])
            if start == 0 or (handlers is None and raw.startswith(b"[", start)):
                self._look_closer(raw)
                continue
            self.message = raw
            if self._open:
                self._close_message()
            if handlers is not None:
                self._dispatch(handlers, raw, start)

    def _look_closer(self, raw: bytes) -> None:
        """A line that differs from those before: another level, other names, or no first line of a message at all."""
        line = parse(raw)
        if line is None:
            self._continue(raw)
            return
        self._shape.learn(line)
        self.message = raw
        self._close_message()
        self._complain(line)
        self._dispatch(self._table.get(line.message[:_KEY], ()), raw, len(raw) - len(line.message))

    def _dispatch(self, handlers: Iterable[tuple[bytes, Handler]], raw: bytes, start: int) -> None:
        for beginning, handle in handlers:
            if raw.startswith(beginning, start):
                try:
                    handle(raw[start + len(beginning) :], raw)
                except ValueError:
                    return  # what is cut off says nothing
                return

    def messages(self) -> dict[bytes, Handler]:
        """The message table: what reads a message, by how the message begins."""
        return {
            b"Creating bind request for task <": self.pods.bind,
            b"Failed to bind task <": self.pods.bind_failed,
            b"Evicting task: ": self.pods.evict,
            b"Failed to evict task <": self.pods.evict_failed,
            b"Evicted task: <": self.pods.evict_stale,
            b"Statement pipelined task: <": self.pods.simulate,
            b"Pipelining task: ": self.pods.pipeline,
            b"Attempting to ": self.pod_groups.attempt,
            b"Could not allocate resources for job: <": self.pod_groups.fail,
            b"Succesfully allocated resources for job: <": self.pod_groups.allocate,
            b"Some tasks were pipelined, setting all job to be pipelined for job: <": self.pod_groups.pipeline,
            b"Sucesfully consolidated for job: <": self.pod_groups.consolidate,
            b"Reclaimed resources for job <": self.pod_groups.reclaim,
            b"Successfully preempted for job <": self.pod_groups.preempt,
            b"Job <": self.pod_groups.remark,
            b"setting message for task: ": partial(self._await, self.pod_groups.explain_pod),
            b"Full job fit error: ": partial(self._await, self.pod_groups.explain_job),
            b"Updating pod group scheduling condition for ": self.pod_groups.set_condition,
            DIVISION: self.queues.divided,
            b"Taking cluster snapshot ...": self.timings.open,
            b"Enter ": self.timings.enter,
            b"Leaving ": self.timings.leave,
            b"Action <": self.timings.complete,
            b"Snapshot tool run completed in ": self.timings.end,
        }

    # A message of several lines is known to be whole when the next begins.

    def _await(self, close: Callable[[bytes], None], rest: bytes, _: bytes = b"") -> None:
        self._open, self._close = [rest], close

    def _continue(self, raw: bytes) -> None:
        if self.crash.take(raw) or _KLOG.match(raw):
            self._close_message()
        elif self._open and len(self._open) < _LINES_OF_A_MESSAGE:
            self._open.append(raw)

    def _close_message(self) -> None:
        whole, self._open = b"\n".join(self._open), []
        close, self._close = self._close, _ignore
        close(whole)

    def _complain(self, line: Line) -> None:
        if b"WARN" in line.level:
            self._await(partial(self._warn, line.source), line.message)
        elif b"ERROR" in line.level:
            self._await(partial(self._err, line.source), line.message)
        elif b"FATAL" in line.level:
            self._await(partial(self._give_up, line.source), line.message)

    def _warn(self, source: bytes, message: bytes) -> None:
        self.warnings.add(plain(source), plain(message))

    def _err(self, source: bytes, message: bytes) -> None:
        self.errors.add(plain(source), plain(message))

    def _give_up(self, source: bytes, message: bytes) -> None:
        # the tool takes the error's text for a format and gives it the error once more, in every version
        self.fatal = plain(message).partition("%!(EXTRA ")[0]
        self.errors.add(plain(source), self.fatal)


def _ignore(_: bytes) -> None:
    """Nothing waits for the rest of a message."""


def _by_key(messages: dict[bytes, Handler]) -> dict[bytes, list[tuple[bytes, Handler]]]:
    table: dict[bytes, list[tuple[bytes, Handler]]] = {}
    for beginning, handle in messages.items():
        table.setdefault(beginning[:_KEY], []).append((beginning, handle))
    return table
