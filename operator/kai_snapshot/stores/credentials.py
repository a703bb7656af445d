"""Keys of S3, read from a Secret and never shown."""

from collections.abc import Mapping

from pydantic import Field

from kai_snapshot.api.base import ApiModel
from kai_snapshot.errors import Reason, TerminalError


class S3Credentials(ApiModel):
    """What S3 asks for. Not in its repr; its JSON holds it, and belongs on a pipe."""

    access_key_id: str = Field(repr=False)
    secret_access_key: str = Field(repr=False)
    session_token: str | None = Field(default=None, repr=False)

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
        return cls(
            access_key_id=value("AWS_ACCESS_KEY_ID"),
            secret_access_key=value("AWS_SECRET_ACCESS_KEY"),
            session_token=value("AWS_SESSION_TOKEN") or None,
        )
