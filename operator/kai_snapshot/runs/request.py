"""What a child process of the operator is told on its standard input, and what it says on its standard output.

Secrets travel here, on a pipe, and nowhere else: not in arguments, not in the environment, not in logs.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Base64Bytes, ConfigDict

from kai_snapshot.api.base import ApiModel, Time
from kai_snapshot.api.environmentspec import Environment
from kai_snapshot.api.manifest import Manifest, Trigger
from kai_snapshot.api.source import Source
from kai_snapshot.api.storage import Storage
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.source.connection import ApiConnection
from kai_snapshot.stores import S3Credentials


class RedactionRequest(ApiModel):
    """How the archive of a run is redacted."""

    model_config = ConfigDict(hide_input_in_errors=True)

    key: Base64Bytes
    """What the Secret holds."""
    key_from: str
    """Names the Secret in messages."""
    table: Storage
    """Where the table goes."""
    keys: S3Credentials | None = None
    """Keys of S3."""
    ca: str | None = None
    """The authority of the S3 endpoint, in PEM."""


class CaptureRequest(ApiModel):
    """One try of one run."""

    model_config = ConfigDict(hide_input_in_errors=True)

    id: str
    """The run's id."""
    trigger: Trigger
    """What started the run."""
    scheduled_for: Time
    """When it was due."""
    namespace: str
    """Namespace of the capture."""
    name: str
    """Name of the capture."""
    source: Source
    """The scheduler to ask."""
    connection: ApiConnection
    """The API server, and the identity there."""
    storage: Storage
    """Where the archive goes."""
    keys: S3Credentials | None = None
    """Keys of S3."""
    ca: str | None = None
    """The authority of the S3 endpoint, in PEM."""
    claims_dir: Path
    """Where claims are mounted."""
    spool_dir: Path
    """A directory of this try's own: the archive is held there while it is checked."""
    redaction: RedactionRequest | None = None
    """How it is redacted before it is stored."""


class EnvironmentRequest(ApiModel):
    """One step on the way to the environment beside an archive."""

    model_config = ConfigDict(hide_input_in_errors=True)

    step: Literal["Plan", "Close"]
    """Plan reads the archive and says which nodes are recorded; Close sums up what was recorded."""
    id: str
    """The run's id."""
    namespace: str
    """Namespace of the capture."""
    name: str
    """Name of the capture."""
    environment: Environment
    """What is wanted."""
    connection: ApiConnection
    """The API server, and the identity there: the archive has no ClusterPolicies."""
    previous: str | None = None
    """Id of the run whose environment it is compared with."""
    storage: Storage
    """Where the archive is."""
    keys: S3Credentials | None = None
    """Keys of S3."""
    ca: str | None = None
    """The authority of the S3 endpoint, in PEM."""
    claims_dir: Path
    """Where claims are mounted."""
    spool_dir: Path
    """A directory of this step's own: the archive is held there while it is read."""


class Answer(ApiModel):
    """How a child process ended: well, or why not."""

    reason: Reason | None = None
    """Why it did not end well."""
    message: str = ""
    """Why, and what to do."""
    kind: Literal["Transient", "Terminal"] = "Terminal"
    """Whether it may heal by itself."""

    @classmethod
    def of(cls, error: SnapshotError) -> Self:
        """The answer that tells this error."""
        kind: Literal["Transient", "Terminal"] = "Transient" if isinstance(error, TransientError) else "Terminal"
        return cls(reason=error.reason, message=error.message, kind=kind)

    def error(self) -> SnapshotError:
        """The error this answer tells."""
        make = TransientError if self.kind == "Transient" else TerminalError
        return make(self.reason or Reason.INTERNAL_ERROR, self.message)


class CaptureAnswer(Answer):
    """How a try ended: a manifest, or why there is none."""

    manifest: Manifest | None = None
    """Of the archive that is stored."""
    uri: str = ""
    """Where the archive is."""
