"""S3, and servers that speak its protocol. The only user of boto3."""

import ssl
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from botocore import exceptions as boto
from botocore.config import Config
from botocore.session import Session
from s3transfer.manager import TransferConfig, TransferManager

from kai_snapshot.api.storage import S3Storage
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.stores.credentials import S3Credentials
from kai_snapshot.stores.s3_answers import failure
from kai_snapshot.stores.store import Entry, check_key, is_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 8 << 20
"""Bytes of a part, and the size from which a body is sent in parts."""
_IN_FLIGHT = 2
_TRANSFER = TransferConfig(
    multipart_threshold=PART,
    multipart_chunksize=PART,
    max_request_concurrency=_IN_FLIGHT,
    max_in_memory_upload_chunks=_IN_FLIGHT,
)
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_TRIES = 5

_UNREACHABLE = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
    boto.FlexibleChecksumError,
)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.UnauthorizedSSOTokenError,
    boto.ProfileNotFound,
)

_creating = threading.Lock()  # sessions are not safe to create clients from in several threads


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
        ca_file = self._keep(ca) if ca is not None else None
        with self._errors("s3:ListBucket", ""), _creating:
            self._client = _client(s3, credentials, ca_file)

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
        """See Store. An error of the connection while the body is read is raised from the `with` as a SnapshotError."""
        path = self._path(key)
        with self._errors("s3:GetObject", key):
            body = self._client.get_object(Bucket=self._bucket, Key=path)["Body"]
            with closing(body):
                yield cast(BinaryIO, body)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See Store."""
        with self._errors("s3:ListBucket", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._root + prefix
            )
            for found in (found for page in pages for found in page.get("Contents", ())):
                key = found["Key"].removeprefix(self._root)
                if is_key(key):  # not the empty objects that stand for folders
                    yield Entry(key, found["Size"], found["LastModified"])

    def stat(self, key: str) -> Entry | None:
        """See Store."""
        path = self._path(key)
        with self._errors("s3:GetObject", key):
            try:
                found = self._client.head_object(Bucket=self._bucket, Key=path)
            except boto.ClientError as error:
                if _status(error) != 404:
                    raise
                self._check_bucket(key)
                return None
        return Entry(key, found["ContentLength"], found["LastModified"])

    def _check_bucket(self, key: str) -> None:
        """An answer to HEAD has no body that could say which of key and bucket is missing."""
        try:
            self._client.head_bucket(Bucket=self._bucket)
        except boto.ClientError as error:
            if _status(error) == 404:
                raise failure("NoSuchBucket", 404, said="", where=self._where(key), right="s3:ListBucket") from error
            if _status(error) not in (401, 403):
                raise

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
                if _status(error) == 501:
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
            if _status(error) != 404:  # finished or aborted since
                raise
            return False
        return True

    def _path(self, key: str) -> str:
        return self._root + check_key(key)

    def _where(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._root}{key}{self._endpoint}"

    def _keep(self, ca: bytes) -> str:
        """The certificates as a file, which boto3 wants, for as long as the store is there."""
        try:
            ssl.create_default_context().load_verify_locations(cadata=ca.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
            raise TerminalError(
                Reason.TLS_VERIFICATION_FAILED,
                f"The authority given for {self._where('')} is not a certificate in PEM: correct the Secret that "
                "caSecretRef names.",
            ) from error
        with tempfile.NamedTemporaryFile(prefix="s3-ca-", suffix=".pem", delete=False) as file:
            file.write(ca)
        weakref.finalize(self, Path(file.name).unlink, missing_ok=True)
        return file.name

    @contextmanager
    def _errors(self, right: str, key: str) -> Iterator[None]:
        """Says what the library's errors mean; `right` is the permission the request needs."""
        try:
            yield
        except (boto.ClientError, boto.BotoCoreError) as error:
            raise self._translated(error, right, key) from error

    def _translated(self, error: boto.ClientError | boto.BotoCoreError, right: str, key: str) -> SnapshotError:
        where = self._where(key)
        match error:
            case boto.ClientError():
                answer = error.response.get("Error", {})
                code, said = str(answer.get("Code", "")), str(answer.get("Message", ""))
                return failure(code, _status(error), said=said, where=where, right=right)
            case boto.SSLError() if "EOF" not in str(error):
                return TerminalError(
                    Reason.TLS_VERIFICATION_FAILED,
                    f"The certificate of {where} is not trusted ({_cause(error)}): name the authority in caSecretRef, "
                    "or correct `endpoint`.",
                )
            case _ if isinstance(error, _UNREACHABLE):
                return TransientError(Reason.STORAGE_UNREACHABLE, f"{where} cannot be reached: {_cause(error)}.")
            case _ if isinstance(error, _NO_CREDENTIALS):
                return TerminalError(
                    Reason.CREDENTIALS_NOT_FOUND, f"There are no credentials for {where}: {str(error).rstrip('.')}."
                )
            case _:
                return TerminalError(Reason.STORAGE_REFUSED, f"{where} cannot be used: {str(error)[:200]}")


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


def _client(s3: S3Storage, credentials: S3Credentials | None, ca_file: str | None) -> "S3Client":
    checksums = "when_required" if s3.endpoint else "when_supported"  # many servers refuse what is not required
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _READ_SECONDS,
        "retries": {"mode": "standard", "total_max_attempts": _TRIES},
        "request_checksum_calculation": checksums,
        "response_checksum_validation": checksums,
        "ignore_configured_endpoint_urls": credentials is not None,
        "s3": {"addressing_style": "path" if s3.force_path_style else "auto"},
    }
    arguments: dict[str, Any] = {"endpoint_url": s3.endpoint, "config": Config(**options), "verify": ca_file}
    if credentials is None:
        session = _ambient_session()
        region = s3.region or session.get_config_variable("region")
    else:
        session = _isolated_session()
        region = s3.region
        arguments["aws_access_key_id"] = credentials.access_key_id
        arguments["aws_secret_access_key"] = credentials.secret_access_key
        arguments["aws_session_token"] = credentials.session_token
    return cast("S3Client", session.create_client("s3", region_name=region or "us-east-1", **arguments))


@cache
def _ambient_session() -> Session:
    """The process's own identity; one session, so that what it fetched serves until it expires."""
    return Session()


@cache
def _isolated_session() -> Session:
    """Nothing of the environment, of ~/.aws or of the instance: every variable has its default and no other source."""
    return Session(
        session_vars={
            name: (None, None, None if name in ("config_file", "credentials_file") else default, convert)
            for name, (_, _, default, convert) in Session.SESSION_VARIABLES.items()
        }
    )


def _status(error: boto.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _cause(error: BaseException) -> str:
    """The innermost thing that the system said, without the addresses and ids that libraries put around it."""
    said = ""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen.verify_message
        if isinstance(seen, ValueError):  # a certificate for another host, an address that is none
            return str(seen)
        if isinstance(seen, TimeoutError):
            said = "no answer in time"
        elif isinstance(seen, OSError) and seen.strerror:
            said = seen.strerror
        seen = seen.__cause__ or seen.__context__
    return said or type(error).__name__
