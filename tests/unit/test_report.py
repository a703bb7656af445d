"""`kai-snapshot report`: one file, which holds all it needs and runs nothing else."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app
from kai_snapshot.web.report import JOBS_SHOWN, report
from support.simulated import CORPUS
from support.viewed import documents, job, node, pod, queue, views, views_of

ARCHIVE = CORPUS / "10-gang+running" / "snapshot.zip"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_it_is_one_file_with_everything_in_it(tmp_path: Path) -> None:
    done = run(ARCHIVE, "--html", tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text()
    found = views_of(ARCHIVE)
    assert (done.exit_code, done.stdout.startswith(f"{tmp_path}/a.html: ")) == (0, True)
    assert not re.search(r'(?:src|href|action)="(?!#)', text)
    assert all(f"{each.namespace}/{each.name}" in text for each in found.jobs)
    embedded = re.search(r'id="nodes-document">(.*?)</script>', text, re.DOTALL)
    assert embedded is not None
    assert json.loads(embedded[1]) == documents(found)["nodes"]


def test_its_policy_lets_only_run_what_we_put_there() -> None:
    text = report(views_of(ARCHIVE))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for tag in ("style", 'script type="module"'):
        content = text.partition(f"<{tag}>")[2].partition(f"</{tag.split()[0]}>")[0]
        assert f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'" in policy[1].replace("&#39;", "'")


def test_a_name_cannot_end_what_holds_it() -> None:
    name = "</script><script>alert(1)</script>"
    found = views(
        nodes=[node(name)], queues=[queue(name)], podGroups=[job(name, name)], pods=[pod(name, name, gpus=1, job=name)]
    )
    assert report(found).count("<script") == report(views(nodes=[node()])).count("<script") == 2


def test_of_many_jobs_those_that_wait_are_shown() -> None:
    groups = [job(f"j{i:04}") for i in range(JOBS_SHOWN + 10)]
    pods = [pod(f"p{i}", "n", job=f"j{i:04}") for i in range(10)]
    text = report(views(nodes=[node()], podGroups=groups, pods=pods))
    assert "1,000 of 1,010, those that wait first" in text
    assert "ns/j1009" in text
    assert "ns/j0000<" not in text


@pytest.mark.parametrize(("content", "code", "says"), [(b"no", 1, "NotAZip"), (None, 2, "ARCHIVE")])
def test_what_is_no_archive_is_said_and_nothing_is_written(
    tmp_path: Path, content: bytes | None, code: int, says: str
) -> None:
    if content is not None:
        (tmp_path / "a.zip").write_bytes(content)
    done = run(tmp_path / "a.zip", "--html", tmp_path / "a.html")
    assert done.exit_code == code
    assert says in done.stderr
    assert not (tmp_path / "a.html").exists()
