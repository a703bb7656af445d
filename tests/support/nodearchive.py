"""Archives of clusters that have nothing but nodes, and one pod."""

import io
import json
import zipfile
from collections.abc import Mapping


def snapshot(nodes: Mapping[str, Mapping[str, str]], *, version: str = "v1.35.4") -> bytes:
    """An archive of a cluster with these nodes, each with its labels."""
    objects = [
        {
            "metadata": {"name": name, "labels": dict(labels)},
            "spec": {"providerID": f"aws:///eu-central-1a/{name}"},
            "status": {"nodeInfo": {"kernelVersion": "6.8.0", "containerRuntimeVersion": "containerd://1.7.27"}},
        }
        for name, labels in nodes.items()
    ]
    pods = [{"metadata": {"name": "p", "namespace": "d"}, "spec": {"containers": [{"image": "r/kai:v0.17.0"}]}}]
    document = {
        "config": {},
        "schedulerParams": {},
        "rawObjects": {"nodes": objects, "pods": pods},
        "discovery": {"serverVersion": {"gitVersion": version}},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("snapshot.json", json.dumps(document))
    return buffer.getvalue()
