"""Objects of our kinds as the API server gives them; objects.py has them as people write them."""

from datetime import UTC, datetime
from typing import Any

from kai_snapshot.api.base import API_VERSION, rfc3339

CREATED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def resource(
    kind: str, spec: dict[str, Any], *, status: dict[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    """An object of ours."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": "hourly",
            "namespace": "kai-snapshots",
            "uid": "0f0e0d0c-0b0a-0908-0706-050403020100",
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": rfc3339(CREATED),
            **metadata,
        },
        "spec": spec,
        **({"status": status} if status is not None else {}),
    }


def capture(
    *, status: dict[str, Any] | None = None, annotations: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A SnapshotCapture to S3; one-shot unless `schedule` is given."""
    defaults = {"storage": {"s3": {"bucket": "archives", "credentialsSecretRef": {"name": "keys"}}}}
    return resource("SnapshotCapture", {**defaults, **spec}, status=status, annotations=annotations or {})


def replay(*, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A SnapshotReplay of the newest archive of `hourly` at two versions."""
    defaults = {
        "source": {"captureRef": {"name": "hourly"}},
        "versions": [{"name": "AsCaptured"}, {"name": "v0.14.7"}],
    }
    return resource("SnapshotReplay", {**defaults, **spec}, status=status, name="compare")
