"""What v0.1.0 left in a cluster and in a storage: recorded from its own operator, on its own stage.

Installed objects, captures and replays in every state with the status it wrote, archives, manifests, results and logs.
A release that is made adds its own: old ones stay as they are, for as long as upgrades from them are promised.
"""

import json
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
RECORDED = Path(__file__).parents[1] / "data" / "upgrade" / "v0.1.0"
STORAGE = RECORDED / "storage"
"""What lay in the bucket, below the prefix `upgrade`."""
ENDED = {
    "SnapshotCapture": ("failed", "once"),
    "SnapshotReplay": ("by-key", "compared", "panicked"),
}


def installed() -> list[Object]:
    """What `kubectl apply -k manifests` made of it."""
    return list(yaml.safe_load_all((RECORDED / "manifests.yaml").read_text()))


def definitions() -> dict[str, Object]:
    """Its CustomResourceDefinitions, by the plural of the kind."""
    crds = (each for each in installed() if each["kind"] == "CustomResourceDefinition")
    return {each["spec"]["names"]["plural"]: each for each in crds}


def objects() -> list[Object]:
    """The captures, and then the replays."""
    found: list[Object] = json.loads((RECORDED / "objects.json").read_text())
    return found


def recorded(kind: str, name: str) -> Object:
    """One of them."""
    return next(each for each in objects() if (each["kind"], each["metadata"]["name"]) == (kind, name))


def stored() -> dict[str, bytes]:
    """What it stored, by key."""
    files = (path for path in STORAGE.rglob("*") if path.is_file())
    return {path.relative_to(STORAGE).as_posix(): path.read_bytes() for path in files}
