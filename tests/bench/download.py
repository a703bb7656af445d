"""How fast an archive comes through the API server, against `kubectl port-forward` and curl.

    python -m bench.download --namespace kai-scheduler --pod POD

The pod is the stand-in for a scheduler (tests/support/scheduler.py) with the behaviour `blob:268435456`: it serves 256
MiB from memory, chunked in pieces of 4 KiB.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.sidebyside import Comparison, in_turns
from kai_snapshot.source import ApiConnection, KubernetesApi, Target, download
from kai_snapshot.source.kubeconfig import from_kubeconfig, kubeconfig_paths


def measure(*, kubeconfig: Path, namespace: str, pod: str, port: int = 8081, kubectl: str = "kubectl") -> Comparison:
    """Downloads in turns what a pod serves, with as much on both sides."""
    connection = from_kubeconfig(kubeconfig, context=None)
    with port_forward(kubectl, kubeconfig, namespace, pod, port) as url:
        sizes = {ours(connection, namespace, pod, port), theirs(url)}
        if len(sizes) != 1:
            raise AssertionError(f"the two sides got different numbers of bytes: {sizes}")
        return in_turns(
            f"download of {sizes.pop() >> 20} MiB through the API server",
            ours=lambda: ours(connection, namespace, pod, port),
            other=f"kubectl {kubectl_version(kubectl)} port-forward + {curl_version()}",
            theirs=lambda: theirs(url),
        )


def ours(connection: ApiConnection, namespace: str, pod: str, port: int) -> int:
    """The number of bytes downloaded."""
    target = Target(
        namespace=namespace,
        pod=pod,
        port=port,
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


@contextmanager
def port_forward(kubectl: str, kubeconfig: Path, namespace: str, pod: str, port: int) -> Iterator[str]:
    """The URL at which kubectl forwards to a pod."""
    command = [kubectl, "--kubeconfig", str(kubeconfig), "-n", namespace, "port-forward", f"pod/{pod}", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            local = re.search(r"127\.0\.0\.1:(\d+)", line)
            if local is None:
                raise AssertionError(f"kubectl port-forward said {line!r}")
            yield f"http://127.0.0.1:{local[1]}/get-snapshot"
        finally:
            process.terminate()


def kubectl_version(kubectl: str) -> str:
    said = subprocess.run([kubectl, "version", "--client"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return said.split()[2]


def curl_version() -> str:
    said = subprocess.run(["curl", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return " ".join(said.split()[:2])


def main() -> None:
    parser = argparse.ArgumentParser(description="Download through the API server against kubectl and curl.")
    parser.add_argument("--kubeconfig", type=Path, default=kubeconfig_paths(None, os.environ)[0])
    parser.add_argument("--namespace", default="kai-scheduler")
    parser.add_argument("--pod", required=True)
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--kubectl", default="kubectl")
    sys.stdout.write(f"{measure(**vars(parser.parse_args()))}\n")


if __name__ == "__main__":
    main()
