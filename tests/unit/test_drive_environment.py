"""The environment beside an archive, from the run that stored it to the digest in its manifest."""

import contextlib
import hashlib
import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from kai_snapshot.api.environmentdocument import (
    CollectorReport,
    CollectorStatus,
    EnvironmentDocument,
    Measurement,
    MeasurementType,
    Subtype,
)
from kai_snapshot.cli.app import app
from kai_snapshot.cluster import CAPTURES, ConflictError
from kai_snapshot.collectors import of_node
from kai_snapshot.collectors.host import Host
from kai_snapshot.environment.smi import no_answer
from kai_snapshot.environment.text import decode
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.runs.catalog import ids
from kai_snapshot.runs.deliver_environment import NODE_COLLECTORS
from kai_snapshot.runs.prune import remove_all
from kai_snapshot.runs.request import Answer
from kai_snapshot.stores.directory import DirectoryStore
from support.cluster import NAMESPACE
from support.environments import FOLDER, World, document, pod_of
from unit.test_drive import FakeChildren

NODES = {"gpu-1": {"pool": "gpu"}, "gpu-2": {"pool": "gpu"}, "cpu-1": {"pool": "cpu"}}
PER_NODE: dict[str, Any] = {"mode": "PerNode", "nodeSelector": {"pool": "gpu"}}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "archives").mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).exists())
    return World(tmp_path, FakeChildren(), NODES)


def test_without_a_wish_there_is_none(world: World) -> None:
    world.put(None)
    world.run()
    world.look()
    assert "environment" not in world.status()
    assert world.condition() is None
    assert world.steps.started == []


def test_the_archive_is_ready_before_the_environment_begins(world: World) -> None:
    world.put(PER_NODE)
    world.run()
    assert world.steps.started == []
    assert world.condition("Ready") == ("True", "Scheduled")
    assert world.condition("LastCaptureSucceeded") == ("True", "Succeeded")
    assert world.condition() == ("Unknown", "Progressing")


def test_of_the_cluster_alone_it_needs_no_pod(world: World) -> None:
    world.put({"mode": "ClusterOnly"})
    id_ = world.run()
    world.look(times=3)
    assert world.cluster.made_jobs == {}
    assert (world.beside["outcome"], world.condition()) == ("Succeeded", ("True", "Succeeded"))
    with world.store.open(FOLDER.environment(id_).cluster) as file:
        content = file.read().decode()
    assert "version: v1.35.4" in content
    assert "kai: v0.17.0" in content
    assert world.index().cluster.sha256 == hashlib.sha256(content.encode()).hexdigest()


def test_from_the_plan_to_the_digest_in_the_manifest(world: World) -> None:
    world.put(PER_NODE)
    id_ = world.run()
    world.look(times=2)
    assert world.working_on() == ["gpu-1", "gpu-2"]
    world.hand_in("gpu-1")
    world.hand_in("gpu-2", document(failed="gpu"))
    world.look(times=2)

    assert world.condition() == ("True", "Succeeded")
    nodes = world.beside["nodes"]
    assert nodes == {"matching": 2, "total": 2, "captured": 2, "incomplete": 1, "failed": 0}
    beside = world.manifest(id_).environment
    assert beside is not None
    with world.store.open(FOLDER.environment(id_).index) as file:
        assert beside.sha256 == hashlib.sha256(file.read()).hexdigest() == world.beside["sha256"]
    assert (beside.documents, beside.failed) == (2, 0)
    assert [record.missing for record in world.index().nodes] == [(), ("gpu",)]
    assert world.index().nodes[0].gpu_count == 8
    assert "EnvironmentCaptured" in dict(world.cluster.events)
    assert world.look() is None, "nothing is left to do"


