"""Archives that are in a store already, as the operator would have stored them over hours."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from kai_snapshot.api.ids import run_id
from kai_snapshot.api.manifest import CaptureIdentity, Manifest, SchedulerIdentity
from kai_snapshot.stores.layout import CaptureFolder
from stage.kube import Kube
from support import recordings
from support.archives import InBucket
from support.objects import NAMESPACE

SCHEDULER = "v0.17.0"
"""The version that made them, unless it is said otherwise."""


def upload(place: InBucket, archive: str) -> dict[str, object]:
    """Puts an archive of the corpus there by itself; a source that names it."""
    stored = recordings.content(archive)
    place.put("snapshot.zip", stored)
    digest = hashlib.sha256(stored).hexdigest()
    return {"archive": {"storage": place.spec, "key": "snapshot.zip", "sha256": digest}}


def seed(
    kube: Kube,
    place: InBucket,
    capture: str,
    archives: Sequence[str],
    *,
    first: datetime,
    every: timedelta = timedelta(hours=1),
    scheduler: str = SCHEDULER,
) -> list[Manifest]:
    """Puts archives of the corpus there, oldest first, as those of the cluster's capture of that name."""
    cluster = kube.get("namespace", "kube-system")
    assert cluster is not None
    owner = CaptureIdentity(cluster_uid=cluster["metadata"]["uid"], namespace=NAMESPACE, name=capture)
    folder, manifests = CaptureFolder(NAMESPACE, capture), []
    for number, archive in enumerate(archives):
        stored, slot = recordings.content(archive), first + number * every
        id_, digest = run_id(slot), hashlib.sha256(stored).hexdigest()
        key = folder.archive(id_, digest)
        manifest = Manifest(
            id=id_,
            archive=key.rpartition("/")[2],
            capture=owner,
            sha256=digest,
            size_bytes=len(stored),
            uncompressed_bytes=len(stored),
            scheduler=SchedulerIdentity(version=scheduler),
            scheduled_for=slot,
            captured_at=slot,
            trigger="Schedule",
        )
        place.put(key, stored)
        place.put(folder.manifest(id_), manifest.encode())
        manifests.append(manifest)
    return manifests
