"""`kai-snapshot compare` as people and scripts use it."""

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.api.comparisondocument import ComparisonDocument
from kai_snapshot.cli.app import app
from support.results import CORPUS, VERSIONS, recorded, repeated, result

CASE = "13-gang+fraction+running+overq+prio+three"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def write(directory: Path, *documents: Any) -> list[Path]:
    paths = [directory / f"{number}.json" for number in range(len(documents))]
    for path, document in zip(paths, documents, strict=True):
        path.write_text(json.dumps(document))
    return paths


@pytest.fixture
def real(tmp_path: Path) -> list[Path]:
    """What the real tool of four versions made of one archive."""
    return write(tmp_path, *(recorded(CASE, version).dump() for version in VERSIONS))


OLD, NEW = result(version="v0.16.3", evictions=["a/b"]), result(version="v0.17.0", evictions=["a/b"])
ARCHIVE, OTHER = {"name": "incident.zip", "sha256": "1" * 64}, {"name": "other.zip", "sha256": "2" * 64}


class TestExitStatus:
    @pytest.mark.parametrize(
        ("second", "options", "code"),
        [
            (NEW, [], 0),
            (result(evictions=["c/d"]), [], 1),
            (result(outcome="Panicked", evictions=["a/b"]), [], 1),
            (result(evictions=["a/b"], total=400), [], 0),
            (result(evictions=["a/b"], total=400), ["--max-total-slowdown-percent", 25], 1),
            (result(evictions=["a/b"], total=400), ["--max-total-slowdown-percent", 300], 0),
            (result(evictions=["a/b"], actions={"allocate": 300}), ["--max-action-slowdown-percent", 50], 1),
            (NEW, ["--baseline", 2], 0),
            (NEW, ["--baseline", "v0.17.0"], 0),
            (NEW, ["--baseline", 3], 2),
            (NEW, ["--baseline", "v0.18.0"], 2),
            (NEW, ["--max-total-slowdown-percent", 0], 2),
            ({"kind": "Pod"}, [], 3),
        ],
        ids=[
            "alike",
            "another eviction",
            "a crash",
            "slower, and nobody asked",
            "slower than allowed",
            "no slower than allowed",
            "an action slower than allowed",
            "a baseline by number",
            "a baseline by name",
            "no such number",
            "no such name",
            "no limit",
            "no result",
        ],
    )
    def test_it_says_whether_there_is_a_finding(
        self, tmp_path: Path, second: dict[str, Any], options: list[object], code: int
    ) -> None:
        assert run(*write(tmp_path, OLD, second), *options).exit_code == code

    def test_a_limit_that_is_passed_is_named_on_standard_error(self, tmp_path: Path) -> None:
        done = run(*write(tmp_path, OLD, result(evictions=["a/b"], total=400)), "--max-total-slowdown-percent", 25)
        assert done.stderr.startswith("kai-snapshot: ExpectationsNotMet: v0.17.0: total +300% > 25%")

    def test_one_result_cannot_be_compared(self, tmp_path: Path) -> None:
        assert run(*write(tmp_path, OLD)).exit_code == 2

    @pytest.mark.parametrize("content", ["", "{", "[3]", '{"outcome": "Succeeded"}', "\xff"])
    def test_what_is_no_result_is_named(self, tmp_path: Path, content: str) -> None:
        (good,) = write(tmp_path, OLD)
        bad = tmp_path / "bad.json"
        bad.write_bytes(content.encode("latin-1"))
        done = run(good, bad)
        assert (done.exit_code, done.stdout) == (3, "")
        assert done.stderr.startswith(f"kai-snapshot: InvalidResult: {bad}")


class TestDoubts:
    def test_results_of_different_archives_are_compared_with_a_warning(self, tmp_path: Path) -> None:
        done = run(*write(tmp_path, {**OLD, "archive": ARCHIVE}, {**NEW, "archive": OTHER}), "-o", "json")
        assert (done.exit_code, json.loads(done.stdout)["archives"]) == (0, ["1" * 64, "2" * 64])
        assert done.stderr == (
            "kai-snapshot: warning: the results are of 2 different archives: what differs may be theirs\n"
        )

    def test_an_archive_that_they_are_not_of_is_given_with_a_warning(self, tmp_path: Path) -> None:
        paths = write(tmp_path, *({**each, "archive": ARCHIVE} for each in (OLD, NEW)))
        done = run(*paths, "--archive", CORPUS / CASE / "snapshot.zip")
        assert done.stderr.startswith("kai-snapshot: warning: snapshot.zip is not the archive that the results are of")


