"""How fast `kai-snapshot parse-log` is, against zcat and grep that look for the same messages.

Both get a million lines of the corpus' logs, gzip, from a file.
"""

import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from bench.sidebyside import Comparison, in_turns
from bench.versions import version
from kai_snapshot.toollog.reader import Reader

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
LINES = 1_000_000


def measure(*, lines: int = LINES) -> Comparison:
    """Reads a log of so many lines in turns, each side in processes of its own."""
    with tempfile.TemporaryDirectory(prefix="kai-snapshot-bench-") as directory:
        log, messages = Path(directory, "stderr.gz"), Path(directory, "messages")
        write_log(log, lines)
        messages.write_bytes(b"".join(message + b"\n" for message in Reader().messages()))
        return in_turns(
            f"parse-log of {lines:,} lines ({log.stat().st_size >> 20} MiB gzip)",
            ours=lambda: ours(log),
            other=f"{version('zcat')} | LC_ALL=C {version('grep')} -c -F -f",
            theirs=lambda: theirs(log, messages),
        )


def write_log(path: Path, lines: int) -> None:
    """So many lines of all the corpus' logs, one log after the other, over and over."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    with path.open("wb") as file:
        for line in islice(cycle(corpus_lines()), lines):
            file.write(packer.compress(line))
        file.write(packer.flush())


def corpus_lines() -> Iterator[bytes]:
    """Every line of every log of the corpus."""
    for log in sorted(CORPUS.glob("*/v*.stderr.gz")):
        yield from zlib.decompress(log.read_bytes(), wbits=zlib.MAX_WBITS | 16).splitlines(keepends=True)


def ours(log: Path) -> None:
    """The command as a person runs it. The logs hold panics, so the finding is bad: exit status 1."""
    command = [sys.executable, "-m", "kai_snapshot", "parse-log", str(log), "-o", "json"]
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 1):
        raise AssertionError(f"parse-log ended with {done.returncode}")


def theirs(log: Path, messages: Path) -> None:
    """Counts the lines that hold one of the messages."""
    command = f"zcat {log} | LC_ALL=C grep -c -F -f {messages}"
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, stdout=subprocess.DEVNULL)