def test_a_document_has_what_the_pod_may_not_ask(world: World) -> None:
    world.put(PER_NODE)
    world.run()
    world.look(times=2)
    world.hand_in("gpu-1")
    stored = world.stored("gpu-1")
    assert stored.source_node == "gpu-1", "the token says so, not the pod"
    assert [each.type for each in stored.measurements] == ["K8s", "GPU", "OS", "SystemD", "NodeTopology"]
    node = stored.measurements[0].subtype("node")
    assert node is not None
    assert (node.data["source-node"], node.data["provider"], node.data["kernel-version"]) == ("gpu-1", "eks", "6.8.0")
    assert [each.subtype for each in stored.measurements[0].subtypes].count("node") == 1


def test_a_single_node_is_the_first_that_fits(world: World) -> None:
    world.put({**PER_NODE, "mode": "SingleNode"})
    world.run()
    world.look(times=2)
    assert world.working_on() == ["gpu-1"]
    assert world.beside["nodes"]["matching"] == 2


def test_no_more_are_at_work_than_wanted_and_the_next_follows(world: World) -> None:
    world.put({"mode": "PerNode", "parallelism": 1, "maxNodes": 2})
    world.run()
    world.look(times=3)
    assert world.working_on() == ["cpu-1"]
    world.hand_in("cpu-1")
    world.look()
    assert world.working_on() == ["cpu-1", "gpu-1"], "maxNodes leaves gpu-2 out"


def test_a_node_that_fails_fails_alone_and_says_why(world: World) -> None:
    world.put(PER_NODE)
    id_ = world.run()
    world.look(times=2)
    world.hand_in("gpu-1")
    said = '{"reason":"GPUNotFound","message":"none on the PCI bus"}'
    ended = {"name": "environment", "state": {"terminated": {"exitCode": 65, "message": said}}}
    world.end_job("gpu-2", pod={"phase": "Failed", "containerStatuses": [ended]}, reason="BackoffLimitExceeded")
    world.look(times=3)
    assert (world.beside["outcome"], world.condition()) == ("PartiallyFailed", ("False", "PartiallyFailed"))
    (failure,) = world.beside["failures"]
    assert failure == {"node": "gpu-2", "reason": "GPUNotFound", "message": "none on the PCI bus"}
    assert world.condition("Ready") == ("True", "Scheduled")
    assert world.manifest(id_).environment.failed == 1  # type: ignore[union-attr]


def test_if_all_nodes_fail_alike_their_reason_is_the_environments(world: World) -> None:
    world.put(PER_NODE)
    world.run()
    world.look(times=2)
    for node in ("gpu-1", "gpu-2"):
        world.end_job(node, reason="DeadlineExceeded")
    world.look(times=3)
    assert (world.beside["outcome"], world.beside["reason"]) == ("Failed", "DeadlineExceeded")
    assert "DeadlineExceeded" in dict(world.cluster.events)


def test_a_pod_that_is_forbidden_is_no_matter_of_waiting(world: World) -> None:
    world.put({**PER_NODE, "privileged": True})
    world.run()
    world.look(times=2)
    why = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged'
    for job in world.cluster.made_jobs.values():
        world.cluster.pod_refusals[job["metadata"]["uid"]] = why
    world.look(times=3)
    assert (world.beside["outcome"], world.beside["reason"]) == ("Failed", "PodForbidden")
    assert "violates PodSecurity" in world.beside["failures"][0]["message"]
    assert world.cluster.made_jobs == {}, "Jobs that come to nothing are gone"


def test_a_namespace_that_admits_a_privileged_pod_has_none_unless_the_operator_is_told(world: World) -> None:
    settings = replace(world.services.settings, privileged_namespaces=("elsewhere",))
    world.services = replace(world.services, settings=settings)
    world.put({**PER_NODE, "privileged": True})
    world.run()
    world.look(times=4)
    assert world.cluster.made_jobs == {}
    assert (world.beside["outcome"], world.beside["reason"]) == ("Failed", "PodForbidden")
    assert "KAI_SNAPSHOT_PRIVILEGED_NAMESPACES" in world.beside["failures"][0]["message"]
    assert world.condition("Ready") == ("True", "Scheduled")


