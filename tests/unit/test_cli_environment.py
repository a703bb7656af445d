"""`kai-snapshot environment`: what it writes, where, and how it ends."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from kai_snapshot.cli.app import app
from kai_snapshot.environment.text import decode, decode_all

CORPUS = Path(__file__).parents[1] / "data/corpus"
SCHEMA = json.loads((Path(__file__).parents[1] / "data/environment/aicr-snapshot.schema.json").read_bytes())
DOCUMENT = """
metadata: {source-node: n, timestamp: "2026-03-12T09:41:27Z"}
measurements:
- type: OS
  subtypes: [{subtype: release, data: {ID: %s, VERSION_ID: "12"}}]
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["environment", *map(str, arguments)])


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    a.write_text(DOCUMENT % "debian")
    b.write_text(DOCUMENT % "ubuntu")
    return a, b


class TestThisMachine:
    @pytest.mark.parametrize("form", ["yaml", "json"])
    def test_it_has_a_document(self, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NODE_NAME", "here")
        done = run("-o", form)
        assert done.exit_code == 0, done.output
        document = decode(done.stdout_bytes, where="stdout")
        assert document.source_node == "here"
        assert {"GPU", "OS"} <= {each.type for each in document.measurements}

    @pytest.mark.parametrize("arguments", [(), ("derive", CORPUS / "19-live/snapshot.zip")], ids=["here", "an archive"])
    @pytest.mark.parametrize("header", ["aicr.nvidia.com/v1alpha1", "aicr.run/v1"])
    def test_what_is_written_keeps_the_contract(self, arguments: tuple[str | Path, ...], header: str) -> None:
        written = json.loads(run(*arguments, "-o", "json", "--api-version", header).stdout)
        Draft202012Validator(SCHEMA).validate(written)
        types = [each["type"] for each in written["measurements"]]
        assert len(set(types)) == len(types)

    def test_what_could_not_be_found_out_is_said(self) -> None:
        assert "systemd Failed after" in run("--collector-timeout", "2").stderr or "SystemD" in run().stdout

    def test_each_collector_is_reported_if_asked(self) -> None:
        assert "os Succeeded after" in run("--debug").stderr

    def test_the_newer_header_is_written_if_asked(self) -> None:
        document = yaml.safe_load(run("--api-version", "aicr.run/v1").stdout)
        assert document["apiVersion"] == "aicr.run/v1"

    def test_a_gpu_that_is_required_and_not_there_is_bad(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        for name in ("proc/cmdline", "proc/modules", "etc/os-release", "sys/bus/pci/devices/.keep"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "sys/bus/pci/devices/.keep").unlink()
        done = run("--host-root", tmp_path, "--require-gpu")
        assert done.exit_code == 1
        assert "kai-snapshot: GPUNotFound: A GPU is required" in done.stderr
        assert decode(done.stdout_bytes, where="stdout").gpu_count == 0

    def test_a_template_writes_what_it_says(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NODE_NAME", "here")
        template, out = tmp_path / "report.md.j2", tmp_path / "report.md"
        template.write_text("# {{ metadata['source-node'] }}")
        assert run("--template", template, "-f", out).exit_code == 0
        assert out.read_text() == "# here"

    def test_a_template_that_cannot_be_read_is_wrong_usage(self, tmp_path: Path) -> None:
        (tmp_path / "t").write_text("{{ nothing }}")
        done = run("--template", tmp_path / "t")
        assert done.exit_code == 2
        assert "InvalidTemplate" in done.stderr


class TestDerived:
    def test_an_archive_is_enough(self) -> None:
        done = run("derive", CORPUS / "19-live/snapshot.zip", "-o", "json")
        assert done.exit_code == 0, done.output
        document = json.loads(done.stdout)
        assert [each["type"] for each in document["measurements"]] == ["K8s", "NodeTopology"]
        assert document["metadata"]["source-node"] == "cluster"

    def test_a_node_of_it_can_be_named(self) -> None:
        everything = decode(run("derive", CORPUS / "19-live/snapshot.zip").stdout_bytes, where="stdout")
        labels = next(each for each in everything.measurements if each.type == "NodeTopology").subtype("label")
        assert labels is not None
        name = next(str(each.data["node-list"]).split(",")[0] for each in labels.items)
        document = decode(run("derive", CORPUS / "19-live/snapshot.zip", "--node", name).stdout_bytes, where="stdout")
        node = document.measurements[0].subtype("node")
        assert node is not None
        assert node.data["source-node"] == document.source_node == name

    def test_a_node_that_it_does_not_have_is_told(self) -> None:
        done = run("derive", CORPUS / "19-live/snapshot.zip", "--node", "gone")
        assert done.exit_code == 3
        assert "NodeNotFound" in done.stderr


class TestExport:
    def test_a_document_gets_another_header_and_form(self, two: tuple[Path, Path]) -> None:
        exported = json.loads(run("export", two[0], "--api-version", "aicr.run/v1", "-o", "json").stdout)
        assert exported["apiVersion"] == "aicr.run/v1"
        assert (
            decode(json.dumps(exported).encode(), where="x").measurements
            == decode(two[0].read_bytes(), where="x").measurements
        )

    def test_several_stay_several(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        (tmp_path / "both").write_text("---".join(each.read_text() for each in two))
        assert len(decode_all(run("export", tmp_path / "both").stdout_bytes, where="x")) == 2

    @pytest.mark.parametrize("name", ["../../etc/passwd", "", ".hidden", "a/b"])
    def test_a_name_does_not_lead_out_of_the_directory(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "a").write_text(json.dumps({"metadata": {"source-node": name}, "measurements": []}))
        (tmp_path / "to").mkdir()
        done = run("export", tmp_path / "a", "-f", tmp_path / "to")
        assert done.exit_code == 3
        assert "is no file's name" in done.stderr
        assert list((tmp_path / "to").iterdir()) == []

    @pytest.mark.parametrize("name", ["../../secrets/x", "", "a/b", "a?force=true", "A"])
    def test_a_name_does_not_lead_to_another_object(self, two: tuple[Path, Path], tmp_path: Path, name: str) -> None:
        other = json.dumps({"metadata": {"source-node": name}, "measurements": []})
        (tmp_path / "both").write_text(f"{two[0].read_text()}---\n{other}")
        done = run("export", tmp_path / "both", "-f", "cm://team/snapshot", "--kubeconfig", "/nowhere")
        assert done.exit_code == 3
        assert "is no ConfigMap's name" in done.stderr

    def test_two_of_one_node_do_not_overwrite_each_other(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        (tmp_path / "both").write_text("---".join(each.read_text() for each in two))
        (tmp_path / "to").mkdir()
        assert run("export", tmp_path / "both", "-f", tmp_path / "to").exit_code == 2
        assert list((tmp_path / "to").iterdir()) == []
        done = run("export", tmp_path / "both", "-f", "cm://team/snapshot", "--kubeconfig", "/nowhere")
        assert (done.exit_code, "two documents of the node n" in done.stderr) == (2, True)

    def test_what_is_no_document_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "c").write_text("kind: Recipe")
        assert run("export", tmp_path / "c").exit_code == 3


class TestWhereTo:
    def test_a_directory_has_a_file_of_each_node(self, tmp_path: Path) -> None:
        assert run("derive", CORPUS / "19-live/snapshot.zip", "-f", tmp_path, "-o", "json").exit_code == 0
        assert [each.name for each in tmp_path.iterdir()] == ["cluster.json"]

    def test_a_directory_that_is_not_there_is_made(self, tmp_path: Path) -> None:
        assert run("derive", CORPUS / "19-live/snapshot.zip", "-f", f"{tmp_path}/to/documents/").exit_code == 0
        assert [each.name for each in (tmp_path / "to/documents").iterdir()] == ["cluster.yaml"]

    def test_an_option_that_a_subcommand_would_not_see_is_refused(self) -> None:
        done = run("--require-gpu", "--debug", "derive", CORPUS / "19-live/snapshot.zip")
        assert done.exit_code == 2
        assert "--require-gpu, --debug" in done.stderr
        assert "derive" in done.stderr

    @pytest.mark.parametrize(
        "arguments",
        [
            ("-f", "cm://only-a-namespace"),
            ("-o", "toml"),
            ("--api-version", "v1"),
            ("-f", "cm://a/b/c"),
            ("-f", "cm://a/.."),
        ],
    )
    def test_what_cannot_be_done_is_wrong_usage(self, arguments: tuple[str, ...]) -> None:
        assert run("derive", CORPUS / "19-live/snapshot.zip", *arguments).exit_code == 2

    def test_a_template_is_not_for_a_config_map(self, tmp_path: Path) -> None:
        (tmp_path / "t").touch()
        assert run("--template", tmp_path / "t", "-f", "cm://a/b").exit_code == 2


class TestDiff:
    def test_people_see_a_table(self, two: tuple[Path, Path]) -> None:
        done = run("diff", *two)
        assert done.exit_code == 0
        assert done.stdout.splitlines()[1].split() == ["modified", "info", "OS.release.ID", "debian", "ubuntu"]
        assert done.stdout.splitlines()[-1] == "1 change: 0 added, 0 removed, 1 modified"

    def test_scripts_get_a_document(self, two: tuple[Path, Path]) -> None:
        drift = json.loads(run("diff", *two, "-o", "json").stdout)
        assert drift["summary"] == {"added": 0, "removed": 0, "modified": 1, "total": 1}
        assert drift["baselineSource"].endswith("a.yaml (n)")

    def test_drift_is_bad_if_asked(self, two: tuple[Path, Path]) -> None:
        assert run("diff", *two, "--fail-on-drift").exit_code == 1
        assert run("diff", two[0], two[0], "--fail-on-drift").exit_code == 0
        assert run("diff", *two, "--fail-on-drift", "--ignore", "OS.release.*").exit_code == 0

    def test_two_documents_may_be_in_one_file(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        both = tmp_path / "both.yaml"
        both.write_text("---".join(each.read_text() for each in two))
        assert len(decode_all(both.read_bytes(), where="x")) == 2
        assert run("diff", both).stdout == run("diff", *two).stdout

    def test_markdown_is_for_an_issue(self, two: tuple[Path, Path]) -> None:
        assert (
            "| modified | info | `OS.release.ID` | `debian` | `ubuntu` |" in run("diff", *two, "-o", "markdown").stdout
        )

    def test_one_document_is_not_two(self, two: tuple[Path, Path]) -> None:
        assert run("diff", two[0]).exit_code == 2

    def test_what_is_no_document_is_told(self, two: tuple[Path, Path], tmp_path: Path) -> None:
        (tmp_path / "c").write_text("kind: Recipe")
        done = run("diff", two[0], tmp_path / "c")
        assert done.exit_code == 3
        assert "InvalidEnvironment" in done.stderr


class TestNodes:
    def test_names_and_a_selector_do_not_go_together(self) -> None:
        assert run("nodes", "a", "--node-selector", "b=c").exit_code == 2

    @pytest.mark.parametrize("arguments", [("--node-selector", "b"), ("--toleration", "a:Never"), ("--timeout", "0")])
    def test_what_cannot_be_read_is_wrong_usage(self, arguments: tuple[str, ...], tmp_path: Path) -> None:
        kubeconfig = tmp_path / "config"
        kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "a",
                    "contexts": [{"name": "a", "context": {"cluster": "a"}}],
                    "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
                }
            )
        )
        assert run("nodes", "--kubeconfig", kubeconfig, "--image", "i", *arguments).exit_code == 2
