"""The alerts as the Prometheus operator reads them: an object around the file that Prometheus itself reads."""

from textwrap import indent

from toolchain.places import CHECKOUT

MONITORING = CHECKOUT / "manifests" / "components" / "monitoring"
RULES = MONITORING / "rules.yaml"
PROMETHEUS_RULE = MONITORING / "prometheusrule.yaml"
_HEAD = """\
# Rendered from rules.yaml by `make chart`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kai-snapshot-operator
  namespace: kai-snapshots
spec:
"""


def prometheus_rule(rules: str) -> str:
    """The text of the PrometheusRule with these rules."""
    return _HEAD + indent(rules, "  ")
