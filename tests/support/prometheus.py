"""A real Prometheus beside a cluster: it scrapes through the API server, as whoever the kubeconfig names."""

import base64
import json
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml

from support.eventually import eventually


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    address: str

    def get(self, path: str, **query: str) -> Any:
        """The data of an answer of its API. Raises AssertionError with what is wrong with it."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url) as answer:
                document = json.load(answer)
        except URLError as error:
            raise AssertionError(f"{path} {query}: {error}") from error
        assert document["status"] == "success", document
        return document["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that PromQL finds now."""
        return list(self.get("query", query=expression)["result"])

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that are pending or firing, each with the name of its object."""
        return {(each["labels"]["alertname"], each["labels"].get("name", "")) for each in self.get("alerts")["alerts"]}

    def health(self) -> dict[str, str]:
        """What is wrong with each rule; empty where nothing is."""
        groups = self.get("rules")["groups"]
        return {
            rule["name"]: f"{rule['health']} {rule.get('lastError', '')}".strip() for g in groups for rule in g["rules"]
        }


@contextmanager
def prometheus(directory: Path, *, kubeconfig: Path, paths: dict[str, str], rules: Path) -> Iterator[Prometheus]:
    """One that scrapes these paths of the API server, by the name of the job, and has these rules."""
    program = shutil.which("prometheus")
    assert program is not None, "prometheus is not on the PATH: `make setup` installs it"
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [_job(directory, kubeconfig, name, path) for name, path in paths.items()],
    }
    (directory / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{_free_port()}"
    command = [
        program, "--config.file=prometheus.yaml", "--storage.tsdb.path=data", f"--web.listen-address={address}",
    ]  # fmt: skip
    with (directory / "log").open("w") as log, subprocess.Popen(command, cwd=directory, stderr=log) as process:
        try:
            running = Prometheus(address)
            eventually(
                lambda: _scraped(running, process, directory) == len(paths), what="Prometheus has scraped all there is"
            )
            yield running
        finally:
            process.terminate()


def _scraped(running: Prometheus, process: "subprocess.Popen[bytes]", directory: Path) -> int:
    """How many targets it knows, all of which it has scraped."""
    if process.poll() is not None:
        raise RuntimeError((directory / "log").read_text()[-2000:])
    targets = running.get("targets")["activeTargets"]
    assert all(target["health"] == "up" for target in targets), [target["lastError"] for target in targets]
    return len(targets)


def _job(directory: Path, kubeconfig: Path, name: str, path: str) -> dict[str, Any]:
    document = yaml.safe_load(kubeconfig.read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    given = {
        "ca_file": cluster["certificate-authority-data"],
        "cert_file": user["client-certificate-data"],
        "key_file": user["client-key-data"],
    }
    for file, data in given.items():
        (directory / file).write_bytes(base64.b64decode(data))
    return {
        "job_name": name,
        "scheme": "https",
        "metrics_path": path,
        "honor_labels": True,
        "tls_config": {file: str(directory / file) for file in given},
        "static_configs": [{"targets": [cluster["server"].removeprefix("https://")]}],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
