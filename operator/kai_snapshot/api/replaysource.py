"""What a SnapshotReplay is about: one archive, or many of a capture."""

from typing import Literal

from pydantic import Field

from kai_snapshot.api.base import ApiModel, Name, Time
from kai_snapshot.api.storage import PATH, Storage

MAX_ARCHIVES = 1000
"""Archives one replay can be about."""


class CaptureReference(ApiModel):
    """An archive of a SnapshotCapture in the same namespace."""

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {
                    "rule": "(self.select == 'AsOf') == has(self.asOf)",
                    "message": "asOf goes with select: AsOf, and only with it",
                },
                {
                    "rule": "(self.select == 'ID') == has(self.id)",
                    "message": "id goes with select: ID, and only with it",
                },
                {
                    "rule": "(self.select == 'Last') == has(self.last)",
                    "message": "last goes with select: Last, and only with it",
                },
                {
                    "rule": "(self.select == 'Range') == has(self.from) && (self.select == 'Range') == has(self.to)",
                    "message": "from and to go with select: Range, and only with it",
                },
                {
                    "rule": "!has(self.from) || !has(self.to) || self.from <= self.to",
                    "message": "from must not be later than to",
                },
            ]
        }
    }

    name: Name
    """The SnapshotCapture's name. It may appear later than the replay."""
    select: Literal["Latest", "AsOf", "ID", "Last", "Range"] = "Latest"
    """Latest: the newest archive when the replay is first looked at. AsOf: the newest at or before `asOf`.
    ID: the one named. Last: the `last` newest, each of them. Range: all from `from` to `to`."""
    as_of: Time | None = None
    """The moment for AsOf."""
    id: str | None = Field(default=None, min_length=1, max_length=64)
    """The run's id for ID, as in status.history[].id."""
    last: int | None = Field(default=None, ge=1, le=MAX_ARCHIVES)
    """How many for Last, at most."""
    from_: Time | None = Field(default=None, alias="from")
    """The first moment for Range."""
    to: Time | None = None
    """The last moment for Range. Captures that come after the first look are not waited for."""


class ArchiveReference(ApiModel):
    """An archive by its key, with no SnapshotCapture needed: another cluster's, or an uploaded one."""

    storage: Storage
    """Where it is."""
    key: str = Field(min_length=1, max_length=1024, pattern=PATH)
    """Its key, relative to the storage's prefix or subPath."""
    sha256: str | None = Field(default=None, max_length=64, pattern=r"^[0-9a-f]{64}$")
    """The SHA-256 it must have."""


class ReplaySource(ApiModel):
    """The archive to replay."""

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.captureRef) != has(self.archive)",
                    "message": "exactly one of captureRef and archive must be given",
                }
            ]
        }
    }

    capture_ref: CaptureReference | None = None
    """An archive of a SnapshotCapture in the same namespace."""
    archive: ArchiveReference | None = None
    """An archive by its key."""
