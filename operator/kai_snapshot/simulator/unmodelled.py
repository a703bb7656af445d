"""Collects what an archive uses that the simulator does not know, with the objects concerned: never a silent guess."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

NAMED = 20
"""Objects named of each kind."""


class Use(NamedTuple):
    """Something that is not modelled."""

    what: str
    among: frozenset[str] | None = None
    """The namespaces with pods that it concerns; None: all."""


class Unmodelled:
    """Collects what is not modelled, list by list: a list can be read anew."""

    def __init__(self, found: Mapping[str, Mapping[Use, Mapping[str, None]]] = MappingProxyType({})) -> None:
        self._found = {kind: {use: dict(names) for use, names in each.items()} for kind, each in found.items()}

    def copy(self) -> "Unmodelled":
        """One that can be changed by itself."""
        return Unmodelled(self._found)

    def begin(self, kind: str) -> None:
        """A list, or a member of the document, begins."""
        self._found[kind] = {}

    def add(self, kind: str, use: Use, name: str) -> None:
        """Something that is not modelled, and who uses it."""
        self._found[kind].setdefault(use, {})[name] = None

    def texts(self, namespaces: Collection[str]) -> tuple[str, ...]:
        """One text for each, with the objects concerned; `namespaces` are those of the jobs' pods."""
        merged: dict[str, dict[str, None]] = {}
        for found in self._found.values():
            for use, names in found.items():
                if use.among is None or not use.among.isdisjoint(namespaces):
                    merged.setdefault(use.what, {}).update(names)
        return tuple(f"{what}: {named(list(names))}" for what, names in merged.items())


def named(names: list[str]) -> str:
    """Names, the first of them if there are many."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
