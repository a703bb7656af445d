"""Images, built from Dockerfiles and saved as archives: by Docker where it runs, else by buildah in a store of ours.

By buildah an image is a function of the checkout and of what the mirrors have: every time in it is SOURCE_DATE_EPOCH.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from toolchain import debian, pypi
from toolchain.places import CACHE, ToolError, docker_runs

_STORE = CACHE / "images"
_CERTIFICATES = "ca-certificates.crt"


def build(tag: str, *, dockerfile: Path, context: Path, arguments: Mapping[str, str]) -> None:
    """Build `tag`. Pip's settings and the authorities it trusts are there while it builds, and not in the image."""
    options = ["--file", str(dockerfile), "--tag", tag]
    for name, value in arguments.items():
        options += ["--build-arg", f"{name}={value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as pip_conf:
        certificates = pypi.certificates()
        if certificates.exists():
            options += ["--secret", f"id={_CERTIFICATES},src={certificates}"]
            pip_conf.write(pypi.configuration_in_image(f"/run/secrets/{_CERTIFICATES}"))
            pip_conf.flush()
        options += ["--secret", f"id=pip.conf,src={pip_conf.name}", str(context)]
        if docker_runs():
            _run(["docker", "build", *options])
        else:
            _run(_build(*_cache(arguments), *_base(dockerfile), *options))


def _base(dockerfile: Path) -> list[str]:
    """Our own base image, which can be made without a registry, for a Dockerfile that lets one choose."""
    if "ARG BASE_IMAGE" not in dockerfile.read_text():
        return []
    if not has_base():
        raise ToolError("the base image is not there: run tools/setup")
    return ["--build-arg", f"BASE_IMAGE={base()}"]


def _cache(arguments: Mapping[str, str]) -> list[str]:
    """Buildah 1.28 takes a layer from its cache although an argument in it has another value now."""
    return ["--no-cache"] if arguments else ["--layers"]


def save(image: str, archive: Path) -> None:
    """Write `image` to `archive`, in the form of `docker save`."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.unlink(missing_ok=True)  # buildah does not write over one that is there
    name = image if ":" in image.rpartition("/")[2] else f"{image}:latest"
    if docker_runs():
        _run(["docker", "save", "--output", str(archive), name])
    else:
        _run(_buildah("push", "--quiet", name, f"docker-archive:{archive}:{name}"))


def base() -> str:
    """The name of the base image in our store: it says what the image is made from."""
    return f"localhost/debian-python:{sha256(repr(debian.base_recipe()).encode()).hexdigest()[:12]}"


def has_base() -> bool:
    return subprocess.run(_buildah("inspect", "--type=image", base()), capture_output=True, check=False).returncode == 0


def make_base() -> None:
    """Make the base image, a small Debian with Python, in our store."""
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        root = Path(directory)
        debian.write_base(root / "root.tar")
        (root / "Dockerfile").write_text('FROM scratch\nADD root.tar /\nCMD ["python3"]\n')
        _run(_build("--tag", base(), str(root)))


def export(image: str, layout: Path) -> str:
    """Write `image` to `layout`, a directory as the Open Container Initiative has it. Returns its digest."""
    _run(_buildah("push", "--quiet", image, f"oci:{layout}"))
    (manifest,) = json.loads((layout / "index.json").read_text())["manifests"]
    return str(manifest["digest"])


def _build(*arguments: str) -> list[str]:
    return _buildah("build", "--isolation=chroot", f"--timestamp={debian.source_date_epoch()}", *arguments)


def _buildah(*arguments: str) -> list[str]:
    _STORE.mkdir(parents=True, exist_ok=True)
    store = ["--root", str(_STORE), "--runroot", str(_STORE / "run"), "--storage-driver", _driver()]
    return ["buildah", *store, *arguments]


@cache
def _driver() -> str:
    """overlay, or vfs (slow, but good on every disk) where the cache's disk cannot carry an overlay."""
    command = ["stat", "--file-system", "--format=%T", str(CACHE)]
    kind = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
    return "vfs" if kind in {"overlayfs", "nfs"} else "overlay"


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)
