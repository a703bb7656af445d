"""What may be set of a replay's pods: a whitelist, in the words of a pod."""

from typing import Any

from pydantic import Field

from kai_snapshot.api.base import ApiModel, Name


class PodMetadata(ApiModel):
    """Labels and annotations for the replay's pods."""

    labels: dict[str, str] = Field(default_factory=dict, max_length=32)
    """Added to the pods."""
    annotations: dict[str, str] = Field(default_factory=dict, max_length=32)
    """Added to the pods."""


class Resources(ApiModel):
    """Requests and limits of the container that runs the tool."""

    requests: dict[str, int | str] = Field(default_factory=dict, max_length=16)
    """As in a pod."""
    limits: dict[str, int | str] = Field(default_factory=dict, max_length=16)
    """As in a pod."""


class LocalObjectReference(ApiModel):
    """A name in the same namespace."""

    name: Name
    """The object's name."""


class PodSpec(ApiModel):
    """What may be set of the replay's pods."""

    node_selector: dict[str, str] = Field(default_factory=dict, max_length=32)
    """As in a pod."""
    affinity: dict[str, Any] | None = Field(
        default=None, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True}
    )
    """As in a pod."""
    tolerations: tuple[dict[str, Any], ...] = Field(
        default=(),
        max_length=32,
        json_schema_extra={"items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    )
    """As in a pod."""
    priority_class_name: str | None = Field(default=None, max_length=253)
    """As in a pod."""
    resources: Resources | None = None
    """Of the container that runs the tool."""
    image_pull_secrets: tuple[LocalObjectReference, ...] = Field(default=(), max_length=8)
    """As in a pod."""


class PodTemplate(ApiModel):
    """What may be set of the replay's pods."""

    metadata: PodMetadata = Field(default_factory=PodMetadata)
    """Labels and annotations."""
    spec: PodSpec = Field(default_factory=PodSpec)
    """Placement, priority, resources, pull secrets."""
