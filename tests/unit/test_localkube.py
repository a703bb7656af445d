"""The parts of the local cluster and of the tools that decide something without doing it."""

import io
import json
import tarfile
import tomllib
from pathlib import Path

import pytest

from localkube import components, kubeconfig, pause, pki
from localkube.places import API_SERVER, PAUSE_IMAGE, Cluster
from toolchain import debian, pypi
from toolchain.places import ToolError

DEMO = Cluster("demo")


def entry(name: str, **details: object) -> dict[str, object]:
    return {
        "clusters": [{"name": name, "cluster": details}],
        "users": [{"name": name, "user": details}],
        "contexts": [{"name": name, "context": details}],
        "current-context": name,
    }


@pytest.mark.parametrize("name", ["demo", "a", "pytest-kind", "e2e-2", "a" * 40])
def test_a_cluster_takes_the_names_a_node_can_have(name: str) -> None:
    assert Cluster(name).node == f"{name}-control-plane"


@pytest.mark.parametrize("name", ["", "Demo", "-demo", "demo-", "de_mo", "../demo", "a/b", "a" * 41])
def test_a_cluster_refuses_other_names_and_says_which_are_right(name: str) -> None:
    with pytest.raises(ToolError, match="is not a cluster name: at most 40 lower case letters"):
        Cluster(name)


def test_the_context_is_called_as_kind_calls_it() -> None:
    assert DEMO.context == "kind-demo"


def test_a_cluster_is_put_beside_the_others_and_is_current() -> None:
    merged = kubeconfig.merged(entry("other"), entry("kind-demo"))
    assert [cluster["name"] for cluster in merged["clusters"]] == ["other", "kind-demo"]
    assert merged["current-context"] == "kind-demo"


def test_a_cluster_replaces_an_earlier_one_of_its_name() -> None:
    merged = kubeconfig.merged(entry("kind-demo", server="old"), entry("kind-demo", server="new"))
    assert merged["clusters"] == [{"name": "kind-demo", "cluster": {"server": "new"}}]


def test_a_cluster_fits_into_a_file_that_kubectl_emptied() -> None:
    emptied = {"apiVersion": "v1", "clusters": None, "users": None, "contexts": None, "current-context": ""}
    assert kubeconfig.merged(emptied, entry("kind-demo"))["users"] == [{"name": "kind-demo", "user": {}}]


def test_a_forgotten_cluster_leaves_the_others_and_their_current_one() -> None:
    both = kubeconfig.merged(entry("kind-demo"), entry("other"))
    assert kubeconfig.without(both, "kind-demo") == entry("other")


def test_a_forgotten_cluster_is_not_current_any_more() -> None:
    assert kubeconfig.without(entry("kind-demo"), "kind-demo")["current-context"] == ""


def test_every_kubeconfig_of_a_component_names_a_certificate_that_is_made() -> None:
    made = {f"{components.PKI}/{certificate.file}.crt" for certificate in pki.certificates(DEMO)}
    files = components.files(DEMO, snapshotter="overlayfs")
    named = [json.loads(text) for name, text in files.items() if name.endswith(".kubeconfig")]
    assert {document["users"][0]["user"]["client-certificate"] for document in named} <= made
    assert {document["clusters"][0]["cluster"]["server"] for document in named} == {API_SERVER}


def test_every_file_that_a_component_is_started_with_is_written() -> None:
    written = {f"{components.CONFIG}/{name}" for name in components.files(DEMO, snapshotter="native")}
    started = [
        components.containerd(),
        components.api_server(),
        components.controller_manager(),
        components.scheduler(),
        components.kubelet(DEMO),
        components.proxy(),
        components.coredns(),
    ]
    arguments = [word.rpartition("=")[2] for component in started for word in component.argv]
    assert {word for word in arguments if word.startswith(str(components.CONFIG))} <= written


@pytest.mark.parametrize("snapshotter", ["overlayfs", "native"])
def test_containerd_is_told_the_snapshotter_and_the_image_of_the_sandboxes(snapshotter: str) -> None:
    config = tomllib.loads(components.files(DEMO, snapshotter=snapshotter)["containerd.toml"])
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert (cri["containerd"]["snapshotter"], cri["sandbox_image"]) == (snapshotter, PAUSE_IMAGE)


def test_the_pause_image_is_an_archive_whose_layer_is_the_one_its_configuration_names(tmp_path: Path) -> None:
    (tmp_path / "busybox").write_bytes(b"\x7fELF")
    pause.write_archive(tmp_path / "pause.tar", tmp_path / "busybox")
    with tarfile.open(tmp_path / "pause.tar") as archive:
        parts = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    (manifest,) = json.loads(parts["manifest.json"])
    assert manifest["RepoTags"] == [PAUSE_IMAGE]
    with tarfile.open(fileobj=io.BytesIO(parts[manifest["Layers"][0]])) as layer:
        assert layer.getmember("bin/busybox").mode == 0o755


def test_pip_settings_are_read_from_wherever_they_come_and_a_variable_wins() -> None:
    listed = "global.index-url='https://one.example/simple'\n:env:.index-url='https://two.example/simple'\n"
    assert pypi.parse(listed) == {"index-url": "https://two.example/simple"}


def test_pip_settings_that_are_this_machines_alone_stay_behind() -> None:
    assert pypi.parse("global.find-links='/opt/wheels'\nglobal.no-cache-dir='1'\n") == {}


def test_dockers_containerd_is_in_the_way_of_debians_and_of_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(debian, "_has", lambda package: package == "containerd.io")
    monkeypatch.setattr(debian, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("subprocess.run", lambda command, **_: ran.append(command))
    with pytest.raises(ToolError, match=r"containerd\.io is installed"):
        debian.install(list(debian.CLUSTER))
    assert ran == []
    debian.install(list(debian.BROWSER))
    assert ran[-1][-1] == "chromium"
