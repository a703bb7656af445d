"""A question to the API server, before it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Request:
    """A question to the API server, with the words its access rules have for it."""

    path: str
    verbs: Sequence[str]
    """The verbs needed, the one that matters first."""
    resource: str
    group: str = ""
    """The API group, empty for the core group."""
    namespace: str = ""
    name: str = ""
    accept: str = "application/json"
    """The form the answer is to have."""

    def __str__(self) -> str:
        name = f" {self.name}" if self.name else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verbs[0]} {self.resource}{name}{where}"

    @property
    def rule(self) -> str:
        """The access rule that allows it, in a sentence."""
        holder = f"a Role in namespace {self.namespace}" if self.namespace else "a ClusterRole"
        verbs = ", ".join(f'"{verb}"' for verb in self.verbs)
        return f'{holder} with apiGroups ["{self.group}"], resources ["{self.resource}"], verbs [{verbs}]'
