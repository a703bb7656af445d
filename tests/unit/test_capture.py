"""A capture from one end to the other: the real child process, an API server with canned objects, a stand-in scheduler.

The volume is /dev/shm: a claim has to be a mount.
"""

import asyncio
import hashlib
import json
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.api.manifest import CaptureIdentity, Manifest
from kai_snapshot.api.storage import Storage
from kai_snapshot.archive.check import inspect
from kai_snapshot.cli import CHILD
from kai_snapshot.errors import Reason
from kai_snapshot.redaction.table import read_table
from kai_snapshot.runs.request import CaptureAnswer, CaptureRequest, RedactionRequest
from kai_snapshot.source import ApiConnection
from support import kai
from support.apicluster import CONFIG_MAP, DEPLOYMENTS, PATHS, api_server, document
from support.apiserver import serving
from support.scheduler import PluginHandler, Server, StandIn

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
ARCHIVE = (CORPUS / "01-gang" / "snapshot.zip").read_bytes()
LIVE = document(CORPUS / "19-live" / "snapshot.zip")
ID = "20261122T100000Z"
POD = "kai-scheduler-default-7d9f-aaaaa"
SHM = Path("/dev/shm")


@contextmanager
def stand_in(behaviour: str) -> Iterator[Server]:
    standin = StandIn(ARCHIVE, behaviour)
    server = Server(("127.0.0.1", 0), PluginHandler, standin)
    server.start()
    try:
        yield server
    finally:
        standin.stopped.set()
        server.stop()


class World:
    """A place on the volume, and what the API server knows."""

    def __init__(self, spool: Path) -> None:
        self.sub_path = f"kai-snapshot-test-{secrets.token_hex(4)}"
        self.folder = SHM / self.sub_path / "kai-snapshots" / "once"
        self.spool = spool
        self.config: str | None = "actions: allocate, reclaim\ntiers: []\n"
        self.image = "ghcr.io/kai-scheduler/kai-scheduler/scheduler:v0.17.0"
        self.said = ""
        self.source: dict[str, Any] = {"timeoutSeconds": 5}
        self.server = api_server(LIVE)
        self.redaction: RedactionRequest | None = None

    @property
    def tables(self) -> Path:
        """Where the tables of redacted archives go."""
        return SHM / f"{self.sub_path}-tables" / "kai-snapshots" / "once"

    def redact(self, key: bytes = b"k" * 32) -> None:
        """Redact what is captured."""
        place = Storage.model_validate({"pvc": {"claimName": "shm", "subPath": f"{self.sub_path}-tables"}})
        self.redaction = RedactionRequest.model_construct(key=key, key_from="The key", table=place)

    @property
    def config_map(self) -> dict[str, Any]:
        return {"metadata": {"name": "kai-scheduler-default"}, "data": {"config.yaml": self.config}}

    def capture(self, behaviour: str = "serve") -> CaptureAnswer:
        """One try of a run, by the process that the operator starts."""
        with stand_in(behaviour) as scheduler:
            return asyncio.run(self._capture(scheduler.port))

    async def _capture(self, port: int) -> CaptureAnswer:
        server = self.server
        server.lists[DEPLOYMENTS] = [kai.deployment(image=self.image)]
        server.lists["/api/v1/namespaces/kai-scheduler/pods"] = [kai.pod(POD, image=self.image)]
        if self.config is None:
            server.objects.pop(CONFIG_MAP, None)
        else:
            server.objects[CONFIG_MAP] = self.config_map
        server.ports = {(POD, 8081): port}
        async with serving(server):
            request = CaptureRequest.model_validate(
                {
                    "id": ID,
                    "trigger": "OneShot",
                    "scheduledFor": "2026-11-22T10:00:00Z",
                    "namespace": "kai-snapshots",
                    "name": "once",
                    "source": self.source,
                    "connection": ApiConnection(server=server.url),
                    "storage": {"pvc": {"claimName": "shm", "subPath": self.sub_path}},
                    "claimsDir": SHM.parent,
                    "spoolDir": self.spool,
                }
            ).model_copy(update={"redaction": self.redaction})
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "kai_snapshot", *CHILD,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, err = await asyncio.wait_for(process.communicate(request.model_dump_json(by_alias=True).encode()), 60)
            self.said = err.decode()
            assert out, self.said
            return CaptureAnswer.model_validate_json(out)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    for name in (world.sub_path, f"{world.sub_path}-tables"):
        shutil.rmtree(SHM / name, ignore_errors=True)


def test_the_bytes_that_were_served_are_stored_and_the_manifest_says_what_they_do_not(world: World) -> None:
    answer = world.capture()
    sha256 = hashlib.sha256(ARCHIVE).hexdigest()
    assert world.files() == [f"{ID}-{sha256[:8]}.zip", f"{ID}.json"]
    assert (world.folder / world.files()[0]).read_bytes() == ARCHIVE
    told = json.loads((world.folder / f"{ID}.json").read_text())
    assert answer.manifest is not None
    assert told == json.loads(answer.manifest.encode())
    assert told["capture"] == {"clusterUID": "c1", "namespace": "kai-snapshots", "name": "once"}
    assert (told["scheduler"]["version"], told["scheduler"]["pod"]) == ("v0.17.0", POD)
    assert (told["sha256"], told["healed"], told["kubernetesVersion"]) == (sha256, False, "v1.35.4")
    assert told["objectCounts"]["pods"] == 166


