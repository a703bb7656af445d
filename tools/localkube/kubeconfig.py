"""What a person's kubectl needs to reach a cluster, in a file of its own or merged into one with others."""

import base64
import json
import os
import subprocess
from pathlib import Path

from localkube.places import Cluster
from toolchain.places import BIN


def write(cluster: Cluster, port: int) -> None:
    """Write the cluster's own kubeconfig, which holds everything and points to `port` on loopback."""

    def embedded(name: str) -> str:
        return base64.b64encode((cluster.state / "pki" / name).read_bytes()).decode()

    name = cluster.context
    server = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": embedded("ca.crt")}
    user = {"client-certificate-data": embedded("admin.crt"), "client-key-data": embedded("admin.key")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": server}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    cluster.kubeconfig.write_text(json.dumps(document, indent=1))
    cluster.kubeconfig.chmod(0o600)


def users_file(named: str | None) -> Path:
    """The file a person means: the one named, else the first in $KUBECONFIG, else kubectl's default."""
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(named or first or Path.home() / ".kube" / "config")


def export(cluster: Cluster, target: Path) -> None:
    """Put the cluster into `target`, beside what is there, and make it the current one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # In a list of files the first to name a thing wins, so what an earlier cluster of this name left is overruled.
    merged = _kubectl("config", "view", "--flatten", KUBECONFIG=f"{cluster.kubeconfig}{os.pathsep}{target}")
    written = target.with_name(f"{target.name}.{os.getpid()}")
    written.touch(mode=0o600)
    written.write_text(merged)
    written.replace(target)


def forget(cluster: Cluster, target: Path) -> None:
    """Take the cluster out of `target` again."""
    if not target.exists():
        return
    here = f"--kubeconfig={target}"
    if _kubectl("config", "view", "-o=jsonpath={.current-context}", here) == cluster.context:
        _kubectl("config", "unset", "current-context", here)
    for kind in ("contexts", "clusters", "users"):
        if cluster.context in _kubectl("config", "view", f"-o=jsonpath={{.{kind}[*].name}}", here).split():
            _kubectl("config", "unset", f"{kind}.{cluster.context}", here)


def _kubectl(*arguments: str, **environment: str) -> str:
    command = [str(BIN / "kubectl"), *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env={**os.environ, **environment}).stdout
