"""The programs that the benchmark is measured beside, and what they say of themselves."""

import shutil
import subprocess

PACKAGES = ("curl", "jq", "unzip")
"""Programs of Debian packages with the same name."""


def missing() -> list[str]:
    """The packages whose program is not there."""
    return [name for name in PACKAGES if shutil.which(name) is None]


def version(command: str, *arguments: str) -> str:
    """The first line of what it prints, at most three words of it: `curl 7.88.1 (x86_64-pc-linux-gnu)`."""
    said = subprocess.run([command, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
    return " ".join(said.splitlines()[0].split()[:3])
