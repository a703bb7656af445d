""".venv: the Python environment of the checkout, with the locked dependencies and the command in it."""

import subprocess
import sys
from hashlib import sha256

from toolchain import pypi
from toolchain.places import CHECKOUT

_VENV = CHECKOUT / ".venv"
_MADE_FROM = _VENV / ".made-from"
_REQUIREMENTS = CHECKOUT / "requirements"


def is_current() -> bool:
    """Whether .venv is what the lock files say."""
    return _MADE_FROM.exists() and _MADE_FROM.read_text() == _digest()


def make() -> None:
    """Make .venv, or bring it to what the lock files say."""
    _run(sys.executable, "-m", "venv", str(_VENV))
    # uv is what pip installs, and installs everything else: hashes are checked by both.
    pip = (str(_VENV / "bin" / "pip"), "install", "--quiet")
    _run(*pip, "--require-hashes", "-r", str(_REQUIREMENTS / "bootstrap.txt"))
    install = (str(_VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(_VENV / "bin" / "python"))
    _run(*install, "--require-hashes", "-r", str(_REQUIREMENTS / "build.txt"), "-r", str(_REQUIREMENTS / "dev.txt"))
    _run(*install, "--require-hashes", "--no-deps", "-r", str(_REQUIREMENTS / "axe.txt"))
    # All is compiled now, also where PYTHONDONTWRITEBYTECODE is set: tests start many short processes.
    own = ("--no-deps", "--no-build-isolation", "--compile-bytecode", "--editable", str(CHECKOUT))
    _run(*install, *own)
    _MADE_FROM.write_text(_digest())


def _run(*command: str) -> None:
    subprocess.run(command, check=True, env=pypi.environment())


def _digest() -> str:
    digest = sha256(str(sys.version_info[:2]).encode())
    for file in (*sorted(_REQUIREMENTS.glob("*.txt")), CHECKOUT / "pyproject.toml"):
        digest.update(file.read_bytes())
    return digest.hexdigest()
