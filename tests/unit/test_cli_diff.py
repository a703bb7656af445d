"""`kai-snapshot diff` as people use it."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app
from support.simulated import write
from support.stored import archive
from support.viewed import job, node, pod, queue


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["diff", *map(str, arguments)])


def snapshot(path: Path, *, nodes: int, where: str) -> Path:
    """A small cluster, with a pod on that node."""
    lists = {
        "nodes": [node(f"n{i}") for i in range(nodes)],
        "queues": [queue()],
        "podGroups": [job()],
        "pods": [pod("p", where, gpus=1)],
    }
    config = {"actions": "allocate", "tiers": []}
    return write({"config": config, "schedulerParams": {}, "rawObjects": lists}, path)


def test_it_tells_what_changed(tmp_path: Path) -> None:
    before = snapshot(tmp_path / "a.zip", nodes=2, where="n0")
    after = snapshot(tmp_path / "b.zip", nodes=3, where="n1")
    found = run(before, after)
    assert found.exit_code == 0
    assert "nodes: 1 added, 0 removed, 0 changed\n  + n2\n" in found.stdout
    assert "pods: 0 added, 0 removed, 1 on another node\n  ~ ns/p: n0 -> n1\n" in found.stdout


def test_long_lists_are_cut_for_people_and_whole_for_scripts() -> None:
    text, document = run(archive("10"), archive("11")), run(archive("10"), archive("11"), "-o", "json")
    assert "and 82 more; -o json has them all" in text.stdout
    assert len(json.loads(document.stdout)["jobs"]["added"]) == 102


def test_that_nothing_changed_is_said() -> None:
    assert "nothing changed" in run(archive("10"), archive("10")).stdout


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("no")
    found = run(archive("10"), tmp_path / "a.zip")
    assert found.exit_code == 1
    assert "NotAZip" in found.stderr
