"""What became of a Job, read from statuses as the API server has them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kai_snapshot.api.result import Outcome
from kai_snapshot.jobs import names
from kai_snapshot.jobs.pods import Finding
from kai_snapshot.jobs.read import JobFacts, job_facts

CREATED = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
IMAGE = "ghcr.io/kai-scheduler/kai-scheduler/snapshot-tool:v0.17.0"
IMAGE_ID = "ghcr.io/kai-scheduler/kai-scheduler/snapshot-tool@sha256:8a1f"
DONE = {"exitCode": 0, "reason": "Completed"}


def at(seconds: float) -> str:
    return (CREATED + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def job(*conditions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "why-pending-1-a2",
            "uid": "job-uid",
            "creationTimestamp": at(0),
            "labels": {names.INDEX: "1", names.ATTEMPT: "2"},
        },
        "spec": {"backoffLimit": 1, **spec},
        "status": {"conditions": [{"status": "True", **condition} for condition in conditions]} if conditions else {},
    }


def pod(*, created: float = 1, conditions: tuple[dict[str, Any], ...] = (), **states: Any) -> dict[str, Any]:
    """A pod with the state of each container by name; `status` and `node` are the pod's own."""
    status = states.pop("status", {})
    node = states.pop("node", "worker-1")

    def state(name: str) -> dict[str, Any]:
        image = IMAGE if name == names.TOOL else "kai-snapshot-operator:1.0.0"
        given = states.get(name.replace("-", "_"), {"waiting": {"reason": "PodInitializing"}})
        known = "waiting" not in given
        return {
            "name": name,
            "image": image,
            "imageID": IMAGE_ID if known and name == names.TOOL else "",
            "state": given,
        }

    return {
        "metadata": {
            "name": f"why-pending-1-a2-{created:g}",
            "creationTimestamp": at(created),
            "ownerReferences": [{"kind": "Job", "uid": "job-uid", "controller": True}],
        },
        "spec": {
            **({"nodeName": node} if node else {}),
            "initContainers": [
                {"name": names.FETCH},
                {"name": names.TOOL, "resources": {"limits": {"memory": "512Mi"}}},
            ],
            "containers": [{"name": names.REPORT}],
        },
        "status": {
            "phase": "Pending",
            "conditions": list(conditions),
            **({"startTime": at(created)} if node else {}),
            "initContainerStatuses": [state(names.FETCH), state(names.TOOL)] if node else [],
            "containerStatuses": [state(names.REPORT)] if node else [],
            **status,
        },
    }


def ended(seconds: float = 5, **how: Any) -> dict[str, Any]:
    return {"terminated": {**DONE, "startedAt": at(2), "finishedAt": at(seconds), **how}}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


