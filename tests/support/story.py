"""What an e2e test does with a cluster: creates objects of its own, and looks at them until something is so."""

import json
from collections.abc import Callable

from stage.kube import Kube
from support import kstatus
from support.eventually import eventually
from support.objects import Object


class Story:
    """Objects that are gone when the test is over. Each status that is seen is checked."""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self._created: list[Object] = []

    def create(self, *objects: Object) -> Object:
        """Creates objects and returns the last."""
        for obj in objects:
            created = self.kube.create(obj)
            self._created.append(created)
        return created

    def apply(self, *objects: Object) -> list[Object]:
        """Applies objects all at once, as GitOps does, and returns them as they are then."""
        applied = self.kube.apply(*objects)
        self._created += applied
        return applied

    def see(self, obj: Object) -> Object:
        """The object as it is now."""
        meta = obj["metadata"]
        found = self.kube.get(obj["kind"], meta["name"], meta.get("namespace", ""))
        assert found is not None, f"{obj['kind']} {meta['name']} is gone"
        return kstatus.check(found) if found["apiVersion"].startswith("kai-snapshot.io/") else found

    def until(self, obj: Object, so: Callable[[Object], object], *, timeout: float = 90, what: str = "") -> Object:
        """Looks until `so` is true of the object, and returns it."""

        def look() -> Object | None:
            seen = self.see(obj)
            assert so(seen), seen.get("status")
            return seen

        return eventually(look, timeout=timeout, what=what or f"{obj['kind']} {obj['metadata']['name']}")

    def finished(self, obj: Object, *, timeout: float = 90) -> Object:
        """The object once it is Finished."""
        return self.until(obj, lambda seen: kstatus.is_true(seen, "Finished"), timeout=timeout)

    def events(self, obj: Object, *, until: str) -> list[Object]:
        """The events about the object, oldest first, once one has the reason `until`: the status is written first."""

        def look() -> list[Object]:
            found = self.kube.run(
                "get", "events", f"--namespace={obj['metadata']['namespace']}", "--output=json",
                f"--field-selector=involvedObject.uid={obj['metadata']['uid']}",
            )  # fmt: skip
            events = json.loads(found)["items"]
            assert until in [event["reason"] for event in events], events
            return sorted(events, key=lambda event: str(event["metadata"]["creationTimestamp"]))

        return eventually(look, what=f"the event {until}")

    def annotate(self, obj: Object, name: str, value: str) -> None:
        """Sets an annotation."""
        meta = obj["metadata"]
        self.kube.patch(obj["kind"], meta["name"], meta["namespace"], {"metadata": {"annotations": {name: value}}})

    def end(self) -> None:
        """Deletes what the test made, and does not wait for it."""
        for obj in reversed(self._created):
            meta = obj["metadata"]
            self.kube.delete(obj["kind"], meta["name"], meta.get("namespace", ""), wait=False)
