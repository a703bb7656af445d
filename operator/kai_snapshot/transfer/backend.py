"""What the transfer endpoint is in front of, and what it takes upon itself."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from kai_snapshot.api.transfer import Instructions, NodePart, Part, Profile


@dataclass(frozen=True)
class Upload:
    """A body that has arrived whole; the file has no name and is gone when the request is over."""

    file: BinaryIO
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Download:
    """An archive to be sent."""

    content: AbstractContextManager[BinaryIO]
    sha256: str
    size_bytes: int


class Environments(Protocol):
    """What takes what was recorded of a node. It blocks and errors as `Backend` does."""

    def put_environment(self, part: NodePart, upload: Upload) -> None:
        """Commits the document of a node. The same one again is fine."""


class Backend(Protocol):
    """What the endpoint is in front of. Everything blocks and is called in threads, also several at once.

    Errors are the endpoint's answer: a TerminalError with one of few reasons is final, such as TransferRefused, which
    says that the replay is gone or the part is finished, or ResultExists, that a result, and another than this one, was
    committed first; every other error asks the Job to come again.
    """

    def instructions(self, part: Part) -> Instructions:
        """What this Job is to do."""

    def archive(self, part: Part) -> Download:
        """The archive that the instructions are about."""

    def put_log(self, part: Part, upload: Upload) -> None:
        """Stores the log; again until there is a result."""

    def put_profile(self, part: Part, upload: Upload, profile: Profile) -> None:
        """Stores a profile; again until there is a result."""

    def put_result(self, part: Part, upload: Upload) -> None:
        """Commits the result. The same one again is fine."""


@dataclass(frozen=True)
class Limits:
    """What one endpoint takes upon itself."""

    log_bytes: int = 2 << 30
    profile_bytes: int = 64 << 20
    result_bytes: int = 64 << 20
    environment_bytes: int = 2 << 20
    """Of one node, without what is known of its cluster: some hundred kilobytes."""
    transfers: int = 4
    """At the same time."""
    silence_seconds: float = 60
    """The longest pause within a transfer: a peer that went away without a word must not keep its place."""
    retry_after_seconds: int = 10
