"""A document on its way: in a log, in a ConfigMap, through a template; and a document put together."""

import base64
import gzip
import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.environmentdocument import (
    CollectorReport,
    CollectorStatus,
    EnvironmentDocument,
    Measurement,
    MeasurementType,
    Subtype,
)
from kai_snapshot.environment import configmap, frame
from kai_snapshot.environment.assemble import assemble, in_cluster, require_gpu
from kai_snapshot.environment.cluster import ClusterFacts
from kai_snapshot.environment.template import render
from kai_snapshot.environment.text import Form, decode
from kai_snapshot.errors import Reason, TerminalError

AT = datetime(2026, 3, 12, 9, 41, 27, tzinfo=UTC)


def measured(type_: str, subtype: str, **data: str | int | bool) -> Measurement:
    return Measurement(type=type_, subtypes=(Subtype(subtype=subtype, data=data),))


def document(*measurements: Measurement) -> EnvironmentDocument:
    return assemble(measurements, (), node_name="gpu-1", at=AT, api_version="aicr.nvidia.com/v1alpha1")


RELEASE = document(measured("OS", "release", ID="ubuntu", LTS=True))


class TestFrame:
    @given(st.text(), st.text())
    def test_whatever_else_is_in_the_log_the_document_is_found(self, before: str, after: str) -> None:
        log = f"{before}\n{frame.encode(RELEASE)}{after}"
        assert frame.decode(log, where="the log") == RELEASE

    def test_what_was_written_beside_it_can_be_had(self) -> None:
        assert frame.beside(f"one\n{frame.encode(RELEASE)}two\n") == "one\ntwo"

    def test_the_last_one_counts(self) -> None:
        other = document(measured("OS", "release", ID="debian"))
        assert frame.decode(frame.encode(other) + frame.encode(RELEASE), where="x") == RELEASE

    @pytest.mark.parametrize("log", ["", "-----BEGIN", frame.encode(RELEASE)[:-20]])
    def test_a_log_without_a_whole_one_has_none(self, log: str) -> None:
        assert frame.decode(log, where="x") is None

    def test_one_that_was_damaged_is_told(self) -> None:
        lines = frame.encode(RELEASE).splitlines()
        for damaged in (
            [lines[0].replace("-----", "-----", 1)[:-6] + "f-----", *lines[1:]],
            [lines[0], "????", *lines[2:]],
            [lines[0], base64.b64encode(gzip.compress(b"{}")).decode(), lines[-1]],
        ):
            log = "\n".join(damaged)
            if log == "\n".join(lines):
                continue
            with pytest.raises(TerminalError, match="the log is damaged") as caught:
                frame.decode(log, where="the log")
            assert caught.value.reason is Reason.INVALID_ENVIRONMENT

    def test_one_that_is_yaml_is_refused(self) -> None:
        """In YAML a few bytes can stand for many; and what a pod hands over is not to be trusted."""
        content = b"measurements: []"
        text = base64.b64encode(gzip.compress(content)).decode()
        head = f"-----BEGIN KAI-SNAPSHOT ENVIRONMENT {hashlib.sha256(content).hexdigest()}-----"
        with pytest.raises(TerminalError, match="it is not JSON"):
            frame.decode(f"{head}\n{text}\n-----END KAI-SNAPSHOT ENVIRONMENT-----\n", where="the log")

    def test_one_that_grows_beyond_all_bounds_is_refused(self) -> None:
        bomb = base64.b64encode(gzip.compress(b" " * (frame.LARGEST + 1))).decode()
        log = frame.encode(RELEASE).splitlines()[0] + f"\n{bomb}\n-----END KAI-SNAPSHOT ENVIRONMENT-----\n"
        with pytest.raises(TerminalError, match="too large"):
            frame.decode(log, where="the log")


