"""What all models share: camelCase outside, snake_case inside, frozen, unknown fields ignored."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

GROUP = "kai-snapshot.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class ApiModel(BaseModel):
    """A part of the API. Unknown fields are ignored: an older operator must survive a newer CRD."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    def dump(self) -> dict[str, Any]:
        """The JSON object as the API server and the store have it: camelCase, nothing that is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T10:15:00Z`: whole seconds in UTC, the form of metav1.Time."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def unchanged(field: str) -> str:
    """The CEL rule that an optional field is what it was.

    `self.?x == oldSelf.?x` says the same, but the API server takes the cost of that for unbounded and refuses it.
    """
    return f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


Time = Annotated[
    datetime,
    BeforeValidator(_aware),
    PlainSerializer(rfc3339, when_used="json"),
    Field(json_schema_extra={"type": "string", "format": "date-time"}),
]
"""A moment, aware, written as RFC 3339 in UTC with whole seconds."""

Name = Annotated[str, Field(min_length=1, max_length=253)]
"""The name of a Kubernetes object."""
