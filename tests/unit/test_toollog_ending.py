"""The outcome of a run: exit code, log and summary together, because exit code 0 alone proves nothing."""

import io
from typing import Any

import pytest

from kai_snapshot import toollog
from kai_snapshot.api.result import Outcome, ReplayResult
from support.toollogs import Log

BOTH = ["allocate", "reclaim"]


def whole(version: tuple[int, int, int] = (0, 17, 0), verbosity: int = 4) -> Log:
    """A run of allocate and reclaim to the end."""
    log = Log(version, verbosity)
    log.open({})
    for action in BOTH:
        log.enter(action)
        log.leave(12)
    log.end()
    return log


def stopped() -> Log:
    """A run that is in reclaim."""
    log = Log((0, 17, 0))
    log.open({})
    log.enter("allocate")
    log.leave(12)
    log.enter("reclaim")
    return log


def fatal(message: str, *, opened: bool = False) -> Log:
    log = Log((0, 17, 0))
    if opened:
        log.open({})
    log.entry(0, "snapshot-tool/main.go:71", f"{message}%!(EXTRA *errors.errorString={message})", "FATAL")
    return log


def panicked() -> Log:
    log = stopped()
    log.panic()
    return log


def read(log: Log, **given: Any) -> ReplayResult:
    known = {
        "stdout": log.summary(),
        "exit_code": 0,
        "configured_actions": BOTH,
        "tool_version": "v{}.{}.{}".format(*log.version),
    }
    return toollog.read(io.BytesIO(log.text()), **{**known, **given})


CASES = {
    "every action left, and named in the summary": (whole(), {}, Outcome.SUCCEEDED, ""),
    "a version without summary": (whole((0, 14, 0)), {}, Outcome.SUCCEEDED, ""),
    "exit code unknown": (whole(), {"exit_code": None}, Outcome.SUCCEEDED, ""),
    "stdout not kept": (whole(), {"stdout": None}, Outcome.SUCCEEDED, ""),
    "actions unknown": (whole(), {"configured_actions": None}, Outcome.SUCCEEDED, ""),
    "version unknown": (whole(), {"tool_version": None}, Outcome.SUCCEEDED, ""),
    "noise around the summary": (whole(), {"stdout": b"x\n" + whole().summary() + b"Failed\n"}, Outcome.SUCCEEDED, ""),
    "the deadline passed, but the tool had ended": (whole(), {"deadline_exceeded": True}, Outcome.SUCCEEDED, ""),
    "a quiet log, the summary names all": (whole(verbosity=0), {}, Outcome.SUCCEEDED, ""),
    "a quiet log, no summary": (whole((0, 14, 0), verbosity=0), {}, Outcome.INCOMPLETE, "verbosity of 2"),
    "no summary where one is due": (whole(), {"stdout": b""}, Outcome.INCOMPLETE, "summary lacks allocate, reclaim"),
    "no summary where the log says one is due": (
        whole(),
        {"stdout": b"", "tool_version": "main"},
        Outcome.INCOMPLETE,
        "summary lacks",
    ),
    "a summary cut off": (whole(), {"stdout": whole().summary()[:-9]}, Outcome.INCOMPLETE, "summary lacks"),
    "an action never entered": (
        whole(),
        {"configured_actions": [*BOTH, "preempt"]},
        Outcome.INCOMPLETE,
        "did not run preempt",
    ),
    "an action never left": (stopped(), {}, Outcome.INCOMPLETE, "did not run reclaim"),
    "an unknown action": (
        Log((0, 17, 0)),
        {
            "configured_actions": ["allocate", "defragment"],
            "stdout": b'{"total_duration_ms":1,"action_durations_ms":{}}',
        },
        Outcome.INCOMPLETE,
        "did not run allocate, defragment. An action that it does not know makes it run none.",
    ),
    "a comma too many": (
        Log((0, 17, 0)),
        {"configured_actions": ["allocate", ""], "stdout": b'{"total_duration_ms":1,"action_durations_ms":{}}'},
        Outcome.INCOMPLETE,
        'did not run allocate, "". An action that it does not know makes it run none.',
    ),
    "no action configured": (Log((0, 17, 0)), {"configured_actions": []}, Outcome.INCOMPLETE, "did not run any action"),
    "an empty log": (Log((0, 9, 0)), {}, Outcome.INCOMPLETE, "Nothing says"),
    "killed at the deadline": (
        stopped(),
        {"exit_code": 137, "deadline_exceeded": True},
        Outcome.DEADLINE_EXCEEDED,
        "in reclaim",
    ),
    "gone at the deadline": (
        stopped(),
        {"exit_code": None, "deadline_exceeded": True},
        Outcome.DEADLINE_EXCEEDED,
        "in reclaim",
    ),
    "killed before the deadline": (stopped(), {"exit_code": 137}, Outcome.OOM_KILLED, "in reclaim"),
    "a panic": (
        panicked(),
        {"exit_code": 2, "stdout": b""},
        Outcome.PANICKED,
        "in reclaim: panic: runtime error: invalid memory",
    ),
    "a panic, exit code unknown": (panicked(), {"exit_code": None}, Outcome.PANICKED, "in reclaim"),
    "exit code 2 without a panic": (
        Log((0, 17, 0)),
        {"exit_code": 2},
        Outcome.FAILED,
        "exit code 2: its log says nothing",
    ),
    "another exit code": (stopped(), {"exit_code": 1}, Outcome.FAILED, "exit code 1 in reclaim"),
    "an error when the session opens": (fatal("no nodes", opened=True), {"exit_code": 1}, Outcome.FAILED, "no nodes"),
    "an archive that is not there": (
        fatal("open x.zip: no such file or directory"),
        {"exit_code": 1},
        Outcome.FAILED,
        "open x.zip",
    ),
    "an archive of another format": (
        fatal("json: cannot unmarshal string into Go struct field"),
        {"exit_code": 1},
        Outcome.INCOMPATIBLE_SNAPSHOT,
        "cannot read the archive: json: cannot unmarshal",
    ),
    "not an archive": (
        fatal("zip: not a valid zip file"),
        {"exit_code": None},
        Outcome.INCOMPATIBLE_SNAPSHOT,
        "not a valid zip",
    ),
}


