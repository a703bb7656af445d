"""Where archives are kept: the same six verbs over S3, a directory and memory.

Keys are relative to the location (the bucket's prefix, the claim's subPath), with `/` between segments; `layout` says
what they look like. What a store cannot do ends in a SnapshotError that names location and key.
"""

import hashlib
from pathlib import Path

from kai_snapshot.api.storage import Storage
from kai_snapshot.stores.credentials import S3Credentials
from kai_snapshot.stores.directory import DirectoryStore, check_mounted
from kai_snapshot.stores.store import Entry, Store, read

__all__ = ["Entry", "S3Credentials", "Store", "check_mounted", "location", "open_store", "read"]


def open_store(storage: Storage, *, credentials: S3Credentials | None, ca: bytes | None, claims_root: Path) -> Store:
    """The store at a location, looked at only with the first verb.

    credentials: of S3; None stands for the ambient identity (environment, profile, service account, instance). Whether
        that may be used here is the caller's to decide.
    ca: certificates in PEM that vouch for the S3 endpoint, in place of the usual ones.
    claims_root: the directory that claims are mounted in, each under its name.

    Raises TerminalError: ClaimNotMounted; TLSVerificationFailed, InvalidSpec if `ca` or the endpoint cannot be used.
    """
    if storage.s3 is not None:
        from kai_snapshot.stores.s3 import S3Store  # noqa: PLC0415 - boto3 costs memory that claims do not need

        return S3Store(storage.s3, credentials=credentials, ca=ca)
    assert storage.pvc is not None
    claim = claims_root / storage.pvc.claim_name
    check_mounted(claim)
    root = claim / storage.pvc.sub_path if storage.pvc.sub_path else claim
    return DirectoryStore(root, name=location(storage, ""))


def owner(storage: Storage, cluster_uid: str) -> str:
    """Eight hex digits that stand for the archives of one cluster in one place."""
    endpoint = storage.s3.endpoint if storage.s3 is not None else None
    return hashlib.sha256(f"{cluster_uid} {endpoint or ''} {location(storage, '')}".encode()).hexdigest()[:8]


def location(storage: Storage, key: str) -> str:
    """`s3://bucket/prefix/key` or `pvc://claim/subPath/key`, as it stands in a status and in messages."""
    if storage.s3 is not None:
        return "/".join(filter(None, ("s3:/", storage.s3.bucket, storage.s3.prefix, key)))
    assert storage.pvc is not None
    return "/".join(filter(None, ("pvc:/", storage.pvc.claim_name, storage.pvc.sub_path, key)))
