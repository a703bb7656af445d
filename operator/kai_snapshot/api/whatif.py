"""What a change would bring: the document that `simulate --patch` prints."""

from typing import Any, Literal

from kai_snapshot.api.base import ApiModel
from kai_snapshot.api.comparisondocument import ComparisonDocument
from kai_snapshot.api.result import ReplayResult


class WhatIf(ApiModel):
    """An archive simulated as it is, and with changes."""

    schema_version: Literal["kai-snapshot.io/what-if/v1"] = "kai-snapshot.io/what-if/v1"
    """The version of this document."""
    before: ReplayResult
    """Of the archive as it is."""
    after: ReplayResult
    """With the changes, which `adaptations` lists."""
    comparison: ComparisonDocument
    """The versions `before`, which is the baseline, and `after`: what differs, by name."""

    def dump(self) -> dict[str, Any]:
        """The JSON object, with every field: null says that something is unlimited or unknown."""
        return self.model_dump(mode="json", by_alias=True)
