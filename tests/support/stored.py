"""Archives of the corpus in a store, as the operator keeps them."""

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest, SchedulerIdentity
from kai_snapshot.stores import Store, layout
from support.simulated import CORPUS

FIRST = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
HOURLY = layout.CaptureFolder("ns", "hourly")


def archive(case: str) -> Path:
    """The archive of a numbered case."""
    return next(CORPUS.glob(f"{case}-*")) / "snapshot.zip"


def keep(store: Store, case: str, moment: datetime, folder: layout.CaptureFolder = HOURLY, **more: Any) -> str:
    """Puts an archive there, with more in its manifest if need be; its key."""
    content = archive(case).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    config = {"actions": "allocate", "tiers": []} if case == "21" else None
    manifest = Manifest(
        id=run_id(moment),
        archive=layout.archive_name(run_id(moment), sha256),
        capture=CaptureIdentity(cluster_uid="u", namespace=folder.namespace, name=folder.capture),
        sha256=sha256,
        size_bytes=len(content),
        uncompressed_bytes=100,
        object_counts=_counts(content),
        scheduler=SchedulerIdentity(version="v0.17.0"),
        scheduled_for=moment,
        captured_at=moment + timedelta(seconds=3),
        trigger="Schedule",
        healed=config is not None,
        config=config,
        **more,
    )
    store.put(folder.prefix + manifest.archive, io.BytesIO(content))
    store.put(folder.manifest(manifest.id), io.BytesIO(manifest.encode()))
    return folder.prefix + manifest.archive


def _counts(content: bytes) -> dict[str, int]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        lists = json.loads(file.read("snapshot.json"))["rawObjects"]
    return {kind: len(objects) for kind, objects in lists.items() if objects}
