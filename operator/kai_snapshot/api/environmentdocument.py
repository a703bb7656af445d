"""The document that says what a node was: NVIDIA AICR's `Snapshot`, which aicr's own tools read.

It is read leniently, as aicr reads it: unknown fields are ignored, the first measurement of a type counts, and a value
that is no scalar becomes text. It is written strictly: one measurement of each type, in a fixed order, scalars only.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from kai_snapshot.api.base import ApiModel, rfc3339

KIND: Final = "Snapshot"
ApiVersion = Literal["aicr.nvidia.com/v1alpha1", "aicr.run/v1"]
"""The header: the older one up to aicr v0.20, the newer one from v0.21 on. The body is the same."""
FULL_API_VERSION: Final[ApiVersion] = "aicr.nvidia.com/v1alpha1"
NEWER_API_VERSION: Final[ApiVersion] = "aicr.run/v1"

DEFAULT_UNITS: Final = ("containerd.service", "docker.service", "kubelet.service")
"""The units of systemd that are looked at, as in aicr."""
TIMESTAMP, VERSION, SOURCE_NODE = "timestamp", "version", "source-node"
"""The keys of `metadata`."""
REASON, COMPLETE = "reason", "complete"
"""The keys of a subtype's `context`: why there is nothing, and `false` if there may well be something."""

Reading = StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | StrictStr
"""One value."""
Readings = Mapping[str, Reading]


class MeasurementType(StrEnum):
    """What a measurement is of, in the order in which they are written."""

    K8S = "K8s"
    GPU = "GPU"
    OS = "OS"
    SYSTEMD = "SystemD"
    NODE_TOPOLOGY = "NodeTopology"


COLLECTOR_OF: Final[Mapping[MeasurementType, str]] = {
    MeasurementType.K8S: "k8s",
    MeasurementType.GPU: "gpu",
    MeasurementType.OS: "os",
    MeasurementType.SYSTEMD: "systemd",
    MeasurementType.NODE_TOPOLOGY: "topology",
}
"""The name of the collector that makes each measurement, as aicr's metrics have it."""


class CollectorStatus(StrEnum):
    """How a collector ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"


class _Part(ApiModel):
    """Field names are aicr's: kebab-case in keys, camelCase in fields."""

    model_config = ConfigDict(hide_input_in_errors=True)


class Item(_Part):
    """One thing of many that a subtype is about: a GPU, a label."""

    context: dict[str, str] = Field(default_factory=dict)
    """What tells it from the others."""
    data: dict[str, Reading] = Field(default_factory=dict)
    """What is known of it."""

    def dump(self) -> dict[str, Any]:
        """The JSON object."""
        return {"context": dict(sorted(self.context.items())), "data": dict(sorted(self.data.items()))}


class Subtype(_Part):
    """One part of a measurement: `release`, `containerd.service`."""

    subtype: str
    """Its name."""
    data: dict[str, Reading] = Field(default_factory=dict)
    """Values by key, flat."""
    context: dict[str, str] = Field(default_factory=dict)
    """Free text about it."""
    items: tuple[Item, ...] = ()
    """The same by thing, where one key is about many; readers before aicr v0.16 ignore them."""

    @property
    def lacks(self) -> str | None:
        """Why it is not, or not wholly, known what there is; None if it is."""
        return self.context.get(REASON, "") if self.context.get(COMPLETE) == "false" else None

    def lacking(self, why: str) -> Self:
        """The same, of which it is not, or not wholly, known what there is."""
        return self.model_copy(update={"context": {**self.context, REASON: why, COMPLETE: "false"}})

    def dump(self) -> dict[str, Any]:
        """The JSON object; keys in order, so that equal content is equal text."""
        return {
            "subtype": self.subtype,
            "data": dict(sorted(self.data.items())),
            **({"context": dict(sorted(self.context.items()))} if self.context else {}),
            **({"items": [item.dump() for item in self.items]} if self.items else {}),
        }


class Measurement(_Part):
    """What one collector found."""

    type: str
    """One of `MeasurementType`; newer aicr has more."""
    subtypes: tuple[Subtype, ...] = ()
    """Its parts."""

    def subtype(self, name: str) -> Subtype | None:
        """The first part of that name."""
        return next((each for each in self.subtypes if each.subtype == name), None)

    def dump(self) -> dict[str, Any]:
        """The JSON object."""
        return {"type": str(self.type), "subtypes": [each.dump() for each in self.subtypes]}


class CollectorReport(_Part):
    """How a collector ended. An addition of this project, which aicr ignores."""

    name: str
    """`k8s`, `gpu`, `os`, `systemd` or `topology`."""
    status: CollectorStatus
    """Whether its measurement is in the document."""
    duration_seconds: float = Field(ge=0)
    """How long it took, or until it was given up."""
    message: str | None = None
    """Why it failed, or what it could not read."""


class EnvironmentDocument(_Part):
    """What a node, or a cluster, was at one moment. One document describes one node."""

    kind: str = KIND
    """`Snapshot`."""
    api_version: str = FULL_API_VERSION
    """The header."""
    metadata: dict[str, str] = Field(default_factory=dict)
    """`timestamp` (RFC 3339, UTC), `version` of this project, `source-node`."""
    measurements: tuple[Measurement, ...] = ()
    """What was found."""
    collectors: tuple[CollectorReport, ...] = ()
    """How each collector ended."""

    @classmethod
    def compose(
        cls,
        measurements: Iterable[Measurement],
        *,
        source_node: str,
        version: str,
        at: datetime,
        collectors: Iterable[CollectorReport] = (),
        api_version: ApiVersion = FULL_API_VERSION,
    ) -> Self:
        """A document to be written: the first measurement of each type, in the fixed order."""
        first: dict[str, Measurement] = {}
        for each in measurements:
            first.setdefault(each.type, each)
        return cls(
            api_version=api_version,
            metadata={SOURCE_NODE: source_node, TIMESTAMP: rfc3339(at), VERSION: version},
            measurements=tuple(first[type_] for type_ in MeasurementType if type_ in first),
            collectors=tuple(collectors),
        )

    @property
    def source_node(self) -> str:
        """The node it describes; empty if it does not say."""
        return self.metadata.get(SOURCE_NODE, "")

    @property
    def gpu_count(self) -> int | None:
        """How many GPUs the node has by the driver, else by what is plugged in; None if nothing says so."""
        gpu = self.measurement(MeasurementType.GPU)
        counts = [each.data.get("gpu-count") for each in gpu.subtypes] if gpu is not None else []
        known = [count for count in counts if isinstance(count, int)]
        return next((count for count in known if count > 0), known[0] if known else None)

    def measurement(self, type_: MeasurementType) -> Measurement | None:
        """The first measurement of that type: the one that counts."""
        return next((each for each in self.measurements if each.type == type_), None)

    def with_header(self, api_version: ApiVersion) -> Self:
        """The same document for readers of another release of aicr."""
        return self.model_copy(update={"api_version": api_version})

    def dump(self) -> dict[str, Any]:
        """The JSON object, the same for the same content."""
        return {
            "kind": self.kind,
            "apiVersion": self.api_version,
            "metadata": dict(sorted(self.metadata.items())),
            "measurements": [each.dump() for each in self.measurements],
            **({"collectors": [each.dump() for each in self.collectors]} if self.collectors else {}),
        }
