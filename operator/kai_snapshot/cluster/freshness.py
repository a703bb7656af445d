"""Freshness: how old a list of replays may be, so that the API server can answer from its memory.

A plain list asks for the state of this moment. Where etcd does not tell how far its watches are (before 3.4.31 and
3.5.13), the API server reads and decodes every object for that, also those that a selector leaves out: with thousands
of replays, for seconds.
https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list
"""

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from kubernetes.client.exceptions import ApiException


class Freshness:
    """For a kind whose statuses nobody else writes: what we wrote must be in the list. May be used from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._newest = 0
        self._listed: set[str] = set()

    def seen(self, *objects: Mapping[str, Any]) -> None:
        """Takes note of objects as they were read or written. Versions of one kind are numbers that grow (KEP-5504)."""
        newest = max((int(obj["metadata"]["resourceVersion"]) for obj in objects), default=0)
        with self._guard:
            self._newest = max(self._newest, newest)

    def listed(self, namespace: str, ask: Callable[..., list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """What `ask` lists in the namespace, with the parameters that it is given. Raises what it raises."""
        query = self._query(namespace)
        try:
            found = ask(**query)
        except ApiException as error:
            if not query or error.status != HTTPStatus.GATEWAY_TIMEOUT:
                raise
            found = ask()  # the memory is behind
        self.seen(*found)
        with self._guard:
            self._listed.add(namespace)
        return found

    def _query(self, namespace: str) -> Mapping[str, str]:
        """For the first list of a namespace nothing: all that others wrote before us must be in it."""
        with self._guard:
            if namespace not in self._listed:
                return {}
            return {"resource_version": str(self._newest), "resource_version_match": "NotOlderThan"}
