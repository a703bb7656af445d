"""The alerts and the dashboard of manifests/components/monitoring: what they ask, and which metrics that takes."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from chart.alerts import MONITORING, RULES

DASHBOARD: Final = MONITORING / "dashboard.json"
_NAMES: Final = re.compile(r"\b(?:leader_election|kai_snapshot|aicr_snapshot|kubelet|process)_\w+")
_GRAFANAS: Final = {"$__rate_interval": "5m", "$namespace": ".*"}


def alerts() -> list[dict[str, Any]]:
    """The rules, as they are written."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels."""
    return list(json.loads(DASHBOARD.read_text())["panels"])


def queries() -> list[str]:
    """What the dashboard asks, with a value in the place of each of Grafana's variables."""
    asked = [target["expr"] for panel in panels() for target in panel["targets"]]
    for variable, value in _GRAFANAS.items():
        asked = [query.replace(variable, value) for query in asked]
    return asked


def expressions() -> list[str]:
    """All PromQL there is."""
    return [*(rule["expr"] for rule in alerts()), *queries()]


def metrics(expression: str) -> set[str]:
    """The names of metrics in it."""
    return set(_NAMES.findall(expression))


def families(exposition: str) -> set[str]:
    """The names that samples of a scrape have, also of metrics that have none yet."""
    suffixes = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count", "")}
    found = re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.MULTILINE)
    return {name + suffix for name, kind in found for suffix in suffixes.get(kind, ("",))}


def promtool(*arguments: str, cwd: Path | None = None, input: str | None = None) -> str:  # noqa: A002 - subprocess' word
    """What promtool says, which must be nothing bad."""
    program = shutil.which("promtool")
    assert program is not None, "promtool is not on the PATH: `make setup` installs it"
    done = subprocess.run([program, *arguments], cwd=cwd, input=input, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
