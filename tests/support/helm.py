"""The Helm chart, as Helm itself renders and installs it."""

import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from chart.render import CHART
from stage.kube import Object
from toolchain.places import BIN

KEPT: Final = {"helm.sh/resource-policy": "keep"}


class HelmError(Exception):
    """Helm said no; the text is what it said."""


class Helm:
    """Helm, with whatever it writes in a directory of a test's."""

    def __init__(self, directory: Path) -> None:
        self._home = directory

    def run(self, *arguments: str, values: dict[str, Any] | None = None) -> str:
        """What it prints. Raises HelmError."""
        given = ["--values=-"] if values is not None else []
        command = [str(BIN / "helm"), *arguments, *given]
        home = {"HOME": str(self._home)}
        document = yaml.safe_dump(values or {})
        done = subprocess.run(command, input=document, env=home, capture_output=True, text=True, check=False)
        if done.returncode:
            raise HelmError(done.stderr.strip())
        return done.stdout

    def objects(self, namespace: str, values: dict[str, Any]) -> list[Object]:
        """What the chart comes to."""
        said = self.run("template", "release", str(CHART), f"--namespace={namespace}", values=values)
        return [each for each in yaml.safe_load_all(said) if each is not None]


def by_name(objects: list[Object]) -> dict[tuple[str, ...], Object]:
    """Objects by kind, namespace and name; none twice."""
    found: dict[tuple[str, ...], Object] = {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each for each in objects
    }
    assert len(found) == len(objects)
    return found