class TestConfigMap:
    def test_it_has_the_keys_that_aicr_reads(self) -> None:
        made = configmap.config_map(RELEASE, "yaml", namespace="gpu", name="env")
        assert set(made["data"]) == {"snapshot.yaml", "format", "timestamp"}
        assert decode(made["data"]["snapshot.yaml"].encode(), where="x") == RELEASE
        assert (made["data"]["format"], made["data"]["timestamp"]) == ("yaml", "2026-03-12T09:41:27Z")
        assert made["metadata"]["labels"]["app.kubernetes.io/component"] == "Snapshot"

    @pytest.mark.parametrize(("form", "key"), [("json", "snapshot.json"), ("table", "snapshot.txt")])
    def test_its_key_says_the_form(self, form: Form, key: str) -> None:
        assert key in configmap.config_map(RELEASE, form, namespace="gpu", name="env")["data"]

    def test_one_that_does_not_fit_is_told(self) -> None:
        large = document(measured("OS", "release", ID="x" * (1 << 20)))
        with pytest.raises(TerminalError, match="--max-nodes-per-entry") as caught:
            configmap.config_map(large, "json", namespace="gpu", name="env")
        assert caught.value.reason is Reason.CONFIG_MAP_TOO_LARGE

    def test_its_address(self) -> None:
        assert configmap.parse("cm://gpu/env") == ("gpu", "env")
        for wrong in ("cm://gpu", "cm://gpu/", "cm:///env", "gpu/env", "cm://a/b/c"):
            with pytest.raises(TerminalError, match="cm://NAMESPACE/NAME"):
                configmap.parse(wrong)


class TestTemplate:
    def test_it_sees_the_document_and_its_readings(self) -> None:
        text = (
            "{{ metadata['source-node'] }} {{ reading('OS.release.ID') }} {{ reading('OS.release.LTS') }}"
            "[{{ reading('OS.release.NO') }}]{% for each in measurements %} {{ each.type }}{% endfor %}.\n"
        )
        assert render(text, RELEASE, where="t") == "gpu-1 ubuntu true[] OS.\n"

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("{{ nothing }}", "'nothing' is undefined"),
            ("line\n{% if %}", "line 2 of t.j2"),
            ("{{ 1 / 0 }}", "division by zero"),
            ("{{ metadata.__class__.__mro__ }}", "unsafe"),
            ("{{ measurements.append(1) }}", "unsafe"),
            ("{{ 'a' + 1 }}", "t.j2"),
        ],
    )
    def test_one_that_fails_is_told(self, text: str, says: str) -> None:
        with pytest.raises(TerminalError, match="The template fails") as caught:
            render(text, RELEASE, where="t.j2")
        assert caught.value.reason is Reason.INVALID_TEMPLATE
        assert says in caught.value.message


class TestAssembling:
    def test_the_order_is_fixed_and_the_first_of_a_type_counts(self) -> None:
        found = document(measured("OS", "a"), measured("GPU", "b"), measured("K8s", "c"), measured("OS", "d"))
        assert [each.type for each in found.measurements] == ["K8s", "GPU", "OS"]
        assert found.measurement(MeasurementType.OS) == measured("OS", "a")
        assert found.metadata == {"source-node": "gpu-1", "timestamp": "2026-03-12T09:41:27Z", "version": "0.1.0"}

    def test_a_cluster_is_put_into_a_nodes_document(self) -> None:
        facts = ClusterFacts()
        facts.add_node({"metadata": {"name": "gpu-1"}})
        facts.add_node({"metadata": {"name": "gpu-2"}})
        report = CollectorReport(name="k8s", status=CollectorStatus.SUCCEEDED, duration_seconds=0.5)
        found = in_cluster(document(measured("OS", "a"), measured("K8s", "stale")), facts, [report])
        assert [each.type for each in found.measurements] == ["K8s", "OS", "NodeTopology"]
        node = found.measurements[0].subtype("node")
        assert node is not None
        assert node.data == {"source-node": "gpu-1"}
        assert found.collectors == (report,)


class TestRequireGpu:
    @pytest.mark.parametrize(
        "subtypes",
        [{"smi": 1}, {"smi": 0, "hardware": 8}, {"hardware": 1}],
        ids=["driver", "no driver", "newer document"],
    )
    def test_a_gpu_that_anything_sees_is_one(self, subtypes: dict[str, int]) -> None:
        parts = tuple(Subtype(subtype=name, data={"gpu-count": count}) for name, count in subtypes.items())
        require_gpu(document(Measurement(type="GPU", subtypes=parts)))

    def test_none_is_a_failure_with_what_the_driver_said(self) -> None:
        smi = Subtype(subtype="smi", data={"gpu-count": 0}, context={"reason": "nvidia-smi is not installed"})
        with pytest.raises(TerminalError, match="gpu-1 shows none: nvidia-smi is not installed") as caught:
            require_gpu(document(Measurement(type="GPU", subtypes=(smi,))))
        assert caught.value.reason is Reason.GPU_NOT_FOUND

    def test_a_collector_that_failed_is_the_reason(self) -> None:
        report = CollectorReport(name="gpu", status=CollectorStatus.TIMED_OUT, duration_seconds=10, message="too long")
        with pytest.raises(TerminalError, match="too long"):
            require_gpu(RELEASE.model_copy(update={"collectors": (report,)}))
