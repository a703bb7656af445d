"""Every status that an object of our kinds ever has while tests run, also between two looks of a test."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from threading import Event, Lock

from stage.kube import Kube
from support import kstatus
from support.objects import API_VERSION, Object

KINDS = ("snapshotcaptures", "snapshotreplays")
AT_ONCE_SECONDS = 4
"""How much of the time each request tells of, from where the one before ended."""
SMALL = 50_000
"""Bytes that a status may have: it is kept in memory by everybody who watches the kind."""


class Watch:
    """Checks each status as the API server tells of it, and keeps what was found wrong until it is asked."""

    def __init__(self, tell: Callable[[Object], object]) -> None:
        self._tell = tell
        self._wrong: dict[tuple[str, str], str] = {}
        self._lock = Lock()

    def see(self, obj: Object) -> None:
        """A state of an object."""
        self._tell(obj)
        try:
            check(obj)
        except AssertionError as error:
            meta, rule = obj["metadata"], str(error).partition("\n")[0]
            status = json.dumps(obj.get("status"), indent=1)
            with self._lock:
                self._wrong.setdefault(
                    (meta["uid"], rule), f"{obj['kind']} {meta['namespace']}/{meta['name']}: {rule}\n{status}"
                )

    def complain(self) -> None:
        """Raises AssertionError with all that was wrong since the last time."""
        with self._lock:
            wrong, self._wrong = self._wrong, {}
        if wrong:
            raise AssertionError("\n\n".join(["statuses that may not be, at any moment:", *wrong.values()]))


def check(obj: Object) -> None:
    """Asserts what is so of a status at every moment."""
    kstatus.check(obj)
    size = len(json.dumps(obj["status"], separators=(",", ":")))
    assert size < SMALL, f"the status has {size} bytes"


@contextmanager
def watching(kube: Kube, tell: Callable[[Object], object]) -> Iterator[Watch]:
    """Watches both kinds in all namespaces. `tell` gets every state of every object too, from several threads."""
    watch, over = Watch(tell), Event()
    with ThreadPoolExecutor(len(KINDS)) as pool:
        followers = [pool.submit(_follow, kube, kind, watch, over) for kind in KINDS]
        try:
            yield watch
        finally:
            over.set()
    for follower in followers:
        follower.result()


def _follow(kube: Kube, kind: str, watch: Watch, over: Event) -> None:
    path = f"/apis/{API_VERSION}/{kind}"
    version = json.loads(kube.get_raw(f"{path}?limit=1"))["metadata"]["resourceVersion"]
    while not over.is_set():
        options = f"watch=true&allowWatchBookmarks=true&timeoutSeconds={AT_ONCE_SECONDS}&resourceVersion={version}"
        for line in kube.get_raw(f"{path}?{options}").splitlines():
            event = json.loads(line)
            if event["type"] == "ERROR":
                version = _again(kube, path, watch, event["object"])
                break
            version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                watch.see(event["object"])


def _again(kube: Kube, path: str, watch: Watch, error: Object) -> str:
    """Begins anew with what there is: the API server forgets what was before a change of the definition."""
    assert error["code"] == HTTPStatus.GONE, error
    listed = json.loads(kube.get_raw(path))
    for obj in listed["items"]:
        watch.see(obj)
    version: str = listed["metadata"]["resourceVersion"]
    return version
