"""Keys of S3, read from a Secret and never shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kai_snapshot.errors import Reason, TerminalError


@dataclass(frozen=True)
class S3Credentials:
    """What S3 asks for. Not in its repr."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_secret(cls, data: Mapping[str, bytes], *, name: str) -> "S3Credentials":
        """From a Secret's decoded `data`; `name` is for messages. Raises TerminalError(CredentialsNotFound)."""

        def value(key: str) -> str:
            try:
                return data.get(key, b"").decode("ascii").strip()
            except UnicodeDecodeError as error:
                raise TerminalError(
                    Reason.CREDENTIALS_NOT_FOUND, f"{key} in Secret {name} has characters that no key of S3 has."
                ) from error

        missing = [key for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not value(key)]
        if missing:
            raise TerminalError(
                Reason.CREDENTIALS_NOT_FOUND, f"Secret {name} lacks {' and '.join(missing)}: add what is missing."
            )
        return cls(value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"), value("AWS_SESSION_TOKEN") or None)