class TestNames:
    def names(self, *paths: Path) -> list[str]:
        return [version["name"] for version in json.loads(run(*paths, "-o", "json").stdout)["versions"]]

    def test_a_result_is_called_by_the_version_of_its_engine(self, tmp_path: Path) -> None:
        assert self.names(*write(tmp_path, OLD, NEW)) == ["v0.16.3", "v0.17.0"]

    def test_or_by_its_file(self, tmp_path: Path) -> None:
        assert self.names(*write(tmp_path, result(version=""), NEW)) == ["0", "v0.17.0"]

    def test_two_of_the_same_version_are_told_apart(self, tmp_path: Path) -> None:
        assert self.names(*write(tmp_path, NEW, NEW, NEW)) == ["v0.17.0", "v0.17.0 (2)", "v0.17.0 (3)"]

    def test_a_list_holds_several_as_replay_prints_them(self, tmp_path: Path) -> None:
        assert self.names(*write(tmp_path, [OLD, NEW])) == ["v0.16.3", "v0.17.0"]


class TestForms:
    def test_json_is_the_document_and_nothing_else(self, real: list[Path]) -> None:
        done = run(*real, "--baseline", "v0.14.7", "-o", "json")
        document = ComparisonDocument.model_validate_json(done.stdout)
        assert (document.baseline, [version.name for version in document.versions]) == ("v0.14.7", list(VERSIONS))
        assert (document.dump(), done.stderr) == (json.loads(done.stdout), "")

    def test_tsv_has_a_line_for_each_version_under_the_names_of_the_columns(self, real: list[Path]) -> None:
        rows = list(csv.DictReader(io.StringIO(run(*real, "-o", "tsv").stdout), dialect="excel-tab"))
        document = json.loads(run(*real, "-o", "json").stdout)
        assert [row["version"] for row in rows] == list(VERSIONS)
        assert [row["evictionsDiffering"] for row in rows[1:]] == [
            str(len(version["baseline"]["evictions"]["differing"])) for version in document["versions"][1:]
        ]
        assert (rows[0]["totalRatio"], rows[0]["complete"]) == ("", "")
        assert {"reclaimRatio", "totalMs", "expectedByChance"} <= set(rows[0])

    def test_the_table_has_what_differs_and_a_few_examples(self, tmp_path: Path) -> None:
        placed = {"e/f": {"n1": 3}}, {"e/f": {"n2": 3}}
        evicted = {"a/b": 3, "c/d": 2}
        first = repeated(3, version="v0.16.3", placements=placed[0], evictions=evicted, totals=[100] * 3)
        second = repeated(3, version="v0.17.0", placements=placed[1], total=160, totals=[160] * 3)
        lines = run(*write(tmp_path, first, second)).stdout.splitlines()
        assert lines[0].split() == [
            *("VERSION", "OUTCOME", "RUNS", "MS", "TIME", "PLACEMENTS", "EVICTIONS", "PIPELINED", "JOBS", "CHANCE")
        ]
        assert re.split(r" {3,}", lines[1])[4] == "baseline"
        assert re.split(r" {3,}", lines[2])[4:] == ["+60%", "1", "1 (1 varies)", "0", "0", "0.04"]
        assert "  a/b evicted only at v0.16.3" in lines
        assert "  e/f: n1 -> n2" in lines
        assert lines[-1] == "first different from the one before it: v0.17.0"

    def test_the_table_says_how_many_runs_there_were_as_replay_does(self, tmp_path: Path) -> None:
        crashed = repeated(3, version="v0.17.0", outcome="Panicked")
        crashed["runs"] |= {"distinct": 0, "outcomes": {"Panicked": 3}, "frequencies": None}
        gone = {**result(version="v0.18.0", outcome="Failed"), "ran": False}
        lines = run(*write(tmp_path, OLD, crashed, gone)).stdout.splitlines()
        assert [re.split(r" {3,}", line)[2] for line in lines[1:4]] == ["1", "3 (0 distinct)", "0"]

    def test_the_table_says_what_single_runs_cannot_tell(self, tmp_path: Path) -> None:
        text = run(*write(tmp_path, OLD, result(evictions=["c/d"]))).stdout
        assert "a single run cannot tell what differs from what only varies" in text

    @pytest.mark.parametrize(("differing", "remark"), [(1, "of 1 difference"), (2, "of 2 differences")])
    def test_the_table_says_how_many_may_be_chance(self, tmp_path: Path, differing: int, remark: str) -> None:
        varying = {f"a/{number}": 1 for number in range(20)}
        first = repeated(3, evictions=varying | {f"b/{number}": 3 for number in range(differing)})
        lines = run(*write(tmp_path, first, repeated(3, evictions=varying))).stdout.splitlines()
        assert f"  {remark} chance may give 0.67: more repetitions tell" in lines

    def test_nothing_to_say_is_a_table_alone(self, tmp_path: Path) -> None:
        assert len(run(*write(tmp_path, OLD, NEW)).stdout.splitlines()) == 3

    def test_the_table_says_where_totals_are_not_of_the_same(self, real: list[Path]) -> None:
        text = run(*real, "--baseline", "v0.17.0").stdout
        assert text.count("TIME is that of all actions together") == 2


