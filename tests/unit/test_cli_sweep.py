"""`kai-snapshot sweep` as scripts and people use it."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
OVER_QUOTA = CORPUS / "mini" / "15-nonpreemptible_over_quota.zip"
BUSY = CORPUS / "10-gang+running" / "snapshot.zip"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["sweep", *map(str, arguments)])


def test_a_person_sees_what_was_tried_and_the_change_to_make() -> None:
    done = run(OVER_QUOTA, "--job", "a/np3")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "QUOTA    RUNS   OUTCOME         EVICTED",
        "2 to 3   no     Unschedulable   0",
        "4        yes    Allocated       0",
        "",
        "a/np3 runs if queue a has a quota of 4 GPUs, not 2",
        "more than that may not do: other jobs may come first then",
        "the change, for --patch and prepare.patches:",
        "- target: {kind: Queue, name: a}",
        "  patch: '[{op: add, path: /spec/resources/gpu/quota, value: 4}]'",
    ]


def test_the_change_can_be_given_to_simulate(tmp_path: Path) -> None:
    done = run(BUSY, "--job", "research-0/serve-0027")
    (tmp_path / "quota.yaml").write_text(done.stdout.partition("prepare.patches:\n")[2])
    simulated = CliRunner().invoke(
        app, ["simulate", str(BUSY), "--patch", str(tmp_path / "quota.yaml"), "--job", "research-0/serve-0027"]
    )
    assert "\nafter\nresearch-0/serve-0027: Reclaimed\n" in simulated.stdout


def test_a_script_gets_everything() -> None:
    done = run(OVER_QUOTA, "--job", "a/np3", "-o", "json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["schemaVersion"]) == (0, "kai-snapshot.io/quota-sweep/v1")
    assert (document["present"], document["smallest"], document["unit"], document["found"]) == (2, 4, "GPUs", True)
    assert [each["quota"] for each in document["tried"]] == [2, 3, 4]
    assert document["archive"]["name"] == OVER_QUOTA.name


def test_that_no_quota_does_is_a_bad_finding_with_its_reason() -> None:
    done = run(CORPUS / "mini" / "18-reclaim_basic.zip", "--job", "a/a3")
    assert done.exit_code == 1
    assert "a/a3 does not run with more quota: queue a has 2 GPUs, and was given up to 3\n" in done.stdout
    assert re.search(r"^why, with 3: No node has 1 GPU free", done.stdout, re.MULTILINE)


def test_that_it_does_not_lack_quota_is_said() -> None:
    unlimited = run(BUSY, "--job", "prod-0/serve-0044", "--resource", "memory")
    limited = run(CORPUS / "mini" / "17-queue_without_resources.zip", "--job", "top/j")
    assert (unlimited.exit_code, limited.exit_code) == (1, 1)
    assert "the quota of queue prod-0 is unlimited: it does not lack quota" in unlimited.stdout
    assert (
        "as much as its jobs ask for or there is: it does not lack quota\nwhy, with 0: Queue top has" in limited.stdout
    )


def test_that_it_runs_already_is_said() -> None:
    assert "a/np1 runs with the quota that queue a has: 2 GPUs" in run(OVER_QUOTA, "--job", "a/np1").stdout


def test_queues_above_that_are_in_the_way_are_said_and_can_be_raised(tmp_path: Path) -> None:
    bound = tmp_path / "bound.yaml"
    bound.write_text(
        "- target: {kind: Queue, name: top}\n  patch: '[{op: add, path: /spec/resources/gpu/quota, value: 2}]'"
    )
    done = run(OVER_QUOTA, "--job", "a/np3", "--patch", bound)
    assert done.exit_code == 1
    assert "it does if the queues above get as much more: --raise-parents\n" in done.stdout
    raised = run(OVER_QUOTA, "--job", "a/np3", "--patch", bound, "--raise-parents")
    assert raised.exit_code == 0
    assert "- target: {kind: Queue, name: top}\n" in raised.stdout


def test_a_job_that_is_not_there_is_wrong_usage() -> None:
    done = run(OVER_QUOTA, "--job", "a/nobody")
    assert (done.exit_code, "InvalidSpec: the snapshot has no job (PodGroup) a/nobody" in done.stderr) == (2, True)


def test_a_node_fewer_can_be_asked_about_too(tmp_path: Path) -> None:
    fewer = tmp_path / "fewer.yaml"
    fewer.write_text("- target: {kind: Node, name: h100-0003}\n  patch: '[{op: remove, path: \"\"}]'\n")
    done = run(BUSY, "--job", "research-0/serve-0027", "--patch", fewer)
    assert done.stdout.startswith(
        "patch 1: Node h100-0003 is removed; pods that ran on it and wait for a place again: 2\n"
    )
