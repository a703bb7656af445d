"""How this machine reaches its Python package index: pip's settings, handed on to what does not read them."""

import ast
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from toolchain.places import CACHE, CHECKOUT

# What says where packages come from and how to get there; directories of this machine and the like stay behind.
_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
    "cert": "SSL_CERT_FILE",
}
_SECTIONS = ("global", "install", ":env:")  # the later wins, as in pip


def settings() -> Mapping[str, str]:
    """pip's settings on this machine, whatever file or variable they come from, by the name of the option."""
    python = CHECKOUT / ".venv" / "bin" / "python"
    if not python.exists():
        return {}
    listed = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    return parse(listed)


def parse(listed: str) -> Mapping[str, str]:
    """Read what `pip config list` prints: lines of section.option='value'."""
    found: dict[tuple[str, str], str] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        found[section, option] = ast.literal_eval(value)
    return {
        option: found[section, option] for section in _SECTIONS for option in _UV_NAMES if (section, option) in found
    }


def certificates() -> Path:
    """The authorities that pip trusts on this machine: the ones it was told, else the machine's."""
    return Path(settings().get("cert") or "/etc/ssl/certs/ca-certificates.crt")


def configuration_in_image(certificates: str) -> str:
    """A pip.conf for the time an image is built; `certificates` is where the authorities are to be found in there."""
    found = {**settings(), "cert": certificates}
    lines = (f"{option} = {value}".replace("\n", "\n    ") for option, value in found.items())
    return "\n".join(["[global]", *lines, ""])


def environment() -> Mapping[str, str]:
    """For running pip or uv: pip's settings in uv's names, downloads in our cache. A variable that is set stays."""
    caches = {"UV_CACHE_DIR": str(CACHE / "uv"), "PIP_CACHE_DIR": str(CACHE / "pip")}
    handed_on = {_UV_NAMES[option]: " ".join(value.split()) for option, value in settings().items()}
    return {**caches, **handed_on, **os.environ}
