"""Writes what is rendered from manifests/."""

from chart import alerts, render

alerts.PROMETHEUS_RULE.write_text(alerts.prometheus_rule(alerts.RULES.read_text()))
for name, text in render.files().items():
    path = render.CHART / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