def test_no_node_that_fits_is_said(world: World) -> None:
    world.put({"mode": "PerNode", "nodeSelector": {"pool": "none"}})
    world.run()
    world.look(times=3)
    assert (world.beside["outcome"], world.beside["reason"]) == ("PartiallyFailed", "NodeNotFound")


@pytest.mark.parametrize(("privileged", "missing"), [(False, ()), (True, ("systemd",))])
def test_units_are_not_missed_where_nothing_of_the_host_is_seen(
    world: World, privileged: bool, missing: tuple[str, ...]
) -> None:
    world.put({**PER_NODE, "privileged": privileged})
    world.run()
    world.look(times=2)
    world.hand_in("gpu-1", document(failed="systemd"))
    assert world.record("gpu-1").missing == missing


def test_a_driver_that_does_not_answer_makes_a_node_incomplete_and_is_no_drift(world: World) -> None:
    def found(smi: Subtype, message: str | None) -> EnvironmentDocument:
        report = CollectorReport(name="gpu", status=CollectorStatus.SUCCEEDED, duration_seconds=1, message=message)
        gpu = Measurement(type=MeasurementType.GPU, subtypes=(smi,))
        return document().model_copy(update={"measurements": (gpu,), "collectors": (report,)})

    why = "nvidia-smi did not answer within 7 s"
    whole = found(Subtype(subtype="smi", data={"gpu-count": 8, "driver": "570.133.20"}), None)
    world.put({**PER_NODE, "mode": "SingleNode"})
    for content in (whole, found(no_answer(why), why)):
        world.run()
        world.look(times=2)
        world.hand_in("gpu-1", content)
        world.look(times=2)
    assert world.record("gpu-1").missing == ("gpu",)
    assert (world.beside["outcome"], world.beside["nodes"]["incomplete"]) == ("Succeeded", 1)
    assert world.beside["drift"]["changes"] == 0


