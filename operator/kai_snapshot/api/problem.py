"""Why something is not as it should be: a reason and a sentence, in documents, in statuses and on the wire."""

from typing import Self

from kai_snapshot.api.base import ApiModel
from kai_snapshot.errors import Reason, SnapshotError


class Problem(ApiModel):
    """One thing that is wrong."""

    reason: Reason
    """In one word."""
    message: str
    """For a person: what is wrong and where, and what to do."""

    @classmethod
    def of(cls, error: SnapshotError) -> Self:
        """What the error says."""
        return cls(reason=error.reason, message=error.message)
