"""The redaction of a capture: under which key, and where the table goes that turns results back."""

from pydantic import Field

from kai_snapshot.api.base import ApiModel
from kai_snapshot.api.source import DNS_SUBDOMAIN
from kai_snapshot.api.storage import LOCATION_RULES, Storage


class KeySecretRef(ApiModel):
    """A key in a Secret in the namespace of the object."""

    name: str = Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)
    """Name of the Secret."""
    key: str = Field(default="redaction.key", min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._-]+$")
    """The key in the Secret that holds 32 bytes or more. Make it once: archives match as long as it stays."""


class RedactionSpec(ApiModel):
    """Names become pseudonyms before anything is stored; what the scheduler decides does not change."""

    key_secret_ref: KeySecretRef
    """The key that pseudonyms are made with. Who has it can read most names without the table: keep it as safe."""
    table: Storage = Field(json_schema_extra={"x-kubernetes-validations": LOCATION_RULES})
    """Where the table of each archive goes, which says what the pseudonyms stand for: another place than `storage`,
    with readers of its own. The location is immutable."""
