"""Where the tools keep things: what is expensive to make in the user's cache, the way to it in the checkout."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = CHECKOUT / ".tools" / "bin"
"""Links to the programs that `tools/setup` provides: kind (or localkube in its place), kubectl, versitygw, ..."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "kai-snapshot-operator"


class ToolError(Exception):
    """Something a person has to put right, with a message that says how."""


def docker_runs() -> bool:
    """Whether this machine has a Docker engine, which then builds the images and runs the cluster."""
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


@contextmanager
def exclusively() -> Iterator[None]:
    """One at a time on this machine: the cache is shared by all checkouts of a user."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another one is at work in the cache; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
