"""Locks: one for each thing that two threads must not be at, as long as somebody has or wants it."""

import threading
from collections.abc import Hashable
from weakref import WeakValueDictionary


class Locks:
    """Two pods may be at work on one result for a moment: who comes first is done before the other is heard."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def of(self, key: Hashable) -> threading.Lock:
        """The lock of that thing."""
        with self._guard:
            return self._known.setdefault(key, threading.Lock())