def test_a_run_that_has_its_manifest_is_reported_and_not_captured_again(world: World) -> None:
    first = world.capture()
    assert world.capture("plugin-off") == first


def test_config_null_between_two_cycles_is_asked_for_again(world: World) -> None:
    answer = world.capture("config-null:2")
    assert answer.manifest is not None
    assert not answer.manifest.healed


def test_config_null_that_stays_is_healed_from_the_config_map_and_the_bytes_stay_as_served(world: World) -> None:
    answer = world.capture("config-null")
    assert answer.manifest is not None
    assert answer.manifest.healed
    assert answer.manifest.config == {"actions": "allocate, reclaim", "tiers": []}
    stored = (world.folder / world.files()[0]).read_bytes()
    assert hashlib.sha256(stored).hexdigest() == answer.manifest.sha256


@pytest.mark.parametrize(
    ("behaviour", "reason", "kind"),
    [
        pytest.param("config-null", Reason.CONFIG_NULL, "Terminal", id="config null, and no ConfigMap"),
        pytest.param("cut-json", Reason.INVALID_JSON, "Transient", id="a good ZIP with JSON that is cut off"),
        pytest.param("cut", Reason.CONNECTION_CUT, "Transient", id="a connection that breaks"),
        pytest.param("not-a-zip", Reason.NOT_A_ZIP, "Terminal", id="no ZIP"),
        pytest.param("bomb", Reason.ARCHIVE_TOO_LARGE, "Terminal", id="a bomb"),
        pytest.param("standby", Reason.NOT_LEADER, "Transient", id="a standby"),
        pytest.param("plugin-off", Reason.PLUGIN_DISABLED, "Terminal", id="the plugin switched off"),
    ],
)
def test_what_is_not_whole_is_not_stored(world: World, behaviour: str, reason: Reason, kind: str) -> None:
    world.config = None
    answer = world.capture(behaviour)
    assert (answer.reason, answer.kind) == (reason, kind)
    assert f"Pod kai-scheduler/{POD}" in answer.message
    assert world.files() == []
    assert list(world.spool.iterdir()) in ([], [world.spool / "snapshot.zip"])


def test_a_place_that_another_clusters_capture_uses_is_not_touched(world: World) -> None:
    answer = world.capture()
    assert answer.manifest is not None
    theirs = CaptureIdentity(cluster_uid="c2", namespace="kai-snapshots", name="once")
    foreign: Manifest = answer.manifest.model_copy(update={"capture": theirs})
    (world.folder / f"{ID}.json").write_bytes(foreign.encode())
    assert world.capture().reason == Reason.KEY_TAKEN


def test_a_scheduler_that_builds_the_document_in_memory_is_warned_of(world: World) -> None:
    world.image = world.image.replace("v0.17.0", "v0.14.7")
    assert world.capture().manifest is not None
    assert "three times its size" in world.said


