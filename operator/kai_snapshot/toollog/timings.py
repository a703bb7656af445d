"""How long the actions took, from the best source a version offers, and which of them ran to their end."""

import re
from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, TypeAdapter, ValidationError

from kai_snapshot.api.result import MOST_ACTIONS, ActionName, Count, Durations
from kai_snapshot.toollog.line import source_of, time_of

_UNIT_MS = {"h": 3_600_000.0, "m": 60_000.0, "s": 1_000.0, "ms": 1.0, "µs": 1e-3, "μs": 1e-3, "us": 1e-3, "ns": 1e-6}
_GO_PART = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)(h|ms|m|s|µs|μs|us|ns)")
_GO_DURATION = re.compile(rf"(?:{_GO_PART.pattern})+|0")
_COUNT: TypeAdapter[int] = TypeAdapter(Count)
_ACTION_NAME: TypeAdapter[str] = TypeAdapter(ActionName)
_SUMMARY = re.compile(rb"\{.*\}", re.DOTALL)


class Summary(BaseModel):
    """What the tool prints on stdout from v0.14.1 on: milliseconds, whole ones."""

    total_duration_ms: Count
    action_durations_ms: dict[ActionName, Count]


def summary(stdout: bytes) -> Summary | None:
    """The summary among whatever else stands on stdout, None if there is none or it is cut off."""
    json = _SUMMARY.search(stdout)
    if json is None:
        return None
    try:
        return Summary.model_validate_json(json[0])
    except ValidationError:
        return None


class Timings:
    """Which actions a log enters and leaves, and when."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        """Actions in the order in which they were entered."""
        self.left: set[str] = set()
        """Actions that ran to their end."""
        self.opened = False
        """Whether the log says that a session was opened, as it does from verbosity 2 on."""
        self.completed = False
        """Whether the log has `completed in` lines: such versions print a summary too."""
        self._opened_at = b""
        self._left_at = b""
        self._entered_at: dict[str, bytes] = {}
        self._by_time: dict[str, int] = {}
        self._by_line: dict[str, int] = {}
        self._total_by_line: int | None = None

    def open(self, _: bytes, raw: bytes) -> None:
        """`Taking cluster snapshot ...`"""
        self.opened = True
        self._opened_at = time_of(raw)

    def enter(self, rest: bytes, raw: bytes) -> None:
        """`Enter <Action> ...`"""
        action = _action(rest)
        self.opened = True
        if action not in self.entered:
            self.entered.append(action)
        self._entered_at[action] = time_of(raw)

    def leave(self, rest: bytes, raw: bytes) -> None:
        """`Leaving <Action> ...`, which is deferred: a panic logs it on its way out, in the name of the Go runtime."""
        if source_of(raw).startswith(b"runtime/"):
            return
        action = _action(rest)
        self.left.add(action)
        self._left_at = time_of(raw)
        took = _elapsed(self._entered_at.get(action, b""), self._left_at)
        if took is not None:
            self._by_time[action] = self._by_time.get(action, 0) + took

    def complete(self, rest: bytes, _: bytes) -> None:
        """`Action <a> completed in 12.3ms` (v0.14.1)"""
        action, took = rest.split(b"> completed in ")
        self._by_line[_ACTION_NAME.validate_python(action.decode(errors="replace"))] = go_milliseconds(took.decode())
        self.completed = True

    def end(self, rest: bytes, _: bytes) -> None:
        """`Snapshot tool run completed in 1.2s` (v0.14.1)"""
        self._total_by_line = go_milliseconds(rest.decode())
        self.completed = True

    def durations(self, printed: Summary | None, last: bytes) -> Durations:
        """From the summary, else from `completed in` lines, else from messages' times, `last` that of the last."""
        if printed is not None:
            return Durations(total=printed.total_duration_ms, actions=self._ordered(printed.action_durations_ms))
        total = self._total_by_line
        if total is None:
            total = _elapsed(
                self._opened_at, self._left_at if self.entered and self.left.issuperset(self.entered) else last
            )
        return Durations(total=total, actions=self._ordered({**self._by_time, **self._by_line}))

    def _ordered(self, durations: Mapping[str, int]) -> dict[str, int]:
        """As the actions ran; the summary is sorted by name."""
        ran = [action for action in self.entered if action in durations]
        named = [*ran, *sorted(set(durations).difference(ran))]
        return {action: durations[action] for action in named[:MOST_ACTIONS]}


def go_milliseconds(text: str) -> int:
    """Whole milliseconds of a duration as Go prints it: `1m2.5s`, `510.5µs`. Raises ValueError if it is not one."""
    if _GO_DURATION.fullmatch(text) is None:
        raise ValueError(f"not a duration: {text[:80]!r}")
    return _COUNT.validate_python(int(sum(float(number) * _UNIT_MS[unit] for number, unit in _GO_PART.findall(text))))


def _action(rest: bytes) -> str:
    name, dots, _ = rest.partition(b" ...")
    if not dots or not name.isalpha():
        raise ValueError("not an action")
    return _ACTION_NAME.validate_python(name.decode().lower())


def _elapsed(start: bytes, end: bytes) -> int | None:
    try:
        took = datetime.fromisoformat(end.decode()) - datetime.fromisoformat(start.decode())
    except (ValueError, TypeError):
        return None
    return max(0, round(took.total_seconds() * 1000))
