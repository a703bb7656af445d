"""Redacted captures: what is stored names nobody, and KAI decides as it did."""

import io
import zipfile
from pathlib import Path

import orjson

from kai_snapshot.redaction.table import read_table, translate
from stage import stage
from support.archives import InBucket
from support.kstatus import condition, verdict
from support.objects import Object, capture, replay
from support.story import Story

KEY = "thirty-two bytes of a key, or some more of them"


def secret(name: str, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": stage.NAMESPACE},
        "stringData": data,
    }


def redaction(key: str, tables: InBucket) -> Object:
    return {"keySecretRef": {"name": key}, "table": tables.spec}


def archive_in(bucket: InBucket) -> str:
    return next(key for key in bucket if key.endswith(".zip"))


def decided(story: Story, bucket: InBucket, name: str, of: str) -> tuple[bytes, Object]:
    """What the Simulator makes of a capture: as it is stored, and without what differs from run to run."""
    finished = story.finished(story.create(replay(name, of=of, versions=None, engine="Simulator", repetitions=1)))
    (result,) = finished["status"]["results"]
    assert result["outcome"] == "Succeeded"
    stored = bucket.read(bucket.key(result["resultURI"]))
    return stored, compared(orjson.loads(stored))


def compared(document: Object) -> Object:
    return {name: document[name] for name in ("placements", "evictions", "pipelined", "podGroups", "queues", "waiting")}


def test_a_redacted_capture_decides_the_same_and_its_table_lies_elsewhere(
    story: Story, bucket: InBucket, tag: str, tmp_path: Path
) -> None:
    plain, redacted = bucket, InBucket(bucket.client, f"{bucket.prefix}-redacted")
    tables = InBucket(bucket.client, f"{bucket.prefix}-tables")
    story.create(secret(f"redaction-{tag}", **{"redaction.key": KEY}))
    hidden = redaction(f"redaction-{tag}", tables)
    for each in (
        capture(f"plain-{tag}", storage=plain.spec),
        capture(f"redacted-{tag}", storage=redacted.spec, redaction=hidden),
    ):
        finished = story.finished(story.create(each))
        assert verdict(finished) == "Current", finished["status"]

    (table_key,) = tables.keys()
    table = tmp_path / "table.gz"
    table.write_bytes(tables.read(table_key))
    names = {name for _, name in read_table(table) if len(name) > 5 and not name.isalpha()}
    assert len(names) > 100
    with zipfile.ZipFile(io.BytesIO(redacted.read(archive_in(redacted)))) as archive:
        document = archive.read("snapshot.json").decode()
    assert [name for name in names if name in document] == []
    manifest = redacted.document(next(key for key in redacted if key.endswith("Z.json")))
    assert len(manifest["redaction"]["keyID"]) == 16

    _, wanted = decided(story, plain, f"of-plain-{tag}", f"plain-{tag}")
    stored, _ = decided(story, redacted, f"of-redacted-{tag}", f"redacted-{tag}")
    assert compared(orjson.loads(translate(stored.decode(), table).text)) == wanted


def test_without_its_key_nothing_is_stored_and_the_secret_is_named(story: Story, bucket: InBucket, tag: str) -> None:
    tables = InBucket(bucket.client, f"{bucket.prefix}-tables")
    nowhere = redaction(f"nowhere-{tag}", tables)
    created = story.create(capture(f"keyless-{tag}", storage=bucket.spec, redaction=nowhere, retries=0))
    seen = story.until(created, lambda seen: condition(seen, "Finished"))
    (run,) = seen["status"]["history"]
    assert (run["outcome"], run["reason"]) == ("Failed", "CredentialsNotFound")
    assert f"nowhere-{tag}" in run["message"]
    assert (bucket.keys(), tables.keys()) == ([], [])