RUNNING = {"running": {"startedAt": at(2)}}
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient cpu.",
}
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
FAILED = {"type": "Failed", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
BACK_OFF = f'Back-off pulling image "{IMAGE}": ErrImagePull: not found'
OOM = {"exitCode": 137, "reason": "OOMKilled"}


def facts(of: dict[str, Any], *pods: dict[str, Any], after: float = 60) -> JobFacts:
    return job_facts(of, pods, now=CREATED + timedelta(seconds=after))


class TestWhoAndWhere:
    def test_index_and_attempt_are_in_the_labels(self) -> None:
        found = facts(job())
        assert (found.name, found.index, found.attempt) == ("why-pending-1-a2", 1, 2)

    def test_node_and_image_are_the_newest_pods(self) -> None:
        found = facts(
            job(), pod(created=1, node="old", fetch=ended()), pod(created=9, fetch=ended(), snapshot_tool=RUNNING)
        )
        assert (found.node_name, found.image_id) == ("worker-1", IMAGE_ID)

    def test_pods_of_other_jobs_are_passed_over(self) -> None:
        foreign = pod(created=50)
        foreign["metadata"]["ownerReferences"][0]["uid"] = "another"
        assert facts(job(), foreign).node_name == ""

    def test_a_pod_that_nothing_is_known_of_yet(self) -> None:
        bare = pod()
        bare["status"] = {}
        assert facts(job(), bare).not_started_since == CREATED + timedelta(seconds=1)

    @pytest.mark.parametrize(
        ("of", "is_ended", "expires"),
        [
            (job(), False, False),
            (job({"type": "Complete"}), True, False),
            (job({"type": "SuccessCriteriaMet"}), False, False),
            (job(FAILED), True, False),
            (job({"type": "FailureTarget", "reason": "PodFailurePolicy"}), False, False),
            (job({"type": "Complete"}, ttlSecondsAfterFinished=0), True, True),
        ],
        ids=["running", "complete", "soon complete", "failed", "soon failed", "expiring"],
    )
    def test_how_far_a_job_is(self, of: dict[str, Any], is_ended: bool, expires: bool) -> None:
        found = facts(of, pod(fetch=RUNNING))
        assert (found.ended, found.expires) == (is_ended, expires)


class TestNotStarted:
    @pytest.mark.parametrize(
        ("pods", "since", "message"),
        [
            ((), 0, "it has no pod yet"),
            (
                (pod(node="", conditions=(UNSCHEDULABLE,)),),
                1,
                "not scheduled: 0/3 nodes are available: 3 Insufficient cpu.",
            ),
            ((pod(),), 1, "being set up"),
            (
                (pod(fetch=waits("CreateContainerConfigError", "no such secret")),),
                1,
                "fetch waits: CreateContainerConfigError: no such",
            ),
            ((pod(fetch=waits("ImagePullBackOff", BACK_OFF)),), 1, "fetch waits: ImagePullBackOff: Back-off"),
            ((pod(created=1, fetch=ended(exitCode=1)), pod(created=30)), 30, "being set up"),
        ],
        ids=["no pod", "unschedulable", "volumes", "cannot be created", "our image", "the second pod"],
    )
    def test_waiting_says_since_when_and_why(
        self, pods: tuple[dict[str, Any], ...], since: float, message: str
    ) -> None:
        found = facts(job(), *pods)
        assert found.not_started_since == CREATED + timedelta(seconds=since)
        assert message in found.message

    @pytest.mark.parametrize(
        "pods", [(pod(fetch=RUNNING),), (pod(fetch=ended(), snapshot_tool=waits("ImagePullBackOff")),)]
    )
    def test_a_pod_that_started_is_not_waiting(self, pods: tuple[dict[str, Any], ...]) -> None:
        assert facts(job(), *pods).not_started_since is None

    @pytest.mark.parametrize("condition", [{"type": "Complete"}, FAILED])
    def test_a_job_that_ended_is_not_waiting(self, condition: dict[str, Any]) -> None:
        assert facts(job(condition)).not_started_since is None


class TestFindings:
    @pytest.mark.parametrize(
        "how",
        [OOM, {"exitCode": 0, "reason": "OOMKilled"}, {"exitCode": 137, "reason": "Error"}],
        ids=["all of its container", "only the tool, and the kubelet holds the pod", "not noted by the kubelet"],
    )
    def test_the_kernel_killed_the_tool(self, how: dict[str, Any]) -> None:
        found = facts(job(FAILED), pod(fetch=ended(), snapshot_tool=ended(9, **how))).finding
        assert found is not None
        assert found.outcome is Outcome.OOM_KILLED
        assert "(512Mi)" in found.message

    @pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"])
    @pytest.mark.parametrize(("after", "given_up"), [(124, False), (125, True)], ids=["119 s", "120 s"])
    def test_an_image_that_cannot_be_pulled_is_given_up_after_two_minutes(
        self, reason: str, after: float, given_up: bool
    ) -> None:
        stuck = pod(fetch=ended(5), snapshot_tool=waits(reason, BACK_OFF))
        message = (
            f"the image {IMAGE} could not be pulled in 2 minutes: {BACK_OFF}. "
            "See whether that version exists, give it an image of its own in spec.versions, or imagePullSecrets"
        )
        expected = Finding(Outcome.IMAGE_PULL_FAILED, message) if given_up else None
        found = facts(job(), stuck, after=after)
        assert (found.finding, found.pull_fails_at) == (expected, CREATED + timedelta(seconds=125))

    def test_our_own_image_that_cannot_be_pulled_counts_from_the_pods_start(self) -> None:
        stuck = pod(created=10, fetch=waits("ImagePullBackOff"))
        assert facts(job(), stuck, after=129).finding is None
        found = facts(job(), stuck, after=130).finding
        assert found is not None
        assert "kai-snapshot-operator:1.0.0" in found.message

    @pytest.mark.parametrize("reason", ["PodInitializing", "ContainerCreating"])
    def test_an_image_that_takes_long_to_pull_is_no_finding(self, reason: str) -> None:
        found = facts(job(), pod(fetch=ended(5), snapshot_tool=waits(reason)), after=3600)
        assert (found.finding, found.pull_fails_at) == (None, None)

    @pytest.mark.parametrize(
        ("reason", "outcome"),
        [
            ("ChecksumMismatch", Outcome.FAILED),
            ("TransferRefused", Outcome.FAILED),
            ("ConfigNull", Outcome.INCOMPATIBLE_SNAPSHOT),
            ("InvalidJSON", Outcome.INCOMPATIBLE_SNAPSHOT),
        ],
    )
    def test_what_fetch_calls_hopeless_is_final(self, reason: str, outcome: Outcome) -> None:
        said = f'{{"reason": "{reason}", "message": "It is so."}}'
        found = facts(job(FAILED), pod(fetch=ended(exitCode=65, reason="Error", message=said)))
        assert found.finding == Finding(outcome, f"{reason}: It is so.")
        assert found.message == f"{reason}: It is so."

    def test_what_fetch_may_do_better_next_time_is_no_finding_but_said(self) -> None:
        said = '{"reason": "TransferUnreachable", "message": "No way."}'
        found = facts(job(FAILED), pod(fetch=ended(exitCode=1, reason="Error", message=said)))
        assert found.finding is None
        assert found.message == "TransferUnreachable: No way."

    def test_a_pod_that_used_too_much_disk(self) -> None:
        told = "Pod ephemeral local storage usage exceeds the total limit of containers 16Gi."
        status = {"phase": "Failed", "reason": "Evicted", "message": told}
        found = facts(job(FAILED), pod(fetch=ended(), snapshot_tool=ended(exitCode=137, reason="Error"), status=status))
        assert found.finding == Finding(Outcome.FAILED, f"NoSpaceLeft: {told}")

    def test_a_pod_that_had_to_make_room_is_tried_again(self) -> None:
        status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
        pods = pod(
            fetch=ended(), snapshot_tool=ended(exitCode=137, reason="Error"), conditions=(DISRUPTED,), status=status
        )
        assert facts(job(), pods).finding is None


class TestMessages:
    @pytest.mark.parametrize(
        ("of", "pods", "message"),
        [
            (job(FAILED), (), "BackoffLimitExceeded: Job has reached the specified backoff limit"),
            (
                job(
                    {
                        "type": "Failed",
                        "reason": "DeadlineExceeded",
                        "message": "Job was active longer than specified deadline",
                    }
                ),
                (pod(fetch=RUNNING),),
                "DeadlineExceeded: Job was active longer than specified deadline",
            ),
            (
                job(FAILED),
                (pod(fetch=ended(exitCode=137, reason="OOMKilled")),),
                "fetch ended with exit code 137 (OOMKilled)",
            ),
            (job(FAILED), (pod(fetch=ended(exitCode=1, message="not ours")),), "fetch ended with exit code 1"),
            (job(), (pod(fetch=ended(), snapshot_tool=RUNNING),), ""),
            (job({"type": "Complete"}), (pod(fetch=ended(), snapshot_tool=ended(), report=ended()),), ""),
            (job(FAILED), (pod(status={"reason": "NodeLost", "message": "gone"}),), "NodeLost: gone"),
        ],
        ids=["no pod left", "deadline", "our container out of memory", "crash", "running", "complete", "lost"],
    )
    def test_why(self, of: dict[str, Any], pods: tuple[dict[str, Any], ...], message: str) -> None:
        found = facts(of, *pods).message
        assert message in found
        assert bool(message) == bool(found)


def indexed(*conditions: dict[str, Any], completed: str = "", failed: str | None = None) -> dict[str, Any]:
    """The Job of a replay of many archives."""
    made = job(*conditions, completionMode="Indexed", completions=20)
    told = {"completedIndexes": completed, "failedIndexes": failed}
    made["status"] |= {field: value for field, value in told.items() if value}
    return made


def fallen(*, created: float = 1, **states: Any) -> dict[str, Any]:
    return pod(created=created, status={"phase": "Failed"}, **states)


SOME_FAILED = {"type": "Failed", "reason": "FailedIndexes", "message": "Job has failed indexes"}
LATE = {"type": "Failed", "reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline"}


def stuck(created: float = 1, since: float = 5) -> dict[str, Any]:
    return pod(created=created, fetch=ended(since), snapshot_tool=waits("ImagePullBackOff", BACK_OFF))


class TestIndexedJobs:
    def test_one_that_is_suspended_is_not_late(self) -> None:
        held = indexed()
        held["spec"]["suspend"] = True
        assert (facts(held).suspended, facts(held).not_started_since) == (True, None)

    @pytest.mark.parametrize(
        "states",
        [
            {"fetch": ended(exitCode=65, message='{"reason": "TransferRefused", "message": "It is so."}')},
            {"fetch": ended(), "snapshot_tool": ended(9, **OOM)},
        ],
        ids=["hopeless", "out of memory"],
    )
    def test_what_concerns_one_archive_is_no_finding_about_the_version(self, states: dict[str, Any]) -> None:
        assert facts(indexed(failed="3"), fallen(**states), pod(created=9, fetch=RUNNING)).finding is None

    def test_an_image_that_no_pod_gets_is_one(self) -> None:
        pods = (stuck(), stuck(created=20, since=30))
        assert facts(indexed(), *pods, after=149).finding is None
        found = facts(indexed(), *pods, after=150)
        assert found.finding is not None
        assert found.finding.outcome is Outcome.IMAGE_PULL_FAILED
        assert found.pull_fails_at == CREATED + timedelta(seconds=150)

    @pytest.mark.parametrize(
        ("of", "others"),
        [
            (indexed(), (pod(created=2, fetch=ended(), snapshot_tool=RUNNING),)),
            (indexed(), (pod(created=2, fetch=RUNNING),)),
            (indexed(), (fallen(created=2, fetch=ended(), snapshot_tool=ended(), report=ended(exitCode=1)),)),
            (indexed(completed="0"), ()),
        ],
        ids=["another has it", "another is on its way", "one that failed had it", "one that is done had it"],
    )
    def test_an_image_that_one_pod_does_not_get_is_the_matter_of_its_node(
        self, of: dict[str, Any], others: tuple[dict[str, Any], ...]
    ) -> None:
        found = facts(of, stuck(), *others, after=3600)
        assert (found.finding, found.pull_fails_at) == (None, None)

    @pytest.mark.parametrize(
        ("of", "pods", "since"),
        [
            (indexed(), (), 0),
            (indexed(), (pod(created=1), pod(created=7)), 7),
            (indexed(completed="0-7"), (pod(created=7, node="", conditions=(UNSCHEDULABLE,)),), 7),
            (indexed(), (fallen(created=1, fetch=ended(exitCode=1)), pod(created=9)), 9),
            (indexed(), (pod(created=1, fetch=RUNNING), pod(created=7)), None),
            (indexed(completed="0"), (), None),
            (indexed(failed="0"), (), None),
            (indexed(), (fallen(fetch=ended(exitCode=1)),), None),
            (indexed({"type": "Complete"}, completed="0-19"), (), None),
            (indexed(SOME_FAILED, failed="0-19"), (pod(),), None),
        ],
        ids=[
            "no pod yet", "all wait", "no place for any more", "again", "one runs", "between two",
            "between two, failed", "between two tries", "complete", "failed",
        ],
    )  # fmt: skip
    def test_it_waits_while_none_of_its_pods_could_start(
        self, of: dict[str, Any], pods: tuple[dict[str, Any], ...], since: float | None
    ) -> None:
        expected = None if since is None else CREATED + timedelta(seconds=since)
        assert facts(of, *pods).not_started_since == expected

    @pytest.mark.parametrize(
        ("of", "pods", "message"),
        [
            (indexed(), (), "it has no pod yet"),
            (indexed(), (pod(node="", conditions=(UNSCHEDULABLE,)),), "3 Insufficient cpu."),
            (indexed(completed="0"), (pod(fetch=RUNNING),), ""),
            (
                indexed(failed="3"),
                (
                    fallen(created=1, fetch=ended(exitCode=1)),
                    fallen(created=5, fetch=ended(), snapshot_tool=ended(9, **OOM)),
                    pod(created=9, fetch=RUNNING),
                ),
                "snapshot-tool needed more memory than its container may have (512Mi)",
            ),
            (
                indexed(SOME_FAILED, failed="3"),
                (fallen(fetch=ended(exitCode=1, message="not ours")),),
                "fetch ended with exit code 1",
            ),
            (indexed(SOME_FAILED, failed="3"), (), "FailedIndexes: Job has failed indexes"),
            (indexed(LATE), (fallen(fetch=ended(exitCode=1)),), "DeadlineExceeded: Job was active longer"),
        ],
        ids=["no pod", "unschedulable", "running", "the last failure", "at the end", "no pod left", "deadline"],
    )
    def test_the_message_is_the_trouble_of_the_pod_that_failed_last(
        self, of: dict[str, Any], pods: tuple[dict[str, Any], ...], message: str
    ) -> None:
        found = facts(of, *pods).message
        assert message in found
        assert bool(message) == bool(found)

    def test_a_pod_that_was_stopped_at_its_own_deadline_was_not_out_of_memory(self) -> None:
        told = "Pod was active on the node longer than the specified deadline"
        stopped = fallen(fetch=ended(), snapshot_tool=ended(9, exitCode=137, reason="Error"))
        stopped["status"] |= {"reason": "DeadlineExceeded", "message": told}
        assert facts(indexed(failed="3"), stopped).message == told

    def test_its_pods_are_on_many_nodes_and_have_one_image(self) -> None:
        found = facts(indexed(), pod(created=1, fetch=ended(), snapshot_tool=RUNNING), pod(created=9))
        assert (found.node_name, found.image_id) == ("", IMAGE_ID)
