"""A cluster from its first file to its last: create, list, load images into it, delete."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from localkube import cgroups, init, kubeconfig, pause, pki
from localkube.places import CLUSTERS, Cluster
from toolchain.places import BIN, ToolError

_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
_PROGRAMS = (*_CONTROL_PLANE, "kubelet", "kube-proxy", "kubectl", "coredns")
_LOG_LINES = 15
_POLL_SECONDS = 0.2
_END_SECONDS = 30
_ANSWER_SECONDS = 5


def running() -> list[str]:
    """The names of the clusters that run, in order."""
    return sorted(path.name for path in CLUSTERS.glob("*") if _init_pid(Cluster(path.name)))


def create(cluster: Cluster, *, wait_seconds: float) -> None:
    """Start `cluster` and wait until its node is ready for pods."""
    if os.geteuid() != 0:
        raise ToolError("a cluster needs root: it makes namespaces, mounts and control groups")
    if _init_pid(cluster):
        raise ToolError(f"node(s) already exist for a cluster with the name '{cluster.name}'")
    delete(cluster)  # what one that crashed may have left
    _prepare(cluster)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        kubeconfig.write(cluster, listener.getsockname()[1])
        init.start(cluster, listener)
    try:
        _wait_until_ready(cluster, time.monotonic() + wait_seconds)
    except BaseException:
        end(cluster)  # its logs stay, for the person who reads the message
        raise


def delete(cluster: Cluster) -> None:
    """End every process of `cluster` and remove everything it has. Nothing there is fine."""
    end(cluster)
    cgroups.remove(cluster)
    if cluster.state.exists():
        shutil.rmtree(cluster.state)


def end(cluster: Cluster) -> None:
    """End the cluster's processes: when the first one goes, the kernel ends the others and lets go of all mounts."""
    pid = _init_pid(cluster)
    if not pid:
        return
    os.kill(pid, 9)
    deadline = time.monotonic() + _END_SECONDS
    while _init_pid(cluster):
        if time.monotonic() > deadline:
            raise ToolError(f"process {pid} of cluster '{cluster.name}' did not end within {_END_SECONDS} seconds")
        time.sleep(_POLL_SECONDS)


def load(cluster: Cluster, archive: Path) -> None:
    """Put the images of a `docker save` or OCI archive into the node's container runtime."""
    pid = _init_pid(cluster)
    if not pid:
        raise ToolError(f"no nodes found for cluster '{cluster.name}'")
    if not archive.is_file():
        raise ToolError(f"there is no image archive {archive}")
    command = ["nsenter", f"--target={pid}", "--mount", "--root", "ctr", "--namespace=k8s.io", "images", "import", "-"]
    with archive.open("rb") as images:
        done = subprocess.run(command, stdin=images, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"containerd did not take {archive}: {done.stderr.strip()[-1000:]}")


def _prepare(cluster: Cluster) -> None:
    missing = [name for name in _PROGRAMS if not (BIN / name).exists()]
    if missing:
        raise ToolError(f"{', '.join(missing)} not found in {BIN}: run tools/setup")
    state = cluster.state
    for directory in ("bin", "config", "log", "lib", "var-log", "volumes"):
        (state / directory).mkdir(parents=True)
    for name in _PROGRAMS:
        os.link((BIN / name).resolve(), state / "bin" / name)
    shutil.copy(Path(__file__).with_name("addons.yaml"), state)
    pki.make(state / "pki", cluster)
    pause.write_archive(state / "pause.tar", Path("/bin/busybox"))
    cgroups.create(cluster)


def _wait_until_ready(cluster: Cluster, deadline: float) -> None:
    while not _is_ready(cluster):
        if not _init_pid(cluster):
            raise ToolError(_obituary(cluster))
        if time.monotonic() > deadline:
            raise ToolError(f"node {cluster.node} is not ready; see the logs in {cluster.state}/log")
        time.sleep(_POLL_SECONDS)


def _is_ready(cluster: Cluster) -> bool:
    """Whether the node takes pods and a namespace has the account they run as."""
    try:
        node = _get(cluster, f"/api/v1/nodes/{cluster.node}")
        _get(cluster, "/api/v1/namespaces/default/serviceaccounts/default")
    except OSError:  # not there yet, neither the object nor, at first, the server
        return False
    return {"Ready": "True"}.items() <= {c["type"]: c["status"] for c in node["status"].get("conditions", [])}.items()


def _get(cluster: Cluster, path: str) -> dict[str, Any]:
    """Ask the API server, the way a person's kubectl goes."""
    keys = cluster.state / "pki"
    context = ssl.create_default_context(cafile=keys / "ca.crt")
    context.load_cert_chain(keys / "admin.crt", keys / "admin.key")
    server = json.loads(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with direct.open(server + path, timeout=_ANSWER_SECONDS) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _obituary(cluster: Cluster) -> str:
    """Why the cluster ended, with the end of the log that says more."""
    reason = cluster.ended_file.read_text() if cluster.ended_file.exists() else "its first process was ended"
    log = cluster.state / "log" / f"{reason.split()[0]}.log"
    if not log.exists():
        log = cluster.state / "log" / "init.log"
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:] if log.exists() else []
    return "\n".join([f"cluster '{cluster.name}' ended: {reason}; the end of {log}:", *(f"  {line}" for line in lines)])


def _init_pid(cluster: Cluster) -> int | None:
    """The process the cluster lives by, if it lives: a number alone might be somebody else's by now."""
    try:
        pid = int(cluster.pid_file.read_text())
        status = Path(f"/proc/{pid}/status").read_text()
    except (OSError, ValueError):
        return None
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    is_ours = fields.get("NSpid", "").split()[1:] == ["1"] and not fields["State"].startswith("Z")
    return pid if is_ours else None
