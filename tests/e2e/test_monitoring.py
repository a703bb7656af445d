"""The alerts and the dashboard on a real Prometheus, which scrapes the real operator and the kubelet."""

from pathlib import Path

from pytest_kind.cluster import KindCluster

from chart.alerts import RULES
from stage import stage
from stage.kube import Kube
from support.archives import InBucket, OnVolume
from support.eventually import eventually
from support.monitoring import alerts, expressions, families, metrics, promtool
from support.objects import capture
from support.operatorpod import Operator
from support.prometheus import prometheus
from support.story import Story


def test_alerts_and_dashboard_ask_a_real_prometheus_of_what_the_operator_and_the_kubelet_say(
    story: Story, kube: Kube, operator: Operator, *, kind_cluster: KindCluster, volume: OnVolume, bucket: InBucket,
    tag: str, tmp_path: Path,
) -> None:  # fmt: skip
    good, bad = f"good-{tag}", f"refused-{tag}"
    story.finished(story.create(capture(good, storage=volume.spec)))
    nowhere = {"s3": {**bucket.spec["s3"], "bucket": f"nowhere-{tag}"}}
    story.finished(story.create(capture(bad, storage=nowhere)))

    proxied = f"/api/v1/namespaces/{stage.NAMESPACE}/pods/{operator.pod_name()}:8080/proxy/metrics"
    pod = kube.get("pod", operator.pod_name(), stage.NAMESPACE)
    assert pod is not None
    kubelets = f"/api/v1/nodes/{pod['spec']['nodeName']}/proxy/metrics"

    scraped = kube.get_raw(proxied)
    promtool("check", "metrics", input=scraped)
    asked = {name for expression in expressions() for name in metrics(expression)}
    assert {name for name in asked - families(scraped) if not name.startswith("kubelet_")} == set()
    # the kubelet looks at volumes once a minute
    eventually(lambda: asked - families(scraped) <= families(kube.get_raw(kubelets)), timeout=150, what="the kubelet's")

    paths = {"operator": proxied, "kubelet": kubelets}
    with prometheus(tmp_path, kubeconfig=kind_cluster.kubeconfig_path, paths=paths, rules=RULES) as running:
        for expression in expressions():
            running.query(expression)
        assert [each["value"][1] for each in running.query("leader_election_master_status")] == ["1"]
        eventually(lambda: all(state == "ok" for state in running.health().values()), what="all rules were evaluated")
        assert running.health().keys() == {rule["alert"] for rule in alerts()}
        expected = {("SnapshotCaptureFailing", bad), ("SnapshotStorageRefused", bad)}
        eventually(lambda: expected <= running.firing(), what="the alerts of the capture that is refused")
        assert not {alert for alert, name in running.firing() if name == good}
        assert "SnapshotOperatorAbsent" not in {alert for alert, _ in running.firing()}
