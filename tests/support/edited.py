"""What pages ask their reader to edit in examples: S3 server, keys and the class of a volume are the stage's."""

from typing import Any

import yaml

from stage import stage
from support.objects import Object

_SERVER = {"endpoint": stage.S3_ENDPOINT, "forcePathStyle": True, "region": "us-east-1"}


def edited(text: str) -> str:
    """A file of objects, or of anything else, which stays as it is."""
    documents = list(yaml.safe_load_all(text))
    if not any(isinstance(each, dict) and "kind" in each for each in documents):
        return text
    return yaml.safe_dump_all(map(_edited, documents), sort_keys=False)


def _edited(obj: Object) -> Object:
    if obj["kind"] == "Secret" and obj["metadata"]["name"] == stage.S3_SECRET:
        return obj | {"stringData": stage.S3_KEYS}
    if obj["kind"] == "PersistentVolumeClaim":
        return obj | {"spec": obj["spec"] | {"storageClassName": "", "accessModes": ["ReadWriteOnce"]}}
    for s3 in _buckets(obj):
        s3.update(_SERVER)
    return obj


def _buckets(value: Any) -> list[dict[str, Any]]:
    """Every `s3` of a storage, wherever it stands."""
    if not isinstance(value, dict):
        return []
    found = [value["s3"]] if isinstance(value.get("s3"), dict) else []
    return found + [each for part in value.values() for each in _buckets(part)]
