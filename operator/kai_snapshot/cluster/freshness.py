"""Freshness: how old a list of replays may be, so that the API server can answer from its memory. No I/O.

A plain list asks for the state of this moment. Where etcd does not tell how far its watches are (before 3.4.31 and
3.5.13), the API server reads and decodes every object for that, also those that a selector leaves out: with thousands
of replays, for seconds.
https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any


class Freshness:
    """For a kind whose statuses nobody else writes: what we wrote must be in the list. May be asked from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._newest = 0
        self._listed: set[str] = set()

    def query(self, namespace: str) -> Mapping[str, str]:
        """What a list has to ask for; the first of a namespace for all that others wrote before us."""
        with self._guard:
            if namespace not in self._listed:
                return {}
            return {"resource_version": str(self._newest), "resource_version_match": "NotOlderThan"}

    def listed(self, namespace: str, found: Iterable[Mapping[str, Any]]) -> None:
        """Takes note of a list."""
        self.seen(*found)
        with self._guard:
            self._listed.add(namespace)

    def seen(self, *objects: Mapping[str, Any]) -> None:
        """Takes note of objects as they were read or written. Versions of one kind are numbers that grow (KEP-5504)."""
        newest = max((int(obj["metadata"]["resourceVersion"]) for obj in objects), default=0)
        with self._guard:
            self._newest = max(self._newest, newest)
