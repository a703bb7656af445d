"""A cluster as kubectl shows it."""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Object = dict[str, Any]


class KubectlError(Exception):
    """kubectl said no; the text is what it said."""


class Kube:
    """One cluster, by kubectl. Objects are dicts as JSON has them."""

    def __init__(self, kubectl: Path, kubeconfig: Path) -> None:
        self._command = [str(kubectl.absolute()), f"--kubeconfig={kubeconfig.absolute()}"]

    def run(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - subprocess' word
        """What kubectl prints. Raises KubectlError."""
        done = subprocess.run([*self._command, *arguments], input=input, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KubectlError(done.stderr.strip())
        return done.stdout

    def apply(self, *objects: Object) -> list[Object]:
        """Creates or changes objects, and returns them as they are then."""
        arguments = ["apply", "--server-side", "--force-conflicts", "--output=json", "--filename=-"]
        said = self.run(*arguments, input=_listed(objects))
        result: Object = json.loads(said)
        return list(result["items"]) if result["kind"] == "List" else [result]

    def create(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Creates an object."""
        arguments = ["create", "--output=json", "--filename=-", *_dry(dry_run)]
        created: Object = json.loads(self.run(*arguments, input=json.dumps(obj)))
        return created

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """One object."""
        found = self.run("get", kind, name, "--ignore-not-found", "--output=json", *_in(namespace))
        return json.loads(found) if found else None

    def list(self, kind: str, namespace: str = "", *, selector: str = "") -> list[Object]:
        """All objects of the kind with those labels."""
        found = self.run("get", kind, f"--selector={selector}", "--output=json", *_in(namespace))
        return list(json.loads(found)["items"])

    def delete(self, kind: str, name: str, namespace: str = "", *, wait: bool = True, now: bool = False) -> None:
        """Deletes an object; `now` gives a pod no time to end in order."""
        hurry = ["--grace-period=0", "--force"] if now else []
        self.run("delete", kind, name, "--ignore-not-found", f"--wait={str(wait).lower()}", *hurry, *_in(namespace))

    def patch(
        self,
        kind: str,
        name: str,
        namespace: str,
        patch: Mapping[str, Any],
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> None:
        """Changes an object by a merge patch."""
        part = [f"--subresource={subresource}"] if subresource else []
        how = ["--type=merge", f"--patch={json.dumps(patch)}", *part, *_dry(dry_run)]
        self.run("patch", kind, name, *how, *_in(namespace))

    def scale(self, deployment: str, namespace: str, replicas: int) -> None:
        """Says how many pods there are to be."""
        self.run("scale", f"deployment/{deployment}", f"--replicas={replicas}", *_in(namespace))

    def rolled_out(self, deployment: str, namespace: str, *, timeout_seconds: int = 180) -> None:
        """Waits until all pods are there and Ready."""
        self.run("rollout", "status", f"deployment/{deployment}", f"--timeout={timeout_seconds}s", *_in(namespace))

    def execute(self, target: str, namespace: str, *command: str) -> str:
        """What a command in a pod prints."""
        return self.run("exec", target, *_in(namespace), "--", *command)

    def get_raw(self, path: str) -> str:
        """GET a path of the API server."""
        return self.run("get", "--raw", path)

    def post_raw(self, path: str, body: str) -> str:
        """POST to a path of the API server."""
        return self.run("create", "--raw", path, "--filename=-", input=body)

    @contextmanager
    def watch(self, kind: str, namespace: str, *, selector: str, state: str) -> Iterator[Iterable[str]]:
        """A line for each state of each object as it comes, by a JSONPath template that ends in a line feed."""
        what = ["get", kind, f"--selector={selector}", *_in(namespace)]
        command = [*self._command, *what, "--watch", f"--output=jsonpath={state}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield process.stdout
            finally:
                process.terminate()

    @contextmanager
    def forward(self, target: str, namespace: str, port: int) -> Iterator[int]:
        """The port of 127.0.0.1 that leads to a port of a pod or Service."""
        command = [*self._command, "port-forward", target, f":{port}", *_in(namespace)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                found = re.search(r"127\.0\.0\.1:(\d+)", line)
                if found is None:
                    raise KubectlError(f"port-forward to {target} said {line!r}")
                yield int(found[1])
            finally:
                process.terminate()


def _in(namespace: str) -> list[str]:
    return [f"--namespace={namespace}"] if namespace else []


def _dry(dry_run: bool) -> list[str]:
    return ["--dry-run=server"] if dry_run else []


def _listed(objects: Sequence[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
