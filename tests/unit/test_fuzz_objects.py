"""Whatever the API server lets in as one of our kinds, a look at it ends in a status that it takes, or in a reason."""

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kai_snapshot import stores
from kai_snapshot.api.base import GROUP
from kai_snapshot.api.storage import Storage
from kai_snapshot.cluster import CAPTURES, REPLAYS, Object
from kai_snapshot.errors import SnapshotError
from kai_snapshot.runs import drive_capture, drive_environment, drive_replay
from kai_snapshot.runs import services as services_module
from kai_snapshot.stores.memory import MemoryStore
from support.cluster import NAMESPACE, FakeCluster, services
from support.fuzz import HOSTILE_TEXT, fuzzed
from support.fuzzobjects import schema, values
from support.resources import capture, replay
from unit.test_drive import CLAIM, FakeChildren, stored

LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
LONGEST_MESSAGE = 32768
"""Of a condition, by metav1.Condition; the CRDs have it too."""
SCHEMAS = {plural: schema(plural) for plural in (CAPTURES, REPLAYS)}
SPECS = {plural: values(found["properties"]["spec"]) for plural, found in SCHEMAS.items()}


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A claim with an archive, and S3 that is opened as ever but holds nothing."""
    root = tmp_path_factory.mktemp("claims")
    (root / "archives").mkdir()
    stored(root)

    def open_store(storage: Storage, **given: Any) -> stores.Store:
        opened = stores.open_store(storage, **given)
        return opened if storage.pvc is not None else MemoryStore()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.path.ismount", lambda path: Path(path).exists())
        patch.setattr(services_module, "open_store", open_store)
        yield root


def looked_at(
    plural: str, resource: Object, claims: Path, *, expected: type[Exception] = SnapshotError
) -> tuple[FakeCluster, Object]:
    """The cluster, and the object, after a few looks at it; each may end in what is expected."""
    cluster = FakeCluster()
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    cluster.put(plural, resource)
    meta = resource["metadata"]
    world = services(cluster, claims=claims, children=FakeChildren(), steps=FakeChildren())
    for name in named(resource["spec"]):
        cluster.secrets[name] = {"metadata": {"name": name}, "stringData": keys}

    async def look() -> None:
        if plural == REPLAYS:
            await drive_replay.drive(world, NAMESPACE, meta["name"])
        else:
            await drive_capture.drive(world, NAMESPACE, meta["name"], lambda: None)
            await drive_environment.drive(world, NAMESPACE, meta["name"], lambda: None)

    async def looked() -> bool:
        with contextlib.suppress(expected):
            await look()
        return True

    for _ in range(3):
        assert asyncio.run(asyncio.wait_for(looked(), 60)), "it ends"
    assert list(text_string_to_metric_families(generate_latest(world.metrics.registry).decode()))
    seen = cluster.get(plural, NAMESPACE, meta["name"])
    assert seen is not None
    return cluster, seen


def named(spec: Any) -> Iterator[str]:
    """The Secrets that a spec names, anywhere."""
    if isinstance(spec, dict):
        for key, value in spec.items():
            if key.endswith("SecretRef"):
                yield value["name"]
            yield from named(value)


def check(cluster: FakeCluster, plural: str, seen: Object) -> None:
    """What the API server would make of all that was written."""
    jsonschema.validate(seen.get("status", {}), SCHEMAS[plural]["properties"]["status"])
    for condition in seen.get("status", {}).get("conditions", ()):
        assert len(condition["message"]) <= LONGEST_MESSAGE
    for job in cluster.made_jobs.values():
        json.dumps(job)
        assert len(job["metadata"]["name"]) <= 63
        ours = {key: value for key, value in job["metadata"]["labels"].items() if key.startswith(GROUP)}
        assert all(LABEL.fullmatch(value) and len(value) <= 63 for value in ours.values()), ours


@fuzzed(40)
@given(spec=SPECS[CAPTURES])
def test_a_capture_of_any_spec(claims: Path, spec: dict[str, Any]) -> None:
    resource = capture()
    resource["spec"] = spec
    cluster, seen = looked_at(CAPTURES, resource, claims)
    check(cluster, CAPTURES, seen)
    assert seen["status"]["conditions"]


@fuzzed(40)
@given(spec=SPECS[REPLAYS])
def test_a_replay_of_any_spec(claims: Path, spec: dict[str, Any]) -> None:
    resource = replay()
    resource["spec"] = spec
    cluster, seen = looked_at(REPLAYS, resource, claims)
    check(cluster, REPLAYS, seen)
    assert seen["status"]["conditions"]


STATUSES = {plural: values(found["properties"]["status"]) for plural, found in SCHEMAS.items()}


@fuzzed(40)
@given(data=st.data())
@pytest.mark.parametrize("plural", [CAPTURES, REPLAYS])
def test_a_status_that_somebody_else_wrote(claims: Path, plural: str, data: st.DataObject) -> None:
    resource = capture(**CLAIM) if plural == CAPTURES else replay()
    """Its looks end, if only as a fault that the workers report and try again: no other object has to wait for it."""
    resource["status"] = data.draw(STATUSES[plural])
    looked_at(plural, resource, claims, expected=Exception)


@pytest.mark.parametrize("text", HOSTILE_TEXT, ids=repr)
def test_annotations_and_labels_of_any_text(claims: Path, text: str) -> None:
    resource = capture(**CLAIM, annotations={"kai-snapshot.io/run-requested-at": text, text: text})
    resource["metadata"]["labels"] = {"app": text}
    cluster, seen = looked_at(CAPTURES, resource, claims)
    check(cluster, CAPTURES, seen)
