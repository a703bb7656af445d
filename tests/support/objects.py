"""Objects of our kinds, as people write them."""

from typing import Any

Object = dict[str, Any]
API_VERSION = "kai-snapshot.io/v1alpha1"
NAMESPACE = "kai-snapshots"


def capture(
    name: str, *, storage: Object, namespace: str = NAMESPACE, annotations: Object | None = None, **spec: Any
) -> Object:
    """A SnapshotCapture; one-shot unless it is given a schedule."""
    return {
        "apiVersion": API_VERSION,
        "kind": "SnapshotCapture",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
        "spec": {"storage": storage, **spec},
    }


def replay(
    name: str, *, of: str | Object, versions: list[str | Object] | None, namespace: str = NAMESPACE, **spec: Any
) -> Object:
    """A SnapshotReplay of a capture by its name, or of any source; versions are None with the Simulator."""
    listed = [{"name": version} if isinstance(version, str) else version for version in versions or ()]
    return {
        "apiVersion": API_VERSION,
        "kind": "SnapshotReplay",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "source": {"captureRef": {"name": of}} if isinstance(of, str) else of,
            **({"versions": listed} if versions is not None else {}),
            # the stand-in for the tool is quick and small, and so is the cluster
            "podTemplate": {"spec": {"resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}}},
            **spec,
        },
    }
