"""How fast and in how much memory an archive is prepared, against `unzip -p | jq | gzip -1` that does one of the edits.

Ours moves every time in the document, and patches a queue; theirs only changes the queue. Both are whole processes, on
one generated archive of 150 MB of JSON.
"""

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from bench.peak import launched, peak
from bench.sidebyside import Comparison, in_turns
from bench.versions import version
from kai_snapshot.api.preparation import Patch, PatchTarget
from kai_snapshot.archive.prepare import TIMES_MOVED, Preparation, prepare
from support import documents

QUEUE, QUOTA = "team-7", 24
EDIT = f'(.rawObjects.queues[] | select(.metadata.name == "{QUEUE}") | .spec.resources.gpu.quota) = {QUOTA}'
PATCH = f"[{{op: replace, path: /spec/resources/gpu/quota, value: {QUOTA}}}]"
CAPTURED, NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC), datetime(2026, 11, 30, 8, 30, tzinfo=UTC)


def measure(directory: Path, *, megabytes: int) -> Comparison:
    """Prepares in turns, and looks whether both did what they were to do."""
    source = directory / "snapshot.zip"
    written = documents.write_archive(source, pods=documents.pods_for(megabytes * 10**6))
    comparison = in_turns(
        f"preparation of {written.size / 1e6:.0f} MB of JSON",
        ours=lambda: ours(source, directory / "ours.zip"),
        other=f"unzip -p | {version('jq')} | {version('gzip')} -1",
        theirs=lambda: theirs(source, directory / "theirs.gz"),
    )
    with zipfile.ZipFile(directory / "ours.zip") as archive:
        _check(archive.read("snapshot.json"))
    unpacked = subprocess.run(["gzip", "-dc", directory / "theirs.gz"], check=True, stdout=subprocess.PIPE)
    _check(unpacked.stdout)
    return comparison


def peak_memory(directory: Path, *, megabytes: int) -> int:
    """The largest resident set of the preparing process, in bytes, with a document of this size."""
    source = directory / "snapshot.zip"
    documents.write_archive(source, pods=documents.pods_for(megabytes * 10**6))
    return ours(source, directory / "ours.zip")


def ours(source: Path, target: Path) -> int:
    """One preparation; the peak of its memory in bytes."""
    command = [sys.executable, "-m", "bench.preparation", str(source), str(target)]
    done = subprocess.run(launched(command), check=True, stderr=subprocess.PIPE)
    return peak(done.stderr)


def theirs(source: Path, target: Path) -> None:
    """One edit by hand."""
    command = f"unzip -p {source} | jq -c '{EDIT}' | gzip -1 > {target}"
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True)


def _check(document: bytes) -> None:
    queues = {queue["metadata"]["name"]: queue for queue in json.loads(document)["rawObjects"]["queues"]}
    if queues[QUEUE]["spec"]["resources"]["gpu"]["quota"] != QUOTA:
        raise AssertionError("the queue was not changed")


def main(source: Path, target: Path) -> None:
    """What fetch does with an archive."""
    patch = Patch(target=PatchTarget(kind="Queue", name=QUEUE), patch=PATCH)
    wanted = Preparation(captured_at=CAPTURED, captured_version="v0.17.0", target_version="v0.17.0", patches=(patch,))
    changes = prepare(source, target, wanted, now=NOW)
    if not changes[-1].startswith(TIMES_MOVED):
        raise AssertionError(f"the times were not moved: {changes}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
