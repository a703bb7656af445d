"""How fast `kai-snapshot inspect` checks a large archive, against `unzip -p | jq` that only counts the same lists.

Both are whole processes, from start to end, on one generated archive of 150 MB of JSON.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.sidebyside import Comparison, in_turns
from bench.versions import version
from support import documents

MEGABYTES = 150
COUNT = ".rawObjects | map_values(length)"


def measure(*, megabytes: int = MEGABYTES) -> Comparison:
    """Checks in turns, and that both count the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot.zip"
        written = documents.write_archive(path, pods=documents.pods_for(megabytes * 10**6))
        if not ours(path) == theirs(path) == written.counts:
            raise AssertionError("the two sides count differently")
        return in_turns(
            f"inspect of {written.size / 1e6:.0f} MB of JSON",
            ours=lambda: ours(path),
            other=f"unzip -p | {version('jq')}",
            theirs=lambda: theirs(path),
        )


def ours(path: Path) -> dict[str, int]:
    """Objects in each list."""
    command = [sys.executable, "-m", "kai_snapshot", "inspect", str(path), "-o", "json"]
    counts: dict[str, int] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)[
        "objectCounts"
    ]
    return counts


def theirs(path: Path) -> dict[str, int]:
    """Objects in each list."""
    with subprocess.Popen(["unzip", "-p", str(path)], stdout=subprocess.PIPE) as unzip:
        counted = subprocess.run(["jq", COUNT], check=True, stdin=unzip.stdout, stdout=subprocess.PIPE).stdout
    counts: dict[str, int] = json.loads(counted)
    return counts
