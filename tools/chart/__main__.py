"""Writes what is rendered from manifests/."""

from chart import alerts

alerts.PROMETHEUS_RULE.write_text(alerts.prometheus_rule(alerts.RULES.read_text()))
