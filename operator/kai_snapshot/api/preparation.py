"""What is done to an archive before a tool gets it."""

from typing import Literal

from pydantic import Field

from kai_snapshot.api.base import ApiModel


class PatchTarget(ApiModel):
    """The object of the snapshot that a patch is for."""

    kind: str = Field(min_length=1, max_length=63)
    """Its kind, such as Queue, Node, Pod or PodGroup; or Config or SchedulerParams, which have no name."""
    namespace: str = Field(default="", max_length=253)
    """Its namespace; empty for what has none."""
    name: str = Field(default="", max_length=253)
    """Its name."""


class Patch(ApiModel):
    """A change to one object of the snapshot: what if it were different."""

    target: PatchTarget
    """The object. That there is none is an error."""
    patch: str = Field(min_length=1, max_length=65536)
    """RFC 6902 operations, as YAML or JSON text. `[{op: remove, path: ""}]` takes the object out of the snapshot, and
    pods of such a node wait for a place again. `add` with path `""` puts in an object that is not there."""


class Prepare(ApiModel):
    """What is done to the archive before the tool gets it. Each change is listed in the result."""

    config: Literal["TargetDefaults", "Verbatim"] = "TargetDefaults"
    """TargetDefaults: put in a healed configuration, and the plugins that are default in the version and were not yet
    default in the version that made the archive. Verbatim: leave it as it is."""
    clock: Literal["Shift", "Verbatim"] = "Shift"
    """Shift: move all times by what has passed since the capture, so that every age is what the scheduler saw.
    Verbatim: leave them; rules about stale gangs and minimum runtimes then see the age of the archive."""
    patches: tuple[Patch, ...] = Field(default=(), max_length=64)
    """Changes to objects, the configuration or the scheduler's parameters, in this order, before all else. Their texts
    may have 256 KiB together."""
