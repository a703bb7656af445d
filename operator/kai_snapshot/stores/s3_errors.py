"""What S3 and the library mean by their errors, and what to do about each."""

import ssl
from typing import Any

from botocore import exceptions as boto

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError

_Meaning = tuple[type[SnapshotError], Reason, str]

_BUSY: _Meaning = (
    TransientError,
    Reason.STORAGE_UNREACHABLE,
    "The storage of {where} answers {status} {code}: it is busy or out of order.",
)
_FULL: _Meaning = (
    TerminalError,
    Reason.NO_SPACE_LEFT,
    "The storage of {where} is full ({code}): enlarge it, or keep fewer archives.",
)
_WRONG_KEYS: _Meaning = (
    TerminalError,
    Reason.ACCESS_DENIED,
    "The storage of {where} does not take the credentials ({code}): correct the keys in the Secret.",
)
_DENIED: _Meaning = (
    TerminalError,
    Reason.ACCESS_DENIED,
    "The storage of {where} refuses ({code}): the credentials need {right}, and the KMS key if there is one.",
)
_WRONG_REGION: _Meaning = (
    TerminalError,
    Reason.STORAGE_REFUSED,
    "The bucket of {where} is in another region ({code}): correct `region`.",
)
_REFUSED: _Meaning = (
    TerminalError,
    Reason.STORAGE_REFUSED,
    "The storage of {where} refuses {right} with {status} {code}: {said}",
)

_BY_CODE: dict[str, _Meaning] = {
    "NoSuchKey": (TerminalError, Reason.ARCHIVE_NOT_FOUND, "There is no {where}."),
    "NoSuchBucket": (
        TerminalError,
        Reason.BUCKET_NOT_FOUND,
        "The bucket of {where} does not exist: create it, or correct its name.",
    ),
    "RequestTimeTooSkewed": (
        TerminalError,
        Reason.ACCESS_DENIED,
        "The storage of {where} refuses because its clock and this machine's differ too much: set the clocks.",
    ),
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId"), _WRONG_KEYS),
    "XAdminUserNotFound": _WRONG_KEYS,  # versitygw
    **dict.fromkeys(("InvalidToken", "ExpiredToken", "TokenRefreshRequired"), _WRONG_KEYS),
    **dict.fromkeys(("AuthorizationHeaderMalformed", "PermanentRedirect", "301"), _WRONG_REGION),
    **dict.fromkeys(("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507"), _FULL),
    **dict.fromkeys(("SlowDown", "Throttling", "ThrottlingException", "RequestTimeout"), _BUSY),
    # of an upload in parts: parts aborted by another writer, or damaged on the way
    **dict.fromkeys(("NoSuchUpload", "OperationAborted", "BadDigest"), _BUSY),
}
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


def translated(error: boto.ClientError | boto.BotoCoreError, *, where: str, right: str) -> SnapshotError:
    """The error in words, without keys of anybody and without ids that differ each time.

    where: the object or prefix it was about. right: the permission the request needs, such as s3:GetObject.
    """
    if isinstance(error, boto.ClientError):
        return _answer(error, where, right)
    # a connection that just ends while it is being secured is no matter of trust
    if isinstance(error, boto.SSLError) and "EOF" not in str(error):
        return TerminalError(
            Reason.TLS_VERIFICATION_FAILED,
            f"The certificate of {where} is not trusted ({_cause(error)}): name the authority in caSecretRef, "
            "or correct `endpoint`.",
        )
    if isinstance(error, _UNREACHABLE):
        return TransientError(Reason.STORAGE_UNREACHABLE, f"{where} cannot be reached: {_cause(error)}.")
    if isinstance(error, _NO_CREDENTIALS):
        said = str(error).rstrip(".")
        return TerminalError(Reason.CREDENTIALS_NOT_FOUND, f"There are no credentials for {where}: {said}.")
    return TerminalError(Reason.STORAGE_REFUSED, f"{where} cannot be used: {str(error)[:200]}")


def http_status(error: boto.ClientError) -> int:
    """The status of the answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _answer(error: boto.ClientError, where: str, right: str) -> SnapshotError:
    status = http_status(error)
    said: dict[str, Any] = {**error.response.get("Error", {})}
    code = str(said.get("Code", ""))
    kind, reason, text = _BY_CODE.get(code) or _by_status(status)
    message = text.format(where=where, code=code, status=status, right=right, said=str(said.get("Message", ""))[:200])
    return kind(reason, message)


def _by_status(status: int) -> _Meaning:
    if status == 507:
        return _FULL
    if status in (408, 409, 429) or (status >= 500 and status != 501):
        return _BUSY
    return _DENIED if status in (401, 403) else _REFUSED


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
