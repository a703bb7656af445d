"""Statuses that tests have seen, kept as files: what GitOps tools make of them is tested on these."""

import json
import re
from pathlib import Path
from threading import Lock

from support import kstatus
from support.kstatus import Object

RECORDED = Path(__file__).parents[1] / "data" / "statuses"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Recorder:
    """Writes a file for each kind of status that it has none of yet. To record one anew, remove its file first."""

    def __init__(self, folder: Path = RECORDED) -> None:
        self._folder = folder
        self._lock = Lock()

    def __call__(self, obj: Object) -> None:
        """A state of an object of ours, from any thread."""
        if kstatus.verdict(obj) == "Terminating":
            return  # Argo CD does not ask the script
        path = self._folder / f"{name(obj)}.json"
        with self._lock:
            if not path.exists():
                recorded = {"health": kstatus.health(obj), "kstatus": kstatus.verdict(obj), "object": scrubbed(obj)}
                path.write_text(json.dumps(recorded, indent=2) + "\n")


def name(obj: Object) -> str:
    """What tells statuses apart: the kind, and what GitOps tools look at."""
    words = [obj["kind"]]
    for type_ in ("Ready", "Reconciling", "Stalled", "Finished"):
        found = kstatus.condition(obj, type_)
        if found is not None:
            words.append(f"{type_}-{found['status']}-{found['reason']}" if type_ == "Ready" else type_)
    if obj.get("status", {}).get("observedGeneration") != obj["metadata"]["generation"]:
        words.append("Unseen")
    return "_".join(words)


def scrubbed(obj: Object) -> Object:
    """The object without its spec and what a run gives it: the same whenever it is recorded."""
    meta = obj["metadata"]
    kept = {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {"name": "recorded", "namespace": "kai-snapshots", "generation": meta["generation"]},
        "status": {key: obj["status"][key] for key in ("observedGeneration", "conditions") if key in obj["status"]},
    }
    text = TIME.sub("2026-11-22T10:00:00Z", json.dumps(kept))
    text = re.sub(rf"(?<![\w-]){re.escape(meta['name'])}(?![\w-])", "recorded", text)
    scrubbed: Object = json.loads(text)
    return scrubbed