class TestMarkdown:
    def page(self, *arguments: object) -> str:
        return run(*arguments, "-o", "markdown").stdout

    def test_it_names_the_archive_that_the_results_are_of(self, tmp_path: Path) -> None:
        page = self.page(*write(tmp_path, *({**each, "archive": ARCHIVE} for each in (OLD, NEW))))
        assert f"\nArchive: `incident.zip`, SHA-256 `{'1' * 64}`\n" in page

    def test_it_says_that_results_are_of_different_archives(self, tmp_path: Path) -> None:
        page = self.page(*write(tmp_path, {**OLD, "archive": ARCHIVE}, {**NEW, "archive": OTHER}, result(version="x")))
        assert "**The results are of different archives: what differs may be theirs.**" in page
        assert f"- `v0.17.0`: `other.zip`, SHA-256 `{'2' * 64}`" in page
        assert "- `x`: unknown" in page

    def test_it_names_the_archive_that_it_is_given_by_its_checksum(self, real: list[Path]) -> None:
        archive = CORPUS / CASE / "snapshot.zip"
        page = self.page(*real, "--archive", archive)
        assert hashlib.sha256(archive.read_bytes()).hexdigest() in page
        assert "--filename snapshot.zip --verbosity 4" in page

    def test_it_says_of_each_finding_in_which_version_it_shows(self, tmp_path: Path) -> None:
        before = repeated(3, version="v1", placements={"a/b": {"n1": 3}})
        after = repeated(3, version="v2", placements={"a/b": {"n2": 2, "n3": 1}})
        page = self.page(*write(tmp_path, before, after))
        assert "| placement | `a/b` | `n1` | `n2` 2/3, `n3` 1/3 |" in page

    def test_it_has_the_image_to_run_again_and_what_was_changed_before(self, tmp_path: Path) -> None:
        page = self.page(*write(tmp_path, {**OLD, "adaptations": ["added plugin x"]}, NEW))
        assert '-v "$PWD"/snapshot.zip:/snapshot.zip:ro snapshot-tool:v0.17.0 --filename /snapshot.zip' in page
        assert "- `v0.16.3`: `added plugin x`" in page

    def test_it_is_run_again_as_it_was_run(self, tmp_path: Path) -> None:
        old, new = {**OLD, "verbosity": 6}, repeated(5, version="v0.17.0", evictions={"a/b": 5})
        new = {**new, "verbosity": 8, "engine": {"name": "SnapshotTool", "version": "v0.17.0", "image": None}}
        page = self.page(*write(tmp_path, old, new))
        assert "snapshot-tool:v0.16.3 --filename /snapshot.zip --verbosity 6  # 1 run\n" in page
        assert "\nsnapshot-tool --filename snapshot.zip --verbosity 8  # v0.17.0, 5 runs\n" in page

    @pytest.mark.parametrize(("outcome", "said"), [("Succeeded", True), ("Panicked", False)])
    def test_it_says_what_single_runs_cannot_tell_if_they_came_to_their_end(
        self, tmp_path: Path, outcome: str, said: bool
    ) -> None:
        page = self.page(*write(tmp_path, repeated(3, version="v0.16.3"), result(outcome=outcome)))
        assert ("A single run of a version cannot tell" in page) == said

    def test_errors_are_counted_by_version(self, tmp_path: Path) -> None:
        errors = [{"source": "a.go:1", "message": "Failed to evict <a|b>", "count": 7}]
        page = self.page(*write(tmp_path, {**OLD, "errors": errors}, NEW))
        assert "| `Failed to evict <a\\|b>` | 7 | - |" in page

    def test_logs_that_lie_beside_a_result_are_named(self, tmp_path: Path) -> None:
        stored, kept = tmp_path / "0.result.json", tmp_path / "v0.17.0" / "result.json"
        (kept.parent / "run-1").mkdir(parents=True)
        for path, document in ((stored, OLD), (kept, NEW)):
            path.write_text(json.dumps(document))
        logs = tmp_path / "0-a2.log.gz", kept.parent / "run-1" / "stderr.gz"
        for log in logs:
            log.touch()
        page = self.page(stored, kept)
        assert f"- `v0.16.3`: `{logs[0]}`" in page
        assert f"- `v0.17.0`: `{logs[1]}`" in page

    def test_only_logs_of_runs_that_the_result_is_of_are_named(self, tmp_path: Path) -> None:
        for run in range(1, 13):
            (tmp_path / f"run-{run}").mkdir()
            (tmp_path / f"run-{run}" / "stderr.gz").touch()
        (tmp_path / "result.json").write_text(json.dumps(repeated(11, version="v0.17.0")))
        logs = ", ".join(f"`{tmp_path}/run-{run}/stderr.gz`" for run in range(1, 12))
        page = self.page(*write(tmp_path, OLD), tmp_path / "result.json")
        assert f"- `v0.17.0`: {logs} (shown: run 1)\n" in page

    def test_it_says_that_what_a_crashed_version_lacks_may_not_have_been_reached(self, tmp_path: Path) -> None:
        page = self.page(*write(tmp_path, OLD, result(outcome="Panicked")))
        assert "What `v0.17.0` or the baseline lacks may only not have been reached" in page
        assert "| eviction | `a/b` | `Evicted` | - |" in page

    def test_a_version_that_has_no_result_is_in_it_all_the_same(self, tmp_path: Path) -> None:
        page = self.page(*write(tmp_path, OLD, result(outcome="ImagePullFailed")))
        assert "| `v0.17.0` | `snapshot-tool:v0.17.0` | ImagePullFailed |" in page

    @pytest.mark.parametrize("odd", ["a|b", "a\\|b", "a\nb", "a`b", "<script>", "@maintainers", "| - |\n\n# x", "```"])
    def test_whatever_stands_in_names_and_messages_it_stays_a_table(self, tmp_path: Path, odd: str) -> None:
        before = result(version=f"v{odd}", placements={odd: odd, "a/b": "n"}, jobs={odd: "Allocated"})
        errors = [{"source": odd, "message": odd, "count": 1}]
        after = {**result(outcome="Failed"), "message": odd, "errors": errors, "adaptations": [odd]}
        page = self.page(*write(tmp_path, before, after))
        tables = [line for line in page.splitlines() if line.startswith("|")]
        cells = [len(re.findall(r"(?:\\.|[^|\\])+\|", line)) for line in tables]
        assert sorted(set(cells)) == [3, 4, 9]
        assert [line for line in page.splitlines() if line.startswith("```")] == ["```sh", "```"]
        outside = re.sub(r"```sh\n.*?\n```|`[^`\n]*`", "", page, flags=re.DOTALL)
        assert not re.search(r"<script>|@maintainers|^# ", outside, re.MULTILINE)
