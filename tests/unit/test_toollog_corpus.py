"""Every log of the corpus, real output of the real tool at four versions, reads as an independent reader read it."""

import gzip
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot import toollog
from kai_snapshot.api.result import Outcome, ReplayResult

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
LOGS = sorted(
    expected.with_name(expected.name.replace(".expected.json", ".stderr.gz"))
    for expected in CORPUS.glob("*/v*.expected.json")
)
ALL = ["allocate", "consolidation", "reclaim", "preempt", "stalegangeviction"]


def named(log: Path) -> str:
    return f"{log.parent.name}-{log.name.removesuffix('.stderr.gz')}"


def beside(log: Path, suffix: str) -> bytes:
    return log.with_name(log.name.replace(".stderr.gz", suffix)).read_bytes()


def read(log: Path, **given: Any) -> ReplayResult:
    known: dict[str, Any] = {
        "stdout": beside(log, ".stdout"),
        "exit_code": int(beside(log, ".exit")),
        "configured_actions": ["allocate", "no-such-action"] if log.parent.name.startswith("22") else ALL,
        "tool_version": log.name.removesuffix(".stderr.gz"),
    }
    with log.open("rb") as file:
        return toollog.read(file, **(known | given))


def expected(log: Path) -> Any:
    return json.loads(beside(log, ".expected.json"))


def test_the_corpus_is_there() -> None:
    assert len(LOGS) == 92


@pytest.mark.parametrize("log", LOGS, ids=named)
def test_decisions_are_those_the_log_commits(log: Path) -> None:
    result, known = read(log), expected(log)
    assert {placement.pod: placement.node for placement in result.placements} == known["bound"]
    assert sorted(eviction.pod for eviction in result.evictions) == sorted(known["evicted"])
    assert sorted(pipelined.pod for pipelined in result.pipelined) == sorted(known["pipelined"])
    assert {job.name: job.outcome for job in result.pod_groups} == known["jobs"]


@pytest.mark.parametrize("log", LOGS, ids=named)
def test_gpu_figures_are_those_printed(log: Path) -> None:
    figures = {
        queue.name: {
            "gpuDeserved": queue.resources.gpu.deserved,
            "gpuRequested": queue.resources.gpu.requested,
            "gpuLimit": queue.resources.gpu.limit,
            "gpuAllocated": queue.resources.gpu.allocated,
            "gpuFairShare": queue.resources.gpu.fair_share,
        }
        for queue in read(log).queues
    }
    assert figures == expected(log)["queues"]


@pytest.mark.parametrize("log", LOGS, ids=named)
def test_errors_and_warnings_are_counted_exactly(log: Path) -> None:
    result, known = read(log), expected(log)
    assert (result.error_count, result.warning_count) == (known["errors"], known["warnings"])


@pytest.mark.parametrize("log", LOGS, ids=named)
def test_outcome_follows_from_exit_code_log_and_summary(log: Path) -> None:
    result = read(log)
    if result.exit_code == 2:
        assert result.outcome is Outcome.PANICKED
        assert "nil pointer dereference (pkg/scheduler/" in result.message
    elif log.parent.name == "22-unknown-action":
        assert (result.outcome, result.exit_code) == (Outcome.INCOMPLETE, 0)
        assert "did not run allocate, no-such-action" in result.message
    else:
        assert (result.outcome, result.message) == (Outcome.SUCCEEDED, "")
        assert list(result.durations_ms.actions) == ALL
        assert result.durations_ms.total is not None
        assert sum(result.durations_ms.actions.values()) <= result.durations_ms.total + len(ALL)


@pytest.mark.parametrize("log", LOGS, ids=named)
def test_outcome_is_the_same_without_stdout_exit_code_and_version(log: Path) -> None:
    assert read(log, stdout=None, exit_code=None, tool_version=None).outcome == read(log).outcome


@pytest.mark.parametrize("log", LOGS, ids=named)
def test_a_log_that_lost_its_colours_or_its_gzip_reads_the_same(log: Path) -> None:
    text = gzip.decompress(log.read_bytes())
    colourless = b"".join(
        part if not number else part.partition(b"m")[2] for number, part in enumerate(text.split(b"\x1b["))
    )
    known: dict[str, Any] = {"stdout": None, "exit_code": None, "configured_actions": None, "tool_version": None}
    results = [toollog.read(io.BytesIO(form), **known) for form in (log.read_bytes(), text, colourless)]
    assert results[0] == results[1] == results[2]


def test_evictions_say_which_action_and_which_job_they_are_for() -> None:
    result = read(CORPUS / "13-gang+fraction+running+overq+prio+three" / "v0.17.0.stderr.gz")
    assert Counter((eviction.action, eviction.preemptor) for eviction in result.evictions) == {
        ("reclaim", "prod-0/eval-0070"): 5,
        ("reclaim", "prod-1/prep-0057"): 12,
        ("reclaim", "sandbox-2/serve-0066"): 1,
        ("preempt", "research-1/serve-0043"): 4,
    }


def test_cpu_is_in_cores_memory_in_gigabytes_and_unlimited_is_null() -> None:
    result = read(CORPUS / "13-gang+fraction+running+overq+prio+three" / "v0.17.0.stderr.gz").dump()
    (prod,) = [queue["resources"] for queue in result["queues"] if queue["name"] == "prod"]
    assert prod["cpu"] == {"deserved": None, "requested": 219, "limit": None, "allocated": 88, "fairShare": 219}
    assert prod["memory"] == {
        "deserved": None,
        "requested": 773.094,
        "limit": None,
        "allocated": 498.216,
        "fairShare": 773.094,
    }


def test_fractions_say_their_gpu_groups() -> None:
    result = read(CORPUS / "13-gang+fraction+running+overq+prio+three" / "v0.17.0.stderr.gz")
    groups = {placement.pod: placement.gpu_groups for placement in result.placements}
    assert groups["prod-1/prep-0044-0"] == ("aa6bc512-2814-46ed-99b8-eef6fac069c3",)
    assert groups["prod-0/train-0053-0"] == ()


def test_jobs_say_their_queue() -> None:
    jobs = read(CORPUS / "13-gang+fraction+running+overq+prio+three" / "v0.17.0.stderr.gz").pod_groups
    assert {job.queue for job in jobs} == {job.name.partition("/")[0] for job in jobs}


def test_what_an_archive_knows_of_names_is_put_in() -> None:
    log = CORPUS / "13-gang+fraction+running+overq+prio+three" / "v0.17.0.stderr.gz"
    names = toollog.Names(queue_of={"prod-0/eval-0070": "other"}, queues={"prod-0": "team-prod"})
    result = read(log, names=names)
    queues = {job.name: job.queue for job in result.pod_groups}
    assert (queues["prod-0/eval-0070"], queues["prod-0/train-0053"]) == ("other", "team-prod")
    assert "team-prod" in {queue.name for queue in result.queues}


def test_the_most_frequent_errors_come_with_source_and_count() -> None:
    result = read(CORPUS / "11-gang+running+overq" / "v0.14.7.stderr.gz")
    assert len(result.errors) <= 20
    assert ("framework/framework.go:51", "Failed to get plugin sg-nodelocalgreedy.", 1) in {
        (error.source, error.message, error.count) for error in result.errors
    }
