"""What the error codes of S3 mean, and what to do about each. Knows no library."""

from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError

_Meaning = tuple[type[SnapshotError], Reason, str]

_BUSY: _Meaning = (
    TransientError,
    Reason.STORAGE_UNREACHABLE,
    "The storage of {where} answers {status} {code}: it is overloaded or out of order.",
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
    **dict.fromkeys(("InvalidToken", "ExpiredToken", "TokenRefreshRequired"), _WRONG_KEYS),
    **dict.fromkeys(("AuthorizationHeaderMalformed", "PermanentRedirect", "301"), _WRONG_REGION),
    **dict.fromkeys(("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507"), _FULL),
    **dict.fromkeys(("SlowDown", "Throttling", "ThrottlingException", "RequestTimeout"), _BUSY),
    # of an upload in parts: parts aborted by another writer, or damaged on the way
    **dict.fromkeys(("NoSuchUpload", "OperationAborted", "BadDigest"), _BUSY),
}


def failure(code: str, status: int, *, said: str, where: str, right: str) -> SnapshotError:
    """The error for an answer of S3.

    code, status, said: the answer's error code (its status, where it has none), HTTP status and message.
    where: the object, for messages. right: the permission the request needs, such as s3:GetObject.
    """
    error, reason, text = _BY_CODE.get(code) or _by_status(status)
    return error(reason, text.format(where=where, code=code, status=status, right=right, said=said[:200]))


def _by_status(status: int) -> _Meaning:
    if status == 507:
        return _FULL
    if status in (408, 429) or (status >= 500 and status != 501):
        return _BUSY
    return _DENIED if status in (401, 403) else _REFUSED
