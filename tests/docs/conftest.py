"""The world that the pages speak of, made true around a cluster, so that their commands run unchanged.

A reader has a context `prod-eu1` for the cluster, keys for the bucket `kai-snapshots` in their environment, and nodes
with GPUs by their labels. The images that a page pushes to `registry.example.com` are known there, and those of
snapshot-tool are stand-ins under upstream's names: the operator runs with the settings that it has when it is
installed. Examples have the stage's endpoint and keys in them: what pages ask people to edit (support/edited.py).
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pytest
from pytest_kind.cluster import KindCluster

from kai_snapshot.kaiversions import tool_image
from stage import images, stage
from stage.kube import Kube, Object
from stage.stage import Cast
from support.docblocks import Block
from support.eventually import eventually
from support.given import making
from support.reader import Reader
from toolchain.places import BIN

CONTEXT = "prod-eu1"
REGISTRY = "registry.example.com"
OPERATOR_IMAGE = f"{REGISTRY}/kai-snapshot-operator:0.1.0"
INSTALL = "docs/getting-started.md"
"""The page that starts with a cluster without the operator. All others find it with the captures of the samples."""


def _report(text: str) -> None:
    sys.stderr.write(f"\n  {text}")
    sys.stderr.flush()


def _prometheus_kind(kind: str) -> Object:
    """As the Prometheus Operator defines it, but for the schema."""
    group, plural = "monitoring.coreos.com", f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _players() -> Cast:
    cast = stage.cast()
    tools = (
        replace(each, aliases=(tool_image(str(each.version)), f"{REGISTRY}/snapshot-tool:{each.version}"))
        for each in cast.tools
    )
    return replace(cast, operator=replace(cast.operator, aliases=(OPERATOR_IMAGE,)), tools=tuple(tools))


@pytest.fixture(scope="session")
def kube(request: pytest.FixtureRequest, kind_cluster: KindCluster) -> Kube:
    """The cluster with S3 server and scheduler, and without the operator."""
    kube = Kube(kind_cluster.kubectl_path, kind_cluster.kubeconfig_path)
    capture_manager = request.config.pluginmanager.getplugin("capturemanager")
    with capture_manager.global_and_fixture_disabled():  # it takes minutes the first time: say what is going on
        stage.surround(kube, kind_cluster.name, _players(), _report)
    kube.run("label", "nodes", "--all", "--overwrite", "nvidia.com/gpu.present=true")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}})
    kube.apply(*map(_prometheus_kind, ("PodMonitor", "PrometheusRule")))
    return kube


@pytest.fixture(scope="session")
def environment(
    kube: Kube, kind_cluster: KindCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    """A person's: the command, kubectl, a kubeconfig, keys of S3."""
    home = tmp_path_factory.mktemp("home")
    programs = home / "bin"
    programs.mkdir()
    for version in images.TOOL_VERSIONS:
        name = "snapshot-tool" if version == images.SCHEDULER_VERSION else f"snapshot-tool-{version}"
        _write_tool(programs / name, version)
    kubeconfig = home / "kubeconfig"
    shutil.copy(kind_cluster.kubeconfig_path, kubeconfig)
    with_kubeconfig = Kube(kind_cluster.kubectl_path, kubeconfig)
    with_kubeconfig.run("config", "rename-context", with_kubeconfig.run("config", "current-context").strip(), CONTEXT)
    path = os.pathsep.join(map(str, (programs, Path(sys.executable).parent, BIN.absolute(), os.environ["PATH"])))
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KUBE", "VIRTUAL_"))}
    with kube.forward("service/s3", stage.STAGE, 7070) as port:
        keys = stage.S3_KEYS | {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}", "AWS_REGION": "us-east-1"}
        yield mine | keys | {"PATH": path, "KUBECONFIG": str(kubeconfig), "COLUMNS": "200", "TMPDIR": str(home)}


def _write_tool(program: Path, version: str) -> None:
    recorded = f"STANDIN_VERSION={version} STANDIN_RECORDINGS='{images.CORPUS}'"
    program.write_text(f'#!/bin/sh\n{recorded} exec {BIN.absolute()}/snapshot-tool "$@"\n')
    program.chmod(0o755)


@pytest.fixture(scope="session")
def installed(kube: Kube) -> Callable[[], None]:
    """Sees to it that the operator is as the pages have it, whatever the one before made of it, and has archives."""

    def install() -> None:
        kube.apply(*stage.operator_objects(kube, _players()))
        archives()
        kube.rolled_out(stage.OPERATOR, stage.NAMESPACE)

    @cache
    def archives() -> None:
        kube.apply(*stage.samples(kube))
        kube.rolled_out(stage.OPERATOR, stage.NAMESPACE)
        for name in ("hourly", "nightly-on-volume"):
            requested = "kai-snapshot.io/run-requested-at=at first"
            kube.run("annotate", f"snapcap/{name}", "--overwrite", requested, f"--namespace={stage.NAMESPACE}")
            eventually(partial(_succeeded, kube, name), what=f"an archive of {name}")

    return install


def _succeeded(kube: Kube, capture: str) -> bool:
    found = kube.get("snapshotcapture", capture, stage.NAMESPACE)
    return found is not None and "lastSuccessfulCapture" in found["status"]


@pytest.fixture(scope="session")
def reader_of(
    environment: Mapping[str, str],
    installed: Callable[[], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Reader]:
    """Who reads a page, from its first block to its last."""

    @cache
    def reader(page: str) -> Reader:
        if page != INSTALL:
            installed()
        return Reader(tmp_path_factory.mktemp(Path(page).stem), environment)

    return reader


@pytest.fixture
def reader(reader_of: Callable[[str], Reader], block: Block) -> Reader:
    """Has all that the page says one has by now."""
    reader = reader_of(block.page)
    for name in block.given:
        reader.run(making(name))
    return reader
