"""`kai-snapshot agreement` as people and scripts use it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.api.agreementdocument import AgreementDocument
from kai_snapshot.cli.app import app
from support.results import CORPUS, ensemble, recorded, repeated, result

CASE, VARYING = "10-gang+running", "12-gang+fraction+running"
ARCHIVE = CORPUS / CASE / "snapshot.zip"
NOW = "2026-11-22T12:39:00Z"
KNOWN = {"name": "snapshot.zip", "sha256": hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()}
OTHER = {"name": "other.zip", "sha256": "2" * 64}
SHIFTED = "clock: all times are moved on by 1:00:00, from the capture (2026-11-22T11:39:00Z) to now"


def run(*arguments: object) -> Result:
    return without_now(*arguments, "--now", NOW)


def without_now(*arguments: object) -> Result:
    asked = ["agreement", *map(str, arguments)]
    return CliRunner().invoke(app, asked, env={"COLUMNS": "500"})  # whatever the length of a path


def write(directory: Path, *documents: Any) -> list[Path]:
    paths = [directory / f"{number}.json" for number in range(len(documents))]
    for path, document in zip(paths, documents, strict=True):
        path.write_text(json.dumps(document))
    return paths


def real(case: str = CASE, **changed: Any) -> dict[str, Any]:
    """What the real tool made of the archive once."""
    return {**recorded(case, "v0.17.0").dump(), **changed}


def twelve_runs(case: str) -> dict[str, Any]:
    """The result of twelve runs of the real tool."""
    known = ensemble(case)
    elements = {"placements": known["bound"], "evictions": known["evicted"]}
    document = repeated(12, **elements, pipelined=known["pipelined"], jobs=known["jobs"])
    return {**document, "queues": real(case)["queues"]}


class TestAnswer:
    def test_json_has_all_by_name(self, tmp_path: Path) -> None:
        done = run(ARCHIVE, *write(tmp_path, real()), "-o", "json")
        document = AgreementDocument.model_validate_json(done.stdout)
        assert (done.exit_code, document.dump()) == (0, json.loads(done.stdout))
        assert (document.archive.sha256, document.tool_runs, document.simulator_runs) == (KNOWN["sha256"], 1, 1)
        assert (document.fair_shares.compared, document.fair_shares.differing) == (18, ())
        assert (document.placements.certain, document.placements.found, document.overlap) == (22, 22, 1.0)
        assert document.approximate

    def test_runs_of_all_results_count_together(self, tmp_path: Path) -> None:
        done = run(ARCHIVE, *write(tmp_path, real(), [twelve_runs(CASE)]), "-o", "json")
        assert json.loads(done.stdout)["toolRuns"] == 13

    def test_text_is_a_table_by_category(self, tmp_path: Path) -> None:
        done = run(CORPUS / VARYING / "snapshot.zip", *write(tmp_path, twelve_runs(VARYING)), "--samples", 3)
        lines = done.stdout.splitlines()
        assert lines[:3] == [
            f"simulator    v0.17.0, 3 runs, at {NOW}",
            "tool         v0.17.0, 12 runs",
            "fair shares  18 of 18 equal",
        ]
        found = {line[:13].strip(): line[13:].split() for line in lines[5:10]}
        assert list(found) == ["placements", "evictions", "pipelined", "job outcomes", "all"]
        assert found["placements"][:3] == ["10", "of", "10"]
        assert float(found["all"][-1]) == pytest.approx(0.58, abs=0.01)
        assert done.exit_code == 0

    def test_text_names_what_does_not_agree(self, tmp_path: Path) -> None:
        document = real()
        first, *others = document["placements"]
        moved = [{**first, "node": "elsewhere"}, *others]
        strange = {**document["queues"][0], "resources": {**document["queues"][0]["resources"]}}
        strange["resources"]["gpu"] = {**strange["resources"]["gpu"], "fairShare": 99.5}
        changed = {**document, "placements": moved, "queues": [strange, *document["queues"][1:]]}
        done = run(ARCHIVE, *write(tmp_path, changed))
        assert done.exit_code == 1
        assert f"  {first['pod']}: tool elsewhere; simulator {first['node']}" in done.stdout
        assert f"  {strange['name']} gpu: tool 99.500, simulator " in done.stdout
        assert "\napproximate\n  whom `reclaim` evicts" in done.stdout

    def test_text_names_twenty_of_each_category(self, tmp_path: Path) -> None:
        done = run(ARCHIVE, *write(tmp_path, {**real(), "podGroups": []}))
        assert "  and 38 more; -o json has them all" in done.stdout

    @pytest.mark.parametrize(
        ("changed", "code"),
        [({}, 0), ({"evictions": []}, 0), ({"podGroups": [{"name": "a/b", "outcome": "Allocated"}]}, 1)],
        ids=["all agrees", "more than the tool has", "not all that is certain"],
    )
    def test_the_exit_status_says_whether_something_certain_is_missing(
        self, tmp_path: Path, changed: dict[str, Any], code: int
    ) -> None:
        assert run(ARCHIVE, *write(tmp_path, real(**changed))).exit_code == code


class TestResultsThatTellNothing:
    @pytest.mark.parametrize(
        ("document", "says"),
        [
            ({**result(), "engine": {"name": "Simulator", "version": "v0.17.0"}}, "0.json is of the Simulator"),
            (result(outcome="Panicked"), "0.json is of a run that did not succeed"),
            (result(outcome="ImagePullFailed"), "ImagePullFailed: it ImagePullFailed"),
            (result(placements={"nobody/knows": "n"}), "archive: snapshot.zip has no pod nobody/knows"),
            ({**result(), "archive": OTHER}, "its SHA-256 is not that of snapshot.zip"),
            ([result(version="v0.14.7"), result()], "the results are of v0.14.7, v0.17.0: give those of one version"),
        ],
        ids=["of the simulator", "a crash", "nothing ran", "other pods", "another archive", "several versions"],
    )
    def test_are_refused(self, tmp_path: Path, document: Any, says: str) -> None:
        done = run(ARCHIVE, *write(tmp_path, document))
        said = " ".join(done.stderr.replace("│", " ").split())
        assert (done.exit_code, done.stdout) == (2, "")
        assert says in said

    def test_the_same_runs_are_not_counted_twice(self, tmp_path: Path) -> None:
        one, two = write(tmp_path, real(), real())
        for again in (one, two):
            done = run(ARCHIVE, one, again)
            said = " ".join(done.stderr.replace("│", " ").split())
            assert (done.exit_code, done.stdout) == (2, "")
            assert f"{again} is the same as {one}".replace(" ", "") in said.replace(" ", "")

    @pytest.mark.parametrize("content", ["", "[3]", '{"outcome": "Succeeded"}'])
    def test_what_is_no_result_is_named(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "bad.json"
        path.write_text(content)
        done = run(ARCHIVE, path)
        assert (done.exit_code, done.stdout) == (3, "")
        assert done.stderr.startswith(f"kai-snapshot: InvalidResult: {path}")


class TestDoubts:
    @pytest.mark.parametrize(
        ("document", "says"),
        [
            (real(engine={"version": "v0.14.7"}), "has the rules of v0.17.0, the results are of v0.14.7"),
            (real(engine={"version": ""}), "the results are perhaps of another"),
            (real(archive=KNOWN, adaptations=["patched a/b"]), "made ready otherwise: give --patch, --manifest"),
            (real(archive=OTHER, adaptations=[SHIFTED]), "is not of snapshot.zip as it was captured"),
            (real(), "a single run of the tool does not tell what it always decides"),
            (real(), "0.json does not say of which archive it is: make sure that it is of snapshot.zip"),
        ],
        ids=[
            "another version",
            "an unknown version",
            "a changed archive",
            "perhaps a prepared archive",
            "a single run",
            "an unknown archive",
        ],
    )
    def test_are_said_and_in_the_document(self, tmp_path: Path, document: dict[str, Any], says: str) -> None:
        done = run(ARCHIVE, *write(tmp_path, document), "-o", "json")
        assert done.exit_code == 0
        assert any(line.startswith("kai-snapshot: warning: ") and says in line for line in done.stderr.splitlines())
        assert any(says in doubt for doubt in json.loads(done.stdout)["doubts"])

    def test_there_are_none_of_a_replay_of_the_archive_as_it_was_captured(self, tmp_path: Path) -> None:
        done = run(ARCHIVE, *write(tmp_path, {**twelve_runs(CASE), "archive": KNOWN, "adaptations": [SHIFTED]}))
        assert (done.exit_code, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("adaptations", "now", "said"),
        [
            ([], [], True),
            (["clock: no time is moved: when it was captured is not known, and no time in it tells"], [], True),
            ([], ["--now", NOW], False),
            ([SHIFTED], [], False),
        ],
        ids=["by hand", "not moved", "the time is given", "moved"],
    )
    def test_at_what_time_the_tool_ran_is_asked_for(
        self, tmp_path: Path, adaptations: list[str], now: list[str], said: bool
    ) -> None:
        """With times as they are in the archive, the tool counts ages to when it ran."""
        results = write(tmp_path, {**twelve_runs(CASE), "archive": KNOWN, "adaptations": adaptations})
        done = without_now(ARCHIVE, *results, *now)
        assert ("0.json was made with the times as they are in the archive: give the time" in done.stderr) == said

    @pytest.mark.parametrize(("config", "said"), [("TargetDefaults", True), ("Verbatim", False)])
    def test_the_archive_is_made_ready_as_for_a_replay(self, tmp_path: Path, config: str, said: bool) -> None:
        case = "23-pre-v0.16-config"
        done = run(CORPUS / case / "snapshot.zip", *write(tmp_path, real(case)), "--config", config)
        assert ("made ready otherwise" in done.stderr) == said


@pytest.mark.parametrize("text", ["yesterday", "2026-11-22T10:15:00", ""])
def test_a_time_has_a_zone(text: str) -> None:
    done = CliRunner().invoke(app, ["agreement", str(ARCHIVE), str(ARCHIVE), "--now", text])
    assert done.exit_code == 2
    assert "no time with a zone" in done.stderr
