"""What a check of a snapshot archive found: the document `kai-snapshot inspect -o json` prints."""

from typing import Literal

from pydantic import Field

from kai_snapshot.api.base import ApiModel
from kai_snapshot.api.problem import Problem

DRAForm = Literal["v1", "v1beta1"]
"""The version of resource.k8s.io that objects have the form of: what they ask for stands elsewhere in each."""


class Inspection(ApiModel):
    """The finding about one archive. What could not be read is empty or absent."""

    valid: bool
    """There is no problem: the archive can be kept and replayed."""
    problems: tuple[Problem, ...] = ()
    sha256: str
    """Of the archive as it is, in hexadecimal."""
    size_bytes: int
    """Of the archive."""
    uncompressed_bytes: int
    """Of `snapshot.json`, as far as it was read."""
    top_level_keys: tuple[str, ...] = ()
    """In the order of the document."""
    object_counts: dict[str, int] = Field(default_factory=dict)
    """Objects in each list of `rawObjects`, in the order of the document; a list that is `null` has none."""
    built_from_api: bool = Field(default=False, alias="builtFromAPI")
    """`kai-snapshot` built it from the API server's lists, as the archive itself says: no scheduler served it."""
    config_present: bool
    """The scheduler's configuration is there, and not `null`."""
    actions: tuple[str, ...] = ()
    """The actions of the scheduler's configuration, in their order."""
    plugins: tuple[str, ...] = ()
    """The plugins of the scheduler's configuration, in their order."""
    wants_usage_history: bool = False
    """The configuration wants the history of usage, which no snapshot holds."""
    dra_form: DRAForm | None = None
    """The form of the resource claims and slices; absent if there are none or they do not tell."""
    api_groups: tuple[str, ...] = ()
    """The API groups of the cluster, as the scheduler saw them (v0.13 and later)."""
    scheduler_name: str | None = None
    """From the scheduler's parameters."""
    node_pool: str | None = None
    """The value of the scheduler's partition label; empty for the shard of the nodes without one."""
    kubernetes_version: str | None = None
    """Of the API server, as the scheduler saw it (v0.13 and later)."""
