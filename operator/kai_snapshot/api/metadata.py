"""The part of metav1.ObjectMeta that decisions look at."""

from pydantic import Field

from kai_snapshot.api.base import ApiModel, Time


class Metadata(ApiModel):
    """Who an object is."""

    name: str
    namespace: str
    uid: str
    generation: int = 1
    creation_timestamp: Time
    deletion_timestamp: Time | None = None
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
