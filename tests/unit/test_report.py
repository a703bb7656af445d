"""`kai-snapshot report`: one file, which holds all it needs and runs nothing else."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot import compare
from kai_snapshot.cli.app import app
from kai_snapshot.views.decided import overlay
from kai_snapshot.web.report import ROWS_SHOWN, report
from support.replayed import VERSIONS
from support.results import recorded
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
    groups = [job(f"j{i:04}") for i in range(ROWS_SHOWN + 10)]
    pods = [pod(f"p{i}", "n", job=f"j{i:04}") for i in range(10)]
    text = report(views(nodes=[node()], podGroups=groups, pods=pods))
    assert "1,000 of 1,010, those that wait first" in text
    assert "ns/j1009" in text
    assert "ns/j0000<" not in text


class TestResults:
    """Results of the archive, alone and with it."""

    @pytest.fixture
    def results(self, tmp_path: Path) -> list[Path]:
        paths = [tmp_path / f"{version}.json" for version in VERSIONS]
        for path, version in zip(paths, VERSIONS, strict=True):
            path.write_text(recorded("10-gang+running", version).model_dump_json(by_alias=True))
        return paths

    @pytest.fixture
    def comparison(self, tmp_path: Path) -> Path:
        found = [compare.findings(recorded("14-gang+elastic+running+prio", each), name=each) for each in VERSIONS]
        path = tmp_path / "comparison.json"
        path.write_text(json.dumps(compare.compare(found[0], found).dump()))
        return path

    def written(self, tmp_path: Path, *files: Path) -> str:
        done = run(*files, "--html", tmp_path / "a.html")
        assert done.exit_code == 0, done.stderr
        text = (tmp_path / "a.html").read_text()
        ids = re.findall(r' id="([^"]+)"', text)
        assert len(ids) == len(set(ids))
        assert set(re.findall(r'(?:href|data-nodes|data-page)="#([^"]+)"', text)) <= set(ids)
        assert set(re.findall(r'aria-labelledby="([^"]+)"', text)) <= set(ids)
        assert not re.search(r'(?:src|href|action)="(?!#)', text)
        return text

    def test_with_the_archive_each_version_has_its_map(self, tmp_path: Path, results: list[Path]) -> None:
        text = self.written(tmp_path, ARCHIVE, *results)
        assert text.count('class="map"') == len(VERSIONS) + 1
        for number, version in enumerate(VERSIONS, start=1):
            assert f"Before and after, at <bdi>{version}</bdi>" in text
            embedded = re.search(rf'id="nodes-document-{number}">(.*?)</script>', text, re.DOTALL)
            assert embedded is not None
            laid = overlay(views_of(ARCHIVE), recorded("10-gang+running", version))
            changing = [each.dump() for each in laid.nodes if any(slot.after is not None for slot in each.gpu_slots)]
            assert json.loads(embedded[1]) == changing

    def test_without_it_there_are_versions_differences_and_decisions(self, tmp_path: Path, results: list[Path]) -> None:
        text = self.written(tmp_path, *results)
        assert 'class="map"' not in text
        assert all(each.pod in text for each in recorded("10-gang+running", VERSIONS[1]).placements)
        assert f"Differences from <bdi>{VERSIONS[0]}</bdi>" in text

    def test_a_comparison_tells_how_versions_differ(self, tmp_path: Path, comparison: Path) -> None:
        text = self.written(tmp_path, comparison)
        assert "16 elements differ" in text
        assert "Decisions" not in text

    def test_two_archives_are_refused(self, tmp_path: Path) -> None:
        done = run(ARCHIVE, ARCHIVE, "--html", tmp_path / "a.html")
        assert (done.exit_code, "give one archive" in done.stderr) == (2, True)

    def test_without_the_archive_the_simulator_cannot_say_why_jobs_wait(
        self, tmp_path: Path, results: list[Path]
    ) -> None:
        done = run(*results, "--why", "--html", tmp_path / "a.html")
        assert (done.exit_code, "--why" in done.stderr) == (2, True)

    def test_what_is_no_result_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "r.json").write_text("{}")
        done = run(tmp_path / "r.json", "--html", tmp_path / "a.html")
        assert "InvalidResult" in done.stderr
        assert not (tmp_path / "a.html").exists()


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
