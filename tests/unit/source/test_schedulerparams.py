"""What a scheduler makes of its arguments and its ConfigMap."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.source import podform
from kai_snapshot.source.flags import parse_flags
from kai_snapshot.source.schedulerparams import complete_config, nanoseconds, node_pool_selector, scheduler_params

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1), ("1m30s", 90), ("1.5h", 5400), ("500ms", 0.5), ("2h45m", 9900), ("0", 0), ("-1s", -1), ("+5s", 5),
        ("10us", 1e-5), ("10µs", 1e-5), ("7ns", 7e-9), (".5s", 0.5), ("1.s", 1),
    ],
)  # fmt: skip
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert nanoseconds(text) == round(seconds * SECOND)


@pytest.mark.parametrize("text", ["", "1", "s", "1d", "1s ", "--1s", "1s2", "1h-1m", "\u0661s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        nanoseconds(text)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 999))
def test_durations_as_go_writes_them_are_read(hours: int, seconds: int, milliseconds: int) -> None:
    expected = (hours * 3600 + seconds) * SECOND + milliseconds * 10**6
    assert nanoseconds(f"{hours}h0m{seconds}s{milliseconds}ms") == expected


@pytest.mark.parametrize(
    ("arguments", "differs"),
    [
        ([], {}),
        (["--restrict-node-scheduling"], {"restrictSchedulingNodes": True}),
        (["--restrict-node-scheduling=false"], {}),
        (["--full-hierarchy-fairness=false"], {"fullHierarchyFairness": None}),
        (["--use-scheduling-signatures=F"], {"useSchedulingSignatures": None}),
        (["--default-staleness-grace-period=-1s"], {"globalDefaultStalenessGracePeriod": -SECOND}),
        (["--default-staleness-grace-period", "0"], {"globalDefaultStalenessGracePeriod": None}),
        (["--schedule-period=500ms", "--schedule-period=2s"], {"schedulePeriod": 2 * SECOND}),
        (["--max-consolidation-preemptees=4"], {"maxNumberConsolidationPreemptees": 4}),
        (["--max-consolidation-preemptees=many"], {}),
        (["--scheduler-name=other", "--queue-label-key=q"], {"schedulerName": "other", "queueLabelKey": "q"}),
        (["--detailed-fit-errors", "--update-pod-eviction-condition=1"],
         {"detailedFitErrors": True, "updatePodEvictionCondition": True}),
        (["--nodepool-label-key=pool", "--partition-label-value=a"],
         {"partitionParams": {"NodePoolLabelKey": "pool", "NodePoolLabelValue": "a"}}),
    ],
)  # fmt: skip
def test_arguments_become_parameters_and_what_is_zero_is_absent(arguments: list[str], differs: dict[str, Any]) -> None:
    expected = {
        "schedulerName": "kai-scheduler",
        "partitionParams": {"NodePoolLabelKey": "kai.scheduler/node-pool", "NodePoolLabelValue": ""},
        "maxNumberConsolidationPreemptees": 16,
        "useSchedulingSignatures": True,
        "fullHierarchyFairness": True,
        "allowConsolidatingReclaim": True,
        "numOfStatusRecordingWorkers": 5,
        "globalDefaultStalenessGracePeriod": 60 * SECOND,
        "schedulePeriod": SECOND,
        "stuckInReleasingThreshold": 120 * SECOND,
        "queueLabelKey": "kai.scheduler/queue",
    } | differs
    assert scheduler_params(parse_flags(arguments)) == {key: each for key, each in expected.items() if each is not None}


@pytest.mark.parametrize(
    ("arguments", "selector"),
    [
        ([], "!kai.scheduler/node-pool"),
        (["--partition-label-value=a"], "kai.scheduler/node-pool=a"),
        (["--nodepool-label-key="], ""),
    ],
)
def test_a_shard_selects_its_node_pool(arguments: list[str], selector: str) -> None:
    assert node_pool_selector(parse_flags(arguments)) == selector


class TestSearchBudgets:
    CONFIG = {"actions": "allocate", "tiers": [{"plugins": []}]}

    def test_are_filled_in_where_the_version_has_them(self) -> None:
        found = complete_config(
            self.CONFIG | {"scenarioSearchBudgets": {"maxGeneratorSearchDuration": {"default": "1s"}}}, "v0.17.0"
        )
        assert found is not None
        assert found["scenarioSearchBudgets"] == {
            "maxActionSearchDuration": {"default": "5m0s"},
            "maxJobSearchDuration": "4m0s",
            "minJobSearchDuration": "0s",
            "maxGeneratorSearchDuration": {"MultiNodeGang": "2m0s", "NodeLocalGreedy": "30s", "default": "1s"},
        }

    @pytest.mark.parametrize(
        "said", [None, "x", [], {"maxActionSearchDuration": None}, {"maxActionSearchDuration": "x"}]
    )
    def test_that_cannot_be_read_are_filled_in(self, said: object) -> None:
        found = complete_config(self.CONFIG | {"scenarioSearchBudgets": said}, "v0.17.0")
        assert found is not None
        assert found["scenarioSearchBudgets"]["maxActionSearchDuration"] == {"default": "5m0s"}

    def test_are_not_filled_in_before(self) -> None:
        assert complete_config(self.CONFIG, "v0.15.0") == self.CONFIG


class TestPods:
    POD = {
        "metadata": {"name": "a", "managedFields": [{"manager": "kubelet"}]},
        "spec": {
            "nodeName": "n",
            "containers": [
                {
                    "name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}, "ports": [{"containerPort": 1}],
                    "env": [
                        {"name": "A", "value": "hunter2"},
                        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
                        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                        {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    ],
                    "envFrom": [{"prefix": "P", "configMapRef": {"name": "m"}}, {"secretRef": {"name": "s"}}],
                }
            ],
            "initContainers": [{"name": "i", "image": "i", "restartPolicy": "Always", "resources": {}}],
            "ephemeralContainers": [{"name": "e", "image": "i", "targetContainerName": "c"}],
        },
        "status": {"phase": "Running"},
    }  # fmt: skip

    def test_are_kept_as_the_scheduler_keeps_them(self) -> None:
        assert podform.kept(self.POD, "v0.17.0") == {
            "metadata": {"name": "a"},
            "spec": {
                "nodeName": "n",
                "containers": [
                    {
                        "name": "c",
                        "resources": {"requests": {"cpu": "1"}},
                        "ports": [{"containerPort": 1}],
                        "env": [
                            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k"}}},
                            {"name": "C", "valueFrom": {}},
                        ],
                        "envFrom": [{"configMapRef": {"name": "m"}}, {}],
                    }
                ],
                "initContainers": [{"name": "i", "restartPolicy": "Always", "resources": {}}],
                "ephemeralContainers": [{"name": "e", "targetContainerName": "c"}],
            },
            "status": {"phase": "Running"},
        }

    @pytest.mark.parametrize(
        ("version", "selector", "whole"),
        [
            ("v0.9.0", "", True),
            ("v0.16.1", "", True),
            ("v0.16.2", "status.phase!=Succeeded,status.phase!=Failed", False),
            ("v0.17.0", "status.phase!=Succeeded,status.phase!=Failed", False),
            ("0.0.0-57ec7ca8", "status.phase!=Failed", False),
            (None, "status.phase!=Failed", False),
        ],
    )
    def test_are_those_that_the_version_sees(self, version: str | None, selector: str, whole: bool) -> None:
        assert podform.left_out(version) == selector
        assert (podform.kept(self.POD, version) == self.POD) == whole