class TestTheNextRun:
    def test_does_not_wait_for_an_environment_and_cuts_none_off(self, world: World) -> None:
        world.put(PER_NODE)
        first = world.run()
        world.look(times=2)
        second = world.run()
        assert world.status()["lastSuccessfulCapture"]["id"] == second
        assert world.beside["id"] == first
        assert "EnvironmentSkipped" in dict(world.cluster.events)
        world.hand_in("gpu-1")
        world.hand_in("gpu-2")
        world.look(times=2)
        assert world.manifest(first).environment is not None
        assert world.manifest(second).environment is None

    def test_has_names_of_its_own_for_its_jobs(self, world: World) -> None:
        world.put(PER_NODE)
        world.run()
        world.look(times=2)
        before = set(world.cluster.made_jobs)
        for node in ("gpu-1", "gpu-2"):
            world.hand_in(node)
        world.look(times=2)
        world.run()
        world.look(times=2)
        assert len(set(world.cluster.made_jobs) - before) == 2

    def test_is_compared_with_the_one_before(self, world: World) -> None:
        world.put(PER_NODE)
        first = world.run()
        world.look(times=2)
        for node in ("gpu-1", "gpu-2"):
            world.hand_in(node)
        world.look(times=2)
        assert "drift" not in world.beside
        second = world.run()
        world.look(times=2)
        world.hand_in("gpu-1")
        world.hand_in("gpu-2", document(swappiness="10"))
        world.look(times=2)
        drift = world.beside["drift"]
        assert (drift["since"], drift["nodes"], drift["changes"]) == (first, 1, 1), "what always changes is ignored"
        assert drift["examples"] == ["gpu-2: OS.sysctl./proc/sys/vm/swappiness 60 -> 10"]
        assert "EnvironmentDrift" in dict(world.cluster.events)
        assert world.store.stat(FOLDER.environment(second).drift) is not None

    def test_is_left_its_archive_and_what_it_is_compared_with_by_retention(self, world: World) -> None:
        world.put(PER_NODE, retention={"keepLast": 1})
        first = world.run()
        world.look(times=2)
        world.run()  # while the environment is under way
        for node in ("gpu-1", "gpu-2"):
            world.hand_in(node)
        world.look(times=2)
        assert world.manifest(first).environment is not None
        third = world.run()
        world.look(times=2)
        world.hand_in("gpu-1")
        world.hand_in("gpu-2", document(swappiness="10"))
        world.look(times=2)
        assert (world.beside["drift"]["since"], world.beside["drift"]["changes"]) == (first, 1)
        fourth = world.run()
        left = ids(list(world.store.list(FOLDER.prefix)))
        assert sorted(left) == sorted((third, fourth)), "the first is compared with no more"

    def test_leaves_the_gauges_of_the_one_before_alone_until_it_is_over(self, world: World) -> None:
        def gauge(name: str) -> float | None:
            labels = {"namespace": NAMESPACE, "name": "hourly"}
            return world.services.metrics.registry.get_sample_value(f"kai_snapshot_capture_environment_{name}", labels)

        world.put(PER_NODE)
        for swappiness, drift in (("60", None), ("10", 1)):
            world.run()
            world.look(times=2)
            world.hand_in("gpu-1")
            world.hand_in("gpu-2", document(swappiness=swappiness))
            world.look(times=2)
            world.look_at_capture()
            assert (gauge("nodes"), gauge("failed_nodes"), gauge("drift_changes")) == (2, 0, drift)
        world.run()
        world.look(times=2)
        world.look_at_capture()
        assert world.beside["outcome"] == "Running"
        assert (gauge("nodes"), gauge("failed_nodes"), gauge("drift_changes")) == (2, 0, 1)
        world.put(None)
        world.look_at_capture()
        world.look()
        world.look_at_capture()
        assert (gauge("nodes"), gauge("failed_nodes"), gauge("drift_changes")) == (None, None, None)

    def test_says_what_changed_in_the_cluster_once_and_not_for_each_node(self, world: World) -> None:
        world.put(PER_NODE)
        for version in ("v1.35.4", "v1.36.0"):
            world.run(version=version)
            world.look(times=2)
            for node in ("gpu-1", "gpu-2"):
                world.hand_in(node)
            world.look(times=2)
        drift = world.beside["drift"]
        assert (drift["nodes"], drift["changes"]) == (0, 1)
        assert drift["examples"] == ["the cluster: K8s.server.version v1.35.4 -> v1.36.0"]


