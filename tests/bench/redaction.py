"""How fast and in how much memory an archive is redacted, beside its preparation, which rewrites it with times moved.

Both are whole processes, on one generated archive of 150 MB of JSON. Redaction makes each object anew and draws a
pseudonym for each name, so it takes a multiple; what counts is that its memory does not grow with the archive.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

from bench import preparation
from bench.peak import launched, peak
from bench.sidebyside import Comparison, in_turns
from kai_snapshot.redaction.key import Key
from kai_snapshot.redaction.redact import redact
from kai_snapshot.redaction.table import new_table
from support import documents

KEY = Key(b"a key of the benchmark, of thirty-two bytes or more", where="the benchmark")
NAME = b'"kubernetes.io/hostname":"node-'


def measure(directory: Path, *, megabytes: int) -> Comparison:
    """Redacts and prepares in turns, and looks whether the names are gone."""
    source = directory / "snapshot.zip"
    written = documents.write_archive(source, pods=documents.pods_for(megabytes * 10**6))
    comparison = in_turns(
        f"redaction of {written.size / 1e6:.0f} MB of JSON",
        ours=lambda: ours(source, directory / "ours.zip"),
        other="its preparation",
        theirs=lambda: preparation.ours(source, directory / "theirs.zip"),
    )
    with zipfile.ZipFile(directory / "ours.zip") as archive:
        if NAME in archive.read("snapshot.json"):
            raise AssertionError("there are names left")
    return comparison


def peak_memory(directory: Path, *, megabytes: int) -> int:
    """The largest resident set of the redacting process, in bytes, with a document of this size."""
    source = directory / "snapshot.zip"
    documents.write_archive(source, pods=documents.pods_for(megabytes * 10**6))
    return ours(source, directory / "ours.zip")


def ours(source: Path, target: Path) -> int:
    """One redaction; the peak of its memory in bytes."""
    command = [sys.executable, "-m", "bench.redaction", str(source), str(target)]
    done = subprocess.run(launched(command), check=True, stderr=subprocess.PIPE)
    return peak(done.stderr)


def main(source: Path, target: Path) -> None:
    """What `kai-snapshot redact` does with an archive."""
    with new_table(target.with_suffix(".table.gz"), key_id=KEY.id) as told:
        dropped = redact(source, target, KEY, told)
    if dropped:
        raise AssertionError(f"fields were left out: {dropped}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
