"""Keeps the certificates of the transfer endpoint in a Secret, where the next operator finds them."""

import logging
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from kai_snapshot.cluster import AlreadyExistsError, Cluster, ConflictError, Object
from kai_snapshot.errors import SnapshotError
from kai_snapshot.jobs import names
from kai_snapshot.settings import Settings
from kai_snapshot.transfer import certificates
from kai_snapshot.transfer.certificates import Certificates

SECRET: Final = "kai-snapshot-transfer-tls"  # noqa: S105 - a name

logger = logging.getLogger(__name__)


def keep(cluster: Cluster, settings: Settings, *, now: datetime, served: Certificates | None = None) -> Certificates:
    """What the endpoint is to present from now on; it is in the Secret before this returns.

    `served` is what it presents already: it stays, where the Secret has gone or cannot be read. Blocks; raises
    SnapshotError if what is needed now cannot be written. What is needed later only is tried again with the next call.
    """
    found = cluster.secret(settings.namespace, SECRET)
    kept = certificates.from_secret(cluster.data_of(found)) if found is not None else None
    held = kept or served
    wanted = certificates.renewed(held, _host(settings), now)
    if wanted == kept:
        return wanted
    try:
        _write(cluster, settings.namespace, found, wanted)
    except SnapshotError as error:
        if held is None or held.serving != wanted.serving:
            raise
        logger.warning("the certificates of the transfer endpoint are not kept: %s", error.message)
        return held
    logger.info("the transfer endpoint's certificate is good until %s", wanted.serving.ends)
    return wanted


def _write(cluster: Cluster, namespace: str, found: Object | None, wanted: Certificates) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": SECRET, "namespace": namespace, "labels": {names.MANAGED_BY: names.OPERATOR}},
        "stringData": certificates.to_secret(wanted),
    }
    if found is not None:
        cluster.replace_secret({**found, "data": {}, "stringData": secret["stringData"]})
        return
    try:
        cluster.create_secret(secret)
    except AlreadyExistsError as error:
        raise ConflictError(f"secret {namespace}/{SECRET}") from error


def _host(settings: Settings) -> str:
    """What Jobs call the endpoint."""
    host = urlsplit(settings.transfer_url).hostname
    assert host is not None, "the settings have been checked"
    return host
