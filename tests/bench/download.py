"""How fast an archive comes through the API server, against `kubectl port-forward` and curl.

The pod serves 256 MiB from memory, chunked in pieces of 4 KiB as Go's net/http does it.
"""

import asyncio
import subprocess

from bench.scene import PLUGIN_PORT, Scene
from bench.sidebyside import Comparison, in_turns
from bench.versions import version
from kai_snapshot.source import ApiConnection, KubernetesApi, Target, download
from kai_snapshot.source.kubeconfig import from_kubeconfig
from stage import stage
from toolchain.places import BIN

BYTES = 256 << 20


def measure(scene: Scene) -> Comparison:
    """Downloads in turns, with as much on both sides."""
    connection = from_kubeconfig(scene.kubeconfig, context=None)
    scene.behave(f"blob:{BYTES}")
    with scene.endpoint() as url:
        if {ours(connection, scene.pod), theirs(url)} != {BYTES}:
            raise AssertionError("the two sides got different numbers of bytes")
        kubectl = version(BIN / "kubectl", "version", "--client")
        return in_turns(
            f"download of {BYTES >> 20} MiB through the API server",
            ours=lambda: ours(connection, scene.pod),
            other=f"{kubectl} port-forward, {version('curl')}",
            theirs=lambda: theirs(url),
        )


def ours(connection: ApiConnection, pod: str) -> int:
    """The number of bytes downloaded."""
    target = Target(
        namespace=stage.SCHEDULER_NAMESPACE,
        pod=pod,
        port=PLUGIN_PORT,
        deployment="",
        shard="",
        container="",
        image="",
        image_id="",
        version=None,
        partition="",
        config_map=None,
    )

    async def run() -> int:
        async with KubernetesApi.connect(connection) as api:
            return (await download(api, target, silence_seconds=60, sink=lambda _: None)).size_bytes

    return asyncio.run(run())


def theirs(url: str) -> int:
    """The number of bytes downloaded."""
    command = ["curl", "--silent", "--fail", "--output", "/dev/null", "--write-out", "%{size_download}", url]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