class TestARestart:
    def test_between_any_two_steps_is_healed_by_looking_again(self, world: World) -> None:
        world.put(PER_NODE)
        id_ = world.run()
        for _ in range(4):
            world.steps.forget(f"{NAMESPACE}/hourly")  # a new operator has no children
            world.look()
        assert world.working_on() == ["gpu-1", "gpu-2"]
        assert len(world.cluster.secrets) == 2
        world.hand_in("gpu-1")
        world.cluster.made_jobs.clear()  # their time to live is over
        world.steps.forget(f"{NAMESPACE}/hourly")
        world.look(times=2)
        assert world.working_on() == ["gpu-2"], "what is recorded is not recorded again"
        world.hand_in("gpu-2")
        world.look(times=3)
        assert world.manifest(id_).environment is not None

    def test_between_job_and_token_is_healed_as_long_as_the_pod_waits(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.put(PER_NODE)
        world.run()
        world.look()

        def ends(secret: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(world.cluster, "create_secret", ends)
            with pytest.raises(KeyboardInterrupt):
                world.look()
        assert world.working_on() == ["gpu-1"]
        assert world.cluster.secrets == {}
        (job,) = world.cluster.made_jobs.values()
        waiting = {"name": "environment", "state": {"waiting": {"reason": "ContainerCreating"}}}
        world.cluster.made_pods.append(pod_of(job, phase="Pending", containerStatuses=[waiting]))
        world.look()
        owners = [secret["metadata"]["ownerReferences"][0]["uid"] for secret in world.cluster.secrets.values()]
        assert sorted(owners) == sorted(each["metadata"]["uid"] for each in world.cluster.made_jobs.values())

    def test_writes_nothing_where_nothing_is_missing(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.put(PER_NODE)
        world.run()
        world.look(times=2)

        def full(_: Any) -> None:
            raise TransientError(Reason.FORBIDDEN, "exceeded quota: jobs, secrets")

        monkeypatch.setattr(world.cluster, "create_job", full)
        monkeypatch.setattr(world.cluster, "create_secret", full)
        world.look()
        assert "exceeded" not in world.beside["message"], "a quota is full of the Jobs that it counts"

    def test_after_the_index_was_written_names_it_in_the_manifest(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.put({"mode": "ClusterOnly"})
        id_ = world.run()
        world.look(times=2)
        refused = monkeypatch.context

        def conflict(*_: Any) -> None:
            raise ConflictError("hourly")

        with refused() as patch:
            patch.setattr(world.cluster, "replace_status", conflict)
            with pytest.raises(ConflictError):
                world.look()
        assert world.manifest(id_).environment is not None
        assert world.beside["outcome"] == "Running"
        world.look()
        assert world.beside["outcome"] == "Succeeded"


class TestTroubles:
    def test_a_step_that_may_heal_is_tried_again_but_not_at_once(self, world: World) -> None:
        world.put({"mode": "ClusterOnly"})
        world.run()
        away = Answer.of(TransientError(Reason.STORAGE_UNREACHABLE, "the storage is away"))
        world.steps.answers = [away]
        world.look(times=3)
        assert world.steps.started == ["Plan"]
        assert world.beside["outcome"] == "Running"
        assert "StorageUnreachable: the storage is away" in world.beside["message"]

    def test_a_step_that_will_never_heal_ends_it(self, world: World) -> None:
        world.put({"mode": "ClusterOnly"})
        id_ = world.run()
        world.steps.answers = [Answer.of(TerminalError(Reason.OUT_OF_MEMORY, "too large"))]
        world.look(times=2)
        assert (world.beside["outcome"], world.condition()) == ("Failed", ("False", "OutOfMemory"))
        assert world.condition("Ready") == ("True", "Scheduled")
        assert world.manifest(id_).environment is None

    def test_a_storage_that_is_away_is_waited_for(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.put(PER_NODE)
        world.run()

        def away(*_: Any) -> None:
            raise TransientError(Reason.STORAGE_UNREACHABLE, "it is away")

        monkeypatch.setattr("kai_snapshot.runs.observe_environment.store_for", away)
        assert world.look() is not None
        assert world.beside["outcome"] == "Running"
        assert world.beside["message"] == "StorageUnreachable: it is away"

    def test_an_archive_that_retention_takes_meanwhile_does_not_come_back(self, world: World) -> None:
        world.put(PER_NODE)
        id_ = world.run()
        world.look(times=2)
        world.hand_in("gpu-1")
        world.store.delete(FOLDER.manifest(id_))
        with pytest.raises(TerminalError) as refused:
            world.hand_in("gpu-2")
        assert refused.value.reason == Reason.TRANSFER_REFUSED
        assert world.store.stat(FOLDER.environment(id_).node("gpu-2")) is None, "nobody would clear it away"
        world.end_job("gpu-2", reason="BackoffLimitExceeded")
        world.look(times=3)
        assert (world.beside["outcome"], world.beside["reason"]) == ("Failed", "ArchiveNotFound")
        assert world.store.stat(FOLDER.manifest(id_)) is None

    def test_why_a_node_failed_is_not_left_where_the_archive_is_gone(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.put(PER_NODE)
        id_ = world.run()
        world.look(times=2)
        world.end_job("gpu-1", reason="DeadlineExceeded")
        put = DirectoryStore.put

        def meanwhile(store: Any, key: str, content: Any) -> None:
            world.store.delete(FOLDER.manifest(id_))
            put(store, key, content)

        monkeypatch.setattr(DirectoryStore, "put", meanwhile)
        world.look(times=2)
        here = FOLDER.environment(id_)
        assert here.recorded(world.store.list(here.prefix)) == set(), "nobody would clear it away"
        assert (world.beside["outcome"], world.beside["reason"]) == ("Failed", "ArchiveNotFound")
        assert world.working_on() == ["gpu-1"], "that of the other is gone, and this one is over"

    def test_the_jobs_go_with_an_environment_whose_storage_stays_away(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.put(PER_NODE)
        world.run()
        world.look(times=2)

        def away(*_: Any) -> None:
            raise TransientError(Reason.STORAGE_UNREACHABLE, "it is away")

        monkeypatch.setattr("kai_snapshot.runs.observe_environment.store_for", away)
        monkeypatch.setattr("kai_snapshot.reconcile.environment.ALLOWANCE", timedelta(hours=-1))
        world.look()
        assert (world.beside["outcome"], world.beside["reason"]) == ("Failed", "StorageUnreachable")
        assert world.cluster.made_jobs == {}

    def test_a_job_that_cannot_be_deleted_leaves_its_environment_under_way(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.put(PER_NODE)
        world.run()
        world.look(times=2)
        world.put(None)

        def away(*_: Any) -> None:
            raise TransientError(Reason.API_UNREACHABLE, "away")

        for call in ("delete_job", "jobs"):
            with monkeypatch.context() as patch:
                patch.setattr(world.cluster, call, away)
                with contextlib.suppress(TransientError):
                    world.look()
            assert "environment" in world.status()
        world.look()
        assert "environment" not in world.status()
        assert world.cluster.made_jobs == {}

    def test_a_job_the_api_server_will_never_take_is_what_becomes_of_its_node(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.put(PER_NODE)
        world.run()
        world.look()

        def refuse(job: Any) -> None:
            raise TerminalError(Reason.INVALID_SPEC, "spec.template.spec.containers[0].image: Invalid value")

        monkeypatch.setattr(world.cluster, "create_job", refuse)
        world.look(times=3)
        assert (world.beside["outcome"], world.beside["reason"]) == ("Failed", "InvalidSpec")

    def test_a_quota_for_jobs_is_waited_for_and_said(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.put(PER_NODE)
        world.run()
        world.look()

        def refuse(job: Any) -> None:
            raise TransientError(Reason.FORBIDDEN, "exceeded quota: jobs")

        monkeypatch.setattr(world.cluster, "create_job", refuse)
        world.look()
        assert (world.beside["outcome"], world.beside["message"]) == ("Running", "Forbidden: exceeded quota: jobs")

    @pytest.mark.parametrize("words", ["exceeded quota: jobs", "request {} was refused"])
    def test_what_fails_at_each_look_is_written_once_and_not_tried_again_at_once(
        self, world: World, monkeypatch: pytest.MonkeyPatch, words: str
    ) -> None:
        """Each write of a status is news, and news make for another look."""
        world.put(PER_NODE)
        world.run()
        world.look()
        asked: list[str] = []

        def refuse(job: Any) -> None:
            asked.append(job["metadata"]["name"])
            raise TransientError(Reason.FORBIDDEN, words.format(len(asked)))

        monkeypatch.setattr(world.cluster, "create_job", refuse)
        before = world.cluster.status_writes
        again_at = world.look()
        assert (world.cluster.status_writes - before, len(asked)) == (1, 1)
        assert world.look(times=3) == again_at
        assert (world.cluster.status_writes - before, len(asked)) == (1, 1)
        assert world.beside["nodes"]["total"] == 2, "what is known is told all the same"

    def test_a_job_that_a_policy_denies_is_what_becomes_of_its_node(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.put(PER_NODE)
        world.run()
        world.look()
        create = world.cluster.create_job

        def refuse(job: Any) -> Any:
            if job["metadata"]["annotations"]["kai-snapshot.io/node"] == "gpu-2":
                return create(job)
            raise TransientError(Reason.FORBIDDEN, 'admission webhook "policy" denied the request: no root')

        monkeypatch.setattr(world.cluster, "create_job", refuse)
        world.look()
        assert world.working_on() == ["gpu-2"]
        world.hand_in("gpu-2")
        world.look(times=2)
        (failure,) = world.beside["failures"]
        assert (failure["node"], failure["reason"]) == ("gpu-1", "PodForbidden")

    def test_one_node_that_cannot_be_written_down_holds_up_no_other(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.put(PER_NODE)
        world.run()
        world.look(times=2)
        for node in ("gpu-1", "gpu-2"):
            world.end_job(node, reason="DeadlineExceeded")
        put = DirectoryStore.put

        def refuse(store: Any, key: str, content: Any) -> None:
            if key.endswith("gpu-1.json"):
                raise TerminalError(Reason.STORAGE_REFUSED, "not this one")
            put(store, key, content)

        monkeypatch.setattr(DirectoryStore, "put", refuse)
        world.look()
        assert world.record("gpu-2").problem is not None
        assert world.beside["message"] == "StorageRefused: not this one"

    def test_a_wish_that_is_taken_back_ends_what_is_under_way(self, world: World) -> None:
        world.put(PER_NODE)
        world.run()
        world.look(times=2)
        world.put(None)
        world.look_at_capture()
        world.look()
        assert "environment" not in world.status()
        assert world.condition() is None
        assert world.cluster.made_jobs == {}


def test_what_a_step_stores_while_the_archives_are_removed_goes_as_well(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(PER_NODE, deletionPolicy="Delete")
    world.look_at_capture()  # the finalizer
    world.run()
    deleted = world.cluster.get(CAPTURES, NAMESPACE, "hourly")
    assert deleted is not None
    deleted["metadata"]["deletionTimestamp"] = "2026-11-22T11:00:00Z"
    world.cluster.put(CAPTURES, deleted)
    calls: list[int] = []

    def meanwhile(store: Any, folder: Any, **how: Any) -> int:
        removed = remove_all(store, folder, **how)
        calls.append(removed)
        if len(calls) == 1:  # a look that had not seen the deletion has begun a step
            world.steps.answers = [Answer()]
            world.steps.start(f"{NAMESPACE}/hourly", "20261122T100000Z/Plan", None, attempt=1)
            store.put(FOLDER.environment("20261122T100000Z").plan, io.BytesIO(b"{}"))
        return removed

    monkeypatch.setattr("kai_snapshot.runs.drive_capture.remove_all", meanwhile)
    world.look_at_capture()
    assert list(world.store.list()) == []
    assert world.cluster.get(CAPTURES, NAMESPACE, "hourly") is None


class TestWhatAPodHandsIn:
    @pytest.fixture
    def begun(self, world: World) -> World:
        world.put(PER_NODE)
        world.run()
        world.look(times=2)
        return world

    def refused(self, begun: World, node: str, content: Any = None) -> Reason:
        with pytest.raises(SnapshotError) as error:
            begun.hand_in(node, content)
        return error.value.reason

    def test_counts_once_and_the_same_again_is_fine(self, begun: World) -> None:
        same = document()
        begun.hand_in("gpu-1", same)
        begun.hand_in("gpu-1", same)
        assert self.refused(begun, "gpu-1", document(swappiness="1")) == Reason.RESULT_EXISTS

    def test_is_refused_of_a_node_nobody_asked_about(self, begun: World) -> None:
        assert self.refused(begun, "cpu-1") == Reason.TRANSFER_REFUSED

    @pytest.mark.parametrize("content", [b"[]", b"{", b"kind: Snapshot\nmeasurements: []\n"])
    def test_must_be_a_document_in_json(self, begun: World, content: bytes) -> None:
        assert self.refused(begun, "gpu-1", content) == Reason.INVALID_ENVIRONMENT

    def test_may_name_every_collector_that_there_is(self) -> None:
        assert set(of_node(Host(None), units=())) == NODE_COLLECTORS

    def test_names_no_collector_that_there_is_not(self, begun: World) -> None:
        made_up = CollectorReport(name="a" * 9999, status=CollectorStatus.FAILED, duration_seconds=1)
        begun.hand_in("gpu-1", document().model_copy(update={"collectors": (made_up,)}))
        assert begun.record("gpu-1").missing == ()
        families = begun.services.metrics.registry.collect()
        assert made_up.name not in {s.labels.get("collector") for family in families for s in family.samples}

    def test_is_refused_once_the_environment_is_over(self, begun: World) -> None:
        part = begun.part("gpu-1")
        for node in ("gpu-1", "gpu-2"):
            begun.end_job(node, reason="DeadlineExceeded")
        begun.look(times=3)
        assert begun.beside["outcome"] == "Failed"
        assert self.refused(begun, part.node) == Reason.TRANSFER_REFUSED

    def test_is_refused_of_a_capture_that_was_made_anew(self, begun: World) -> None:
        found = begun.cluster.get(CAPTURES, NAMESPACE, "hourly")
        assert found is not None
        found["metadata"]["uid"] = "another"
        begun.cluster.put(CAPTURES, found)
        assert self.refused(begun, "gpu-1") == Reason.TRANSFER_REFUSED

    def test_is_counted_under_the_snapshotters_names(self, begun: World) -> None:
        begun.hand_in("gpu-1")
        begun.end_job("gpu-2", reason="DeadlineExceeded")
        begun.look()
        value = begun.services.metrics.registry.get_sample_value
        assert value("aicr_snapshot_collection_total", {"status": "success"}) == 1
        assert value("aicr_snapshot_collection_total", {"status": "error"}) == 1
        assert value("aicr_snapshot_measurements") == 5
        assert value("aicr_snapshot_collector_duration_seconds_count", {"collector": "gpu"}) == 1
        assert value("aicr_snapshot_collection_duration_seconds_sum") == 0.5


class TestTheCommand:
    @pytest.fixture
    def place(self, world: World, tmp_path: Path) -> list[str]:
        world.put(PER_NODE)
        world.run()
        world.look(times=2)
        world.hand_in("gpu-1")
        world.end_job("gpu-2", reason="DeadlineExceeded")
        world.look(times=3)
        return ["--dir", str(tmp_path / "archives")]

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["environment", "get", "latest", *arguments])

    def test_gets_the_documents_with_the_header_that_is_wanted(self, place: list[str]) -> None:
        done = self.run(*place, "--api-version", "aicr.run/v1")
        assert done.exit_code == 0, done.stderr
        found = decode(done.stdout.encode(), where="stdout")
        assert (found.api_version, found.source_node) == ("aicr.run/v1", "gpu-1")

    def test_says_why_a_node_has_none(self, place: list[str]) -> None:
        done = self.run(*place, "--node", "gpu-2")
        assert "NodeNotFound" in done.stderr
        assert "DeadlineExceeded" in done.stderr

    def test_refuses_what_is_not_what_the_manifest_says(self, place: list[str], world: World) -> None:
        world.store.put(FOLDER.environment(world.beside["id"]).node("gpu-1"), io.BytesIO(b"kind: Snapshot"))
        done = self.run(*place)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "ChecksumMismatch" in done.stderr

    def test_of_an_archive_without_any_says_so(self, world: World, tmp_path: Path) -> None:
        world.put(None)
        world.run()
        done = self.run("--dir", str(tmp_path / "archives"))
        assert "no environment is recorded" in done.stderr

    def test_list_says_where_there_is_one(self, place: list[str]) -> None:
        done = CliRunner().invoke(app, ["list", *place])
        assert "environment of 1 node" in done.stdout
