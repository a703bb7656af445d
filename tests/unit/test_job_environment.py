"""What the pod of a node runs, against a real transfer endpoint: from the collectors to the stored document."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.cli import job
from kai_snapshot.cli.app import app
from kai_snapshot.collectors.host import Host
from kai_snapshot.jobs import names
from kai_snapshot.runs.deliver import Delivery
from kai_snapshot.transfer.server import application
from support.environments import World
from support.transferred import TRUST, in_thread
from unit.test_drive import FakeChildren

NODES = {"gpu-1": {"pool": "gpu"}}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "archives").mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).exists())
    world = World(tmp_path, FakeChildren(), NODES)
    world.put({"mode": "PerNode", "requireGPU": True})
    world.run()
    world.look(times=2)
    return world


@contextmanager
def endpoint(world: World, spool: Path) -> Iterator[str]:
    """The transfer endpoint of that world."""
    replays = Delivery(world.services, on_result=lambda _: None)
    with in_thread(application(world.services.tokens, replays, world.delivery, spool=spool)) as port:
        yield f"https://127.0.0.1:{port}"


@pytest.fixture
def pod(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Runs what the pod runs, with the token and the variables that its Job gave it."""
    (made,) = world.cluster.made_jobs.values()
    (secret,) = world.cluster.secrets.values()
    token = tmp_path / "token"
    token.write_text(secret["stringData"]["token"])
    authorities = tmp_path / "ca.crt"
    authorities.write_text(TRUST)
    monkeypatch.setattr(names, "TOKEN_FILE", str(token))
    monkeypatch.setattr(names, "AUTHORITIES_FILE", str(authorities))
    monkeypatch.setattr(job, "TERMINATION_LOG", tmp_path / "termination")
    (container,) = made["spec"]["template"]["spec"]["containers"]

    with endpoint(world, tmp_path) as url:

        def run(*, without: tuple[str, ...] = ()) -> Result:
            command = [word for word in container["command"][1:] if word not in without]
            return CliRunner().invoke(app, command, env={"KAI_SNAPSHOT_TRANSFER_URL": url, "NODE_NAME": "gpu-1"})

        yield run


def test_the_document_of_this_machine_arrives_beside_the_archive(pod: Any, world: World) -> None:
    done = pod(without=("--require-gpu",))
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    stored = world.stored("gpu-1")
    assert stored.source_node == "gpu-1"
    assert {"K8s", "GPU", "OS", "NodeTopology"} <= {each.type for each in stored.measurements}
    os = next(each for each in stored.measurements if each.type == "OS").subtype("sysctl")
    assert os is not None
    assert os.data["/proc/sys/kernel/ostype"] == "Linux"
    world.look(times=3)
    assert world.condition() == ("True", "Succeeded")


def test_the_same_pod_twice_is_a_document_once(pod: Any, world: World) -> None:
    assert pod(without=("--require-gpu",)).exit_code == 0
    again = pod(without=("--require-gpu",))  # what it found differs: counters have moved
    assert (again.exit_code, "ResultExists" in again.stderr) == (names.HOPELESS, True)


def test_without_a_gpu_the_pod_says_so_where_the_operator_reads_it(
    pod: Any, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Host, "pci_devices", lambda _: iter(()))  # also on a machine that has one
    monkeypatch.setenv("PATH", str(tmp_path))
    done = pod()
    assert done.exit_code == names.HOPELESS
    said = json.loads((tmp_path / "termination").read_text())
    assert said["reason"] == "GPUNotFound"
    ended = {"name": "environment", "state": {"terminated": {"exitCode": 65, "message": json.dumps(said)}}}
    world.end_job("gpu-1", pod={"phase": "Failed", "containerStatuses": [ended]}, reason="BackoffLimitExceeded")
    world.look(times=3)
    assert (world.beside["outcome"], world.beside["reason"]) == ("Failed", "GPUNotFound")
