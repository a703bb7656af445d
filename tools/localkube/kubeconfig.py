"""What a person's kubectl needs to reach a cluster, in a file of its own or beside others in theirs."""

import base64
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localkube.places import Cluster
from toolchain.places import BIN

_LISTS = ("clusters", "users", "contexts")


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
    _write(cluster.kubeconfig, document)


def users_file(named: str | None) -> Path:
    """The file a person means: the one named, else the first in $KUBECONFIG, else kubectl's default."""
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Path(named or first or Path.home() / ".kube" / "config")


def export(cluster: Cluster, target: Path) -> None:
    """Put the cluster into `target`, beside what is there, and make it the current one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(target, merged(_read(target), json.loads(cluster.kubeconfig.read_text())))


def forget(cluster: Cluster, target: Path) -> None:
    """Take the cluster out of `target` again, if it is in there."""
    before = _read(target)
    after = without(before, cluster.context)
    if after != before:
        _write(target, after)


def merged(document: Mapping[str, Any], added: Mapping[str, Any]) -> Mapping[str, Any]:
    """`document` with everything of `added`, which is current then and wins over what has the same name."""
    others = without(document, added["current-context"])
    lists = {key: [*others[key], *added[key]] for key in _LISTS}
    return {**document, **added, **lists}


def without(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """`document` without the cluster, user and context `name`."""
    lists = {key: [entry for entry in document.get(key) or [] if entry["name"] != name] for key in _LISTS}
    current = {"current-context": ""} if document.get("current-context") == name else {}
    return {**document, **lists, **current}


def _read(target: Path) -> Mapping[str, Any]:
    text = target.read_text() if target.exists() else ""
    if text.strip() and not text.startswith("{"):  # YAML, which kubectl can read and this Python cannot
        command = [str(BIN / "kubectl"), "config", "view", "--raw", "--output=json", f"--kubeconfig={target}"]
        text = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout
    found: Mapping[str, Any] = json.loads(text or "{}")
    return found


def _write(target: Path, document: Mapping[str, Any]) -> None:
    """In one step, and for nobody else's eyes."""
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(json.dumps(document, indent=1) + "\n")
    unfinished.replace(target)
