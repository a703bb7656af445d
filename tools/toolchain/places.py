"""Where the tools keep things: what is expensive to make in the user's cache, the way to it in the checkout."""

import os
import shutil
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = CHECKOUT / ".tools" / "bin"
"""Links to the programs that `tools/setup` provides: kind (or localkube in its place), kubectl, versitygw, ..."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "kai-snapshot-operator"
CA_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class ToolError(Exception):
    """Something a person has to put right, with a message that says how."""


def docker_runs() -> bool:
    """Whether this machine has a Docker engine, which then builds the images and runs the cluster."""
    return bool(shutil.which("docker")) and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
