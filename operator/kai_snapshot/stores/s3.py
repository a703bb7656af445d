"""S3, and servers that speak its protocol. With `s3_client` and `s3_errors` the only user of boto3."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from botocore import exceptions as boto
from botocore.response import StreamingBody
from s3transfer.manager import TransferConfig, TransferManager

from kai_snapshot.api.storage import S3Storage
from kai_snapshot.errors import Reason, TransientError
from kai_snapshot.stores.credentials import S3Credentials
from kai_snapshot.stores.s3_client import s3_client
from kai_snapshot.stores.s3_errors import http_status, translated
from kai_snapshot.stores.store import Entry, check_key, is_key

PART = 8 << 20
"""Bytes of a part, and the size from which a body is sent in parts."""
_IN_FLIGHT = 2
_TRANSFER = TransferConfig(
    multipart_threshold=PART,
    multipart_chunksize=PART,
    max_request_concurrency=_IN_FLIGHT,
    max_in_memory_upload_chunks=_IN_FLIGHT,
)


class S3Store:
    """A bucket, or what lies under a prefix in it. One client, which threads share."""

    def __init__(self, s3: S3Storage, *, credentials: S3Credentials | None, ca: bytes | None) -> None:
        self._bucket = s3.bucket
        self._root = f"{s3.prefix}/" if s3.prefix else ""
        self._endpoint = f" at {s3.endpoint}" if s3.endpoint else ""
        self._encryption = {
            name: value
            for name, value in (("ServerSideEncryption", s3.server_side_encryption), ("SSEKMSKeyId", s3.kms_key_id))
            if value
        }
        with self._errors("s3:ListBucket", ""):
            self._client = s3_client(s3, credentials=credentials, ca=ca)

    def put(self, key: str, body: Path | BinaryIO) -> Entry:
        """See Store. A large body goes in parts, two at a time; the bucket shows nothing before the last one."""
        path = self._path(key)
        with self._errors("s3:PutObject", key), TransferManager(self._client, _TRANSFER) as transfers:
            source = str(body) if isinstance(body, Path) else cast(BinaryIO, _Whole(body))
            transfers.upload(source, self._bucket, path, dict(self._encryption)).result()
        entry = self.stat(key)
        if entry is None:
            raise TransientError(Reason.STORAGE_UNREACHABLE, f"{self._where(key)} was stored and is not there.")
        return entry

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """See Store."""
        path = self._path(key)
        with self._errors("s3:GetObject", key):
            body = self._client.get_object(Bucket=self._bucket, Key=path)["Body"]
        with closing(body):
            yield cast(BinaryIO, _Reading(body, partial(self._errors, "s3:GetObject", key)))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See Store."""
        with self._errors("s3:ListBucket", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._root + prefix
            )
            for found in (found for page in pages for found in page.get("Contents", ())):
                key = found["Key"].removeprefix(self._root)
                if is_key(key):  # not the empty objects that stand for folders
                    yield Entry(key, found["Size"], found["LastModified"].astimezone(UTC))

    def stat(self, key: str) -> Entry | None:
        """See Store."""
        path = self._path(key)
        with self._errors("s3:GetObject", key):
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=path)
            except boto.ClientError as error:
                # an answer to HEAD cannot say why, and whether key or bucket is missing: this one can
                self._client.list_objects_v2(Bucket=self._bucket, Prefix=path, MaxKeys=1)
                if http_status(error) != 404:
                    raise
                return None
        return Entry(key, found["ContentLength"], found["LastModified"].astimezone(UTC))

    def delete(self, key: str) -> None:
        """See Store."""
        path = self._path(key)
        with self._errors("s3:DeleteObject", key):
            self._client.delete_object(Bucket=self._bucket, Key=path)

    def abort_unfinished(self, prefix: str, *, before: datetime) -> int:
        """See Store. These are multipart uploads; a server that cannot list them has none to clear away."""
        aborted = 0
        with self._errors("s3:ListBucketMultipartUploads and s3:AbortMultipartUpload", prefix):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._root + prefix
            )
            try:
                unfinished = [upload for page in pages for upload in page.get("Uploads", ())]
            except boto.ClientError as error:
                if http_status(error) == 501:
                    return 0
                raise
            for upload in unfinished:
                if upload["Initiated"] < before:
                    aborted += self._abort(upload["Key"], upload["UploadId"])
        return aborted

    def _abort(self, path: str, upload_id: str) -> bool:
        try:
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=path, UploadId=upload_id)
        except boto.ClientError as error:
            if http_status(error) != 404:  # finished or aborted since
                raise
            return False
        return True

    def _path(self, key: str) -> str:
        return self._root + check_key(key)

    def _where(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._root}{key}{self._endpoint}"

    @contextmanager
    def _errors(self, right: str, key: str) -> Iterator[None]:
        """Says what the library's errors mean; `right` is the permission the request needs."""
        try:
            yield
        except (boto.ClientError, boto.BotoCoreError) as error:
            raise translated(error, where=self._where(key), right=right) from error


class _Reading(io.RawIOBase):
    """A body whose errors are put into words, for as long as it is read."""

    def __init__(self, body: StreamingBody, errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._body = body
        self._errors = errors

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with self._errors():
            piece = self._body.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class _Whole:
    """A stream that gives as much as is asked for: s3transfer takes less for its end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, or what is left."""
        wanted = size if size >= 0 else sys.maxsize
        content = bytearray()
        while len(content) < wanted and (piece := self._stream.read(min(wanted - len(content), PART))):
            content += piece
        return bytes(content)
