"""Clients of S3: with the keys given and nothing of the environment, or with the process's own identity."""

import atexit
import ssl
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.session import Session

from kai_snapshot.api.storage import S3Storage
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.stores.credentials import S3Credentials

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_TRIES = 5

_creating = threading.Lock()  # sessions are not safe to create clients from in several threads


def s3_client(s3: S3Storage, *, credentials: S3Credentials | None, ca: bytes | None) -> "S3Client":
    """A client; threads may share it. Without credentials it has those of the process.

    Raises TerminalError: TLSVerificationFailed if `ca` holds no certificate, InvalidSpec if `endpoint` is no address.
    """
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
    keys: dict[str, Any] = {}
    if credentials is None:
        session = _ambient_session()
        region = s3.region or session.get_config_variable("region")
    else:
        session = _isolated_session()
        region = s3.region
        keys = {
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret_access_key,
            "aws_session_token": credentials.session_token,
        }
    try:
        with _creating:
            client = session.create_client(
                "s3",
                region_name=region or "us-east-1",
                endpoint_url=s3.endpoint,
                verify=_as_file(ca) if ca is not None else None,
                config=Config(**options),
                **keys,
            )
    except ValueError as error:  # the library's word for an endpoint that is no URL
        raise TerminalError(
            Reason.INVALID_SPEC, f"{s3.endpoint} is no address of a server: correct `endpoint`."
        ) from error
    return cast("S3Client", client)


@cache
def _as_file(ca: bytes) -> str:
    """Certificates as a file, which the library wants whenever it connects; one file for all who trust the same."""
    try:
        ssl.create_default_context().load_verify_locations(cadata=ca.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise TerminalError(
            Reason.TLS_VERIFICATION_FAILED,
            "The authority given for the S3 endpoint is not a certificate in PEM: correct the Secret of caSecretRef.",
        ) from error
    with tempfile.NamedTemporaryFile(prefix="s3-ca-", suffix=".pem", delete=False) as file:
        file.write(ca)
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name


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