class TestTheFallback:
    @pytest.fixture
    def world(self, world: World) -> World:
        world.source = {"timeoutSeconds": 1, "fallback": "KubernetesAPI"}
        world.config = "actions: allocate, reclaim\ntiers: [{plugins: [{name: predicates}]}]\n"
        return world

    @pytest.mark.parametrize(
        ("behaviour", "because"),
        [
            pytest.param("standby", Reason.NOT_LEADER, id="a standby"),
            pytest.param("error", Reason.HTTP_STATUS, id="a scheduler that fails"),
            pytest.param("mute", Reason.SOURCE_TIMEOUT, id="a scheduler that hangs"),
            pytest.param("silence", Reason.SOURCE_TIMEOUT, id="a scheduler that hangs in the middle"),
            pytest.param("cut", Reason.CONNECTION_CUT, id="a scheduler that dies meanwhile"),
            pytest.param("cut-json", Reason.INVALID_JSON, id="a scheduler that fails in the middle"),
        ],
    )
    def test_steps_in_for(self, world: World, behaviour: str, because: Reason) -> None:
        answer = world.capture(behaviour)
        assert answer.manifest is not None
        built = answer.manifest.built_from_api
        assert built is not None
        assert built.because is not None
        assert built.because.reason == because
        assert built.resource_versions["pods"] == ("100",)
        assert built.not_installed == ("nodeResourceTopologies",)
        assert answer.manifest.object_counts["pods"] == len(LIVE["rawObjects"]["pods"])
        stored = world.folder / world.files()[0]
        assert hashlib.sha256(stored.read_bytes()).hexdigest() == answer.manifest.sha256
        assert document(stored)["config"]["actions"] == "allocate, reclaim"
        assert inspect(stored).built_from_api
        told = json.loads((world.folder / f"{ID}.json").read_text())
        assert told["scheduler"] == {
            "deployment": "kai-scheduler-default", "image": world.image, "namespace": "kai-scheduler",
            "shard": "default", "version": "v0.17.0",
        }  # fmt: skip
        assert told["builtFromAPI"]["because"]["reason"] == because
        assert Manifest.decode(answer.manifest.encode(), where="m") == answer.manifest

    @pytest.mark.parametrize(
        ("behaviour", "reason"),
        [
            pytest.param("plugin-off", Reason.PLUGIN_DISABLED, id="a plugin that is off"),
            pytest.param("not-a-zip", Reason.NOT_A_ZIP, id="another server's answer"),
            pytest.param("bomb", Reason.ARCHIVE_TOO_LARGE, id="a bomb"),
        ],
    )
    def test_does_not_hide_what_a_person_has_to_mend(self, world: World, behaviour: str, reason: Reason) -> None:
        world.source["timeoutSeconds"] = 30  # a bomb takes its time
        answer = world.capture(behaviour)
        assert (answer.reason, answer.kind) == (reason, "Terminal")
        assert not any("/api/v1/pods?" in request for request in world.server.requests)

    def test_does_not_hide_a_wrong_name(self, world: World) -> None:
        world.source["scheduler"] = {"shard": "gpu-b"}
        assert world.capture().reason is Reason.SCHEDULER_NOT_FOUND

    def test_leaves_a_scheduler_that_answers_alone(self, world: World) -> None:
        answer = world.capture()
        assert answer.manifest is not None
        assert answer.manifest.built_from_api is None
        assert not any("/api/v1/pods?" in request for request in world.server.requests)

    def test_that_fails_too_says_both_and_is_tried_again(self, world: World) -> None:
        world.server.statuses[PATHS["configMaps"]] = 403
        answer = world.capture("standby")
        assert (answer.reason, answer.kind) == (Reason.FORBIDDEN, "Transient")
        assert 'a ClusterRole with apiGroups [""], resources ["configmaps"], verbs ["list"]' in answer.message
        assert "manifests/components/fallback" in answer.message
        assert "It was to stand in for the scheduler: NotLeader: " in answer.message
        assert world.files() == []
        assert list(world.spool.iterdir()) == []

    def test_has_nothing_to_add_where_it_is_the_api_server_that_fails(self, world: World) -> None:
        world.server.statuses[DEPLOYMENTS] = 503
        answer = world.capture()
        assert (answer.reason, answer.kind) == (Reason.API_UNREACHABLE, "Transient")
        assert "stand in" not in answer.message

    def test_is_not_there_unless_it_is_asked_for(self, world: World) -> None:
        del world.source["fallback"]
        assert world.capture("standby").reason is Reason.NOT_LEADER


def test_a_redacted_archive_is_all_that_is_stored_and_its_table_lies_elsewhere(world: World) -> None:
    world.redact()
    answer = world.capture()
    assert answer.manifest is not None
    assert answer.manifest.redaction is not None
    archive, manifest = (world.folder / name for name in world.files())
    (table,) = world.tables.iterdir()
    assert re.fullmatch(re.escape(archive.stem) + r"\.[0-9a-f]{8}\.table\.gz", table.name)
    assert inspect(archive).valid
    assert (inspect(archive).sha256, archive.stat().st_size) == (answer.manifest.sha256, answer.manifest.size_bytes)
    names = {name for _, name in read_table(table)}
    assert "prod-1" in names
    assert not any(name in manifest.read_text() for name in names if len(name) > 5)
    assert [path.name for path in world.spool.iterdir() if path.read_bytes() == ARCHIVE] == []


def test_a_configuration_that_was_healed_is_redacted_too(world: World) -> None:
    world.redact()
    world.config = "actions: allocate, secret-action\ntiers: []\n"
    answer = world.capture("config-null")
    assert answer.manifest is not None
    assert answer.manifest.healed
    assert "secret-action" not in answer.manifest.encode().decode()
    assert "allocate, n" in str(answer.manifest.config)


def test_with_a_key_that_is_none_nothing_is_asked_for_and_nothing_stored(world: World) -> None:
    world.redact(b"short")
    answer = world.capture()
    assert (answer.reason, answer.kind) == (Reason.INVALID_KEY, "Terminal")
    assert not any("portforward" in request for request in world.server.requests)
    assert (world.files(), world.tables.exists()) == ([], False)


def test_without_a_place_for_the_table_nothing_is_asked_for(world: World) -> None:
    world.redact()
    assert world.redaction is not None
    place = Storage.model_validate({"pvc": {"claimName": "nowhere"}})
    world.redaction = world.redaction.model_copy(update={"table": place})
    assert world.capture().reason is Reason.CLAIM_NOT_MOUNTED
    assert not any("portforward" in request for request in world.server.requests)
