"""The programs that the benchmark is measured beside, and what they say of themselves."""

import re
import shutil
import subprocess
from pathlib import Path

PACKAGES = ("curl", "jq", "unzip")
"""Programs of Debian packages with the same name."""


def missing() -> list[str]:
    """The packages whose program is not there."""
    return [name for name in PACKAGES if shutil.which(name) is None]


def version(command: str | Path, *arguments: str) -> str:
    """The program and the first number with dots that it prints: `curl 7.88.1`."""
    said = subprocess.run(
        [command, *(arguments or ["--version"])], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    number = re.search(r"\d+(\.\d+)+", said)
    return f"{Path(command).name} {number[0] if number else 'of an unknown version'}"
