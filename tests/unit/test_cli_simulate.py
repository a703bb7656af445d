"""`kai-snapshot simulate` as scripts and people use it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app

CORPUS = Path(__file__).parents[1] / "data" / "corpus"


def a_manifest(**changes: Any) -> dict[str, Any]:
    return {
        "schemaVersion": "kai-snapshot.io/manifest/v1",
        "id": "20261122T120000Z",
        "archive": "20261122T120000Z-01234567.zip",
        "capture": {"namespace": "kai-snapshots", "name": "hourly"},
        "sha256": "0" * 64,
        "sizeBytes": 1,
        "uncompressedBytes": 1,
        "scheduledFor": "2026-11-22T12:00:00Z",
        "capturedAt": "2026-11-22T12:00:00Z",
        "trigger": "Schedule",
        **changes,
    }


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def test_json_is_a_result_as_the_tool_gives_it() -> None:
    done = run(CORPUS / "10-gang+running" / "snapshot.zip", "-o", "json")
    document = json.loads(done.stdout)
    known = json.loads((CORPUS / "10-gang+running" / "v0.17.0.expected.json").read_bytes())
    assert (done.exit_code, document["engine"]["name"], document["outcome"]) == (0, "Simulator", "Succeeded")
    assert {each["pod"]: each["node"] for each in document["placements"]} == known["bound"]
    assert sorted(each["pod"] for each in document["evictions"]) == sorted(known["evicted"])
    assert document["approximate"]


def test_a_seed_gives_the_same_again() -> None:
    archive = CORPUS / "12-gang+fraction+running" / "snapshot.zip"
    first, second = (json.loads(run(archive, "--seed", 7, "-o", "json").stdout) for _ in range(2))
    assert {**first, "durationsMs": None} == {**second, "durationsMs": None}


def test_text_says_what_to_be_careful_with() -> None:
    done = run(CORPUS / "10-gang+running" / "snapshot.zip")
    assert done.stdout.startswith("Succeeded\npods:   22 bound, 13 evicted, 26 pipelined\n")
    assert "approximate: whom `reclaim` evicts" in done.stdout
    assert "log:" not in done.stdout


@pytest.mark.parametrize(
    ("case", "code", "says"),
    [("22-unknown-action", 1, "Incomplete"), ("21-config-null", 1, "ConfigNull")],
)
def test_what_cannot_be_simulated_is_said(case: str, code: int, says: str) -> None:
    done = run(CORPUS / case / "snapshot.zip")
    assert done.exit_code == code
    assert says in done.output


BUSY = CORPUS / "10-gang+running" / "snapshot.zip"
QUOTA = (
    "- target: {kind: Queue, name: research-0}\n  patch: '[{op: add, path: /spec/resources/gpu/quota, value: 29}]'\n"
)


@pytest.fixture
def patch(tmp_path: Path) -> Path:
    """With which research-0/serve-0027 runs."""
    path = tmp_path / "quota.yaml"
    path.write_text(QUOTA)
    return path


class TestWhatIf:
    def test_json_has_both_results_and_what_differs(self, patch: Path) -> None:
        done = run(BUSY, "--patch", patch, "-o", "json")
        document = json.loads(done.stdout)
        plain = json.loads(run(BUSY, "-o", "json").stdout)
        assert (done.exit_code, document["schemaVersion"]) == (0, "kai-snapshot.io/what-if/v1")
        assert {**document["before"], "durationsMs": None} == {**plain, "durationsMs": None}
        assert document["after"]["adaptations"] == [
            "patch 1: Queue research-0 is changed: add /spec/resources/gpu/quota"
        ]
        after = document["comparison"]["versions"][1]["baseline"]
        changed = {each["name"]: each for each in after["jobOutcomes"]["differing"]}
        assert changed["research-0/serve-0027"]["version"] == {"Reclaimed": 1}

    def test_text_shows_the_jobs_that_change_and_why(self, patch: Path) -> None:
        done = run(BUSY, "--patch", patch)
        assert done.exit_code == 0
        assert done.stdout.startswith("patch 1: Queue research-0 is changed: add /spec/resources/gpu/quota\n\n")
        jobs = done.stdout.partition("JOB ")[2].partition("\n\n")[0]
        assert re.search(r"^research-0/serve-0027 +Unschedulable +Reclaimed$", jobs, re.MULTILINE)
        assert re.search(r"^research-0 +gpu +28 -> 29 +unlimited +28 -> 29 ", done.stdout, re.MULTILINE)
        assert "one simulation cannot tell" in done.stdout

    def test_samples_tell_what_follows_from_what_is_chance(self, patch: Path) -> None:
        done = run(BUSY, "--patch", patch, "--samples", 2)
        assert done.exit_code == 0
        assert "one simulation cannot tell" not in done.stdout

    def test_the_same_is_said_to_be_the_same(self, tmp_path: Path) -> None:
        (tmp_path / "same.yaml").write_text(QUOTA.replace("29", "28"))
        assert "the same is decided" in run(BUSY, "--patch", tmp_path / "same.yaml").stdout

    def test_a_patch_that_does_not_fit_is_wrong_usage(self, tmp_path: Path) -> None:
        (tmp_path / "nobody.yaml").write_text(QUOTA.replace("research-0", "nobody"))
        done = run(BUSY, "--patch", tmp_path / "nobody.yaml")
        assert (done.exit_code, "PatchFailed: patch 1 (Queue nobody)" in done.stderr) == (2, True)


class TestOneJob:
    def test_says_why_it_waits_and_what_would_help(self) -> None:
        done = run(CORPUS / "mini" / "15-nonpreemptible_over_quota.zip", "--job", "a/np3")
        assert done.stdout.startswith("a/np3: Unschedulable\nwaiting, NonPreemptibleOverQuota: 1 job\n")
        assert "raise the quota of a by 2 GPUs" in done.stdout

    def test_beside_what_becomes_of_it_with_patches(self, patch: Path) -> None:
        done = run(BUSY, "--job", "research-0/serve-0027", "--patch", patch)
        before, _, after = done.stdout.partition("\nafter\n")
        assert before.startswith("before\nresearch-0/serve-0027: Unschedulable\n")
        assert after.startswith("research-0/serve-0027: Reclaimed\n")

    def test_that_does_not_wait_is_said(self) -> None:
        done = run(CORPUS / "mini" / "15-nonpreemptible_over_quota.zip", "--job", "a/np1")
        assert done.stdout == "a/np1: Allocated\nno pod of it waits\n"

    @pytest.mark.parametrize("arguments", [["--job", "a/nobody"], ["--job", "research-0/serve-0027", "-o", "json"]])
    def test_that_cannot_be_shown_is_wrong_usage(self, arguments: list[str]) -> None:
        assert run(BUSY, *arguments).exit_code == 2


class TestSamples:
    CASE = CORPUS / "04-gang+selector" / "snapshot.zip"

    def test_json_has_how_often_each_element_came(self) -> None:
        runs = json.loads(run(self.CASE, "--samples", 3, "-o", "json").stdout)["runs"]
        assert (runs["count"], runs["distinct"]) == (3, 3)
        assert set(runs["frequencies"]) == {"placements", "evictions", "pipelined", "podGroups"}

    def test_text_has_what_varies(self) -> None:
        done = run(self.CASE, "--samples", 3)
        assert "3 simulations, 3 different results: this is the most typical; of 3 came\n" in done.stdout
        assert re.search(
            r"^  job \S+ +(Reclaimed|Unschedulable) 2, (Unschedulable|Reclaimed) 1$", done.stdout, re.MULTILINE
        )
        assert re.search(r"^and \d+ more that vary; -o json has them all$", done.stdout, re.MULTILINE)

    def test_that_all_agree_are_said_to(self) -> None:
        done = run(CORPUS / "mini" / "15-nonpreemptible_over_quota.zip", "--samples", 3)
        assert done.stdout.endswith("3 simulations, all with this result\n")

    def test_exclude_a_seed(self) -> None:
        done = run(self.CASE, "--samples", 3, "--seed", 1)
        assert (done.exit_code, "--seed asks for one" in done.stderr) == (2, True)


class TestTime:
    STALE = CORPUS / "mini" / "24-stale_gang.zip"

    def test_is_that_of_the_capture_unless_given(self) -> None:
        then, now = run(self.STALE, "-o", "json"), run(self.STALE, "-o", "json", "--now", "2026-11-22T12:39:00Z")
        evicted = [[each["pod"] for each in json.loads(done.stdout)["evictions"]] for done in (then, now)]
        assert evicted[0] != evicted[1]

    def test_needs_a_zone(self) -> None:
        assert run(self.STALE, "--now", "2026-11-22T12:39:00").exit_code == 2


class TestConfiguration:
    NULL, OLD = CORPUS / "21-config-null" / "snapshot.zip", CORPUS / "23-pre-v0.16-config" / "snapshot.zip"

    def test_that_is_null_is_taken_from_the_manifest(self, tmp_path: Path) -> None:
        config = {"actions": "allocate", "tiers": [{"plugins": [{"name": "predicates"}, {"name": "proportion"}]}]}
        manifest = a_manifest(config=config, healed=True, capturedAt="2026-11-22T12:00:00Z")
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        done = run(self.NULL, "--manifest", tmp_path / "manifest.json", "-o", "json")
        document = json.loads(done.stdout)
        assert (done.exit_code, document["outcome"]) == (0, "Succeeded")
        assert document["adaptations"][0].startswith("config: the configuration of the scheduler's ConfigMap is put in")
        assert "--manifest" in run(self.NULL).stderr

    def test_gets_the_plugins_that_are_new_in_the_version_unless_it_is_taken_as_it_is(self) -> None:
        complete, verbatim = run(self.OLD), run(self.OLD, "--config", "Verbatim")
        assert "config: plugin sg-nodelocalgreedy is added" in complete.stdout
        assert "config: plugin" not in verbatim.stdout
        assert ", 0 evicted, " in verbatim.stdout
        assert ", 0 evicted, " not in complete.stdout