@pytest.mark.parametrize(("log", "given", "outcome", "words"), CASES.values(), ids=CASES)
def test_outcome(log: Log, given: dict[str, Any], outcome: Outcome, words: str) -> None:
    result = read(log, **given)
    assert result.outcome is outcome
    assert words in result.message
    assert bool(result.message) is (outcome is not Outcome.SUCCEEDED)


def test_last_words_stand_there_once() -> None:
    result = read(fatal("zip: not a valid zip file"), exit_code=1)
    assert result.message.endswith("cannot read the archive: zip: not a valid zip file")
    assert [error.message for error in result.errors] == ["zip: not a valid zip file"]


@pytest.mark.parametrize("root", ["/local", "github.com/kai-scheduler/KAI-scheduler"])
def test_a_panic_in_a_dependency_is_laid_at_the_line_that_called_it(root: str) -> None:
    log = stopped()
    log.noise(
        "panic: boom\n\ngoroutine 1 [running]:\n"
        "k8s.io/apimachinery/pkg/api/resource.MustParse(...)\n"
        "\t/go/pkg/mod/k8s.io/apimachinery@v0.35.4/pkg/api/resource/quantity.go:141\n"
        f"main.main()\n\t{root}/pkg/scheduler/api/node_info.go:47 +0x1c\n"
    )
    assert read(log, exit_code=2).message.endswith("panic: boom (pkg/scheduler/api/node_info.go:47)")


def test_a_usage_text_is_the_reason_of_a_failure() -> None:
    log = Log((0, 17, 0))
    log.noise("flag provided but not defined: -verbos\nUsage of /workspace/app:\n  -verbosity int\n")
    assert "-verbosity int" in read(log, exit_code=2).message


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0s", 0),
        ("68.978µs", 0),
        ("510.5us", 0),
        ("999ns", 0),
        ("10.345726ms", 10),
        ("1.5s", 1500),
        ("4m38.2s", 278_200),
        ("1h0m0.5s", 3_600_500),
    ],
)
def test_go_durations_are_cut_to_whole_milliseconds(text: str, milliseconds: int) -> None:
    log = Log((0, 17, 0))
    log.entry(2, "snapshot-tool/main.go:131", f"Action <allocate> completed in {text}")
    log.entry(2, "snapshot-tool/main.go:149", f"Snapshot tool run completed in {text}")
    durations = read(log, stdout=None).durations_ms
    assert (durations.actions, durations.total) == ({"allocate": milliseconds}, milliseconds)


@pytest.mark.parametrize("text", ["", "soon", "1.5", "1.5s and more", "9" * 400 + "s"])
def test_what_is_no_go_duration_is_passed_over(text: str) -> None:
    log = Log((0, 17, 0))
    log.entry(2, "snapshot-tool/main.go:149", f"Snapshot tool run completed in {text}")
    assert read(log, stdout=None).durations_ms.total is None


def test_times_are_taken_from_the_messages_where_nothing_else_says_them() -> None:
    durations = read(whole((0, 9, 0))).durations_ms
    assert (durations.actions, durations.total) == ({"allocate": 12, "reclaim": 12}, 24)


def test_the_summary_goes_before_the_log() -> None:
    printed = b'{"total_duration_ms": 7, "action_durations_ms": {"reclaim": 5, "allocate": 1}}'
    durations = read(whole(), stdout=printed).durations_ms
    assert (list(durations.actions.items()), durations.total) == ([("allocate", 1), ("reclaim", 5)], 7)
