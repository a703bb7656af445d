"""The Debian packages of a machine, and the base image made from Debian packages."""

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from toolchain.places import ToolError

# Without Docker: what builds images; then the cluster's store, runtime and network.
IMAGE = ("buildah", "mmdebstrap", "gpg", "busybox-static", "ca-certificates")
CLUSTER = (
    "etcd-server", "containerd", "runc", "containernetworking-plugins", "iptables", "iproute2", "openssl", *IMAGE,
)  # fmt: skip
BROWSER = ("chromium",)
PROMETHEUS = ("prometheus",)
"""With promtool, which checks the alerts."""
BASE_IMAGE_PACKAGES = ("python3", "python3-venv", "libstdc++6", "busybox-static", "ca-certificates")
_SOURCE_DATE_EPOCH = "1767225600"
"""The start of 2026: no older than anything that images are made of, and the same in every build."""
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed."""
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n", *packages]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    except FileNotFoundError as e:
        raise ToolError(
            f"this is no Debian machine, which could install {' '.join(packages)}. With a Docker engine the cluster is "
            "kind; a browser and Prometheus are taken if `chromium` and `promtool` are on the PATH"
        ) from e
    installed = {line.split()[0] for line in lines if line.endswith(" installed")}
    return [name for name in packages if name not in installed]


def missing_for_venv() -> list[str]:
    """Debian keeps a part of Python's own library in a package of its own; other Pythons have it."""
    return ["python3-venv"] if importlib.util.find_spec("ensurepip") is None else []


def install(packages: list[str]) -> None:
    """Install `packages` without starting their services."""
    if os.geteuid() != 0:
        raise ToolError(f"installing {', '.join(packages)} needs root")
    if "containerd" in packages and _has("containerd.io"):
        raise ToolError(
            "Docker's own containerd.io is installed and excludes Debian's containerd. Start the Docker engine (then "
            "kind is used), or remove containerd.io"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _services_stay_down():
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            command = ["apt-get", "-qq", *arguments]
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def base_recipe() -> list[str]:
    """How mmdebstrap is to make the base image: a small Debian with Python, of this machine's release."""
    unused = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")]
    # Compiled files are found by what they were made from: files of an image all have the same time.
    compile_all = "PYTHONHASHSEED=0 python3 -m compileall -qf --invalidation-mode=unchecked-hash /usr/lib/python3*"
    compiled = f'--customize-hook=chroot "$1" sh -c "{compile_all}"'
    # The mirror and how it is reached are this machine's business, not the image's; logs and caches are nobody's.
    forget = [
        f'--customize-hook=rm -rf "$1"/{path}'
        for path in (
            "etc/apt/apt.conf.d/99mmdebstrap",
            "etc/apt/sources.list",
            "var/cache/ldconfig/aux-cache",
            "var/log/*",
        )
    ]
    contents = ["--variant=essential", f"--include={','.join(BASE_IMAGE_PACKAGES)}", *unused, compiled, *forget]
    return ["mmdebstrap", "--mode=root", *contents, "--format=tar", _release()]


def write_base(target: Path) -> None:
    """Write the base image's root file system to `target`, a tar file, from this machine's Debian mirrors."""
    sources = _indextargets("deb $(REPO_URI) $(RELEASE) $(COMPONENT)")
    if not sources:
        raise ToolError("apt knows no Debian repository on this machine; check /etc/apt and run apt-get update")
    options = target.with_suffix(".apt.conf")
    options.write_text(_acquire_options())
    command = [*base_recipe(), str(target), f"--aptopt={options}", "-"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": source_date_epoch()}
    subprocess.run(command, check=True, input=sources, text=True, env=environment)


def source_date_epoch() -> str:
    """The time that everything in an image has, in seconds since 1970: https://reproducible-builds.org/specs/source-date-epoch."""
    return os.environ.get("SOURCE_DATE_EPOCH") or _SOURCE_DATE_EPOCH


def _has(package: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def _release() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line).get("VERSION_CODENAME", "stable")


def _indextargets(form: str) -> str:
    return _output("apt-get", "indextargets", "--format", form, "Created-By: Packages", "Origin: Debian")


def _acquire_options() -> str:
    """How this machine's apt fetches: proxies, certificates, what it takes as valid."""
    lines = _output("apt-config", "dump").splitlines(keepends=True)
    return "".join(line for line in lines if re.match("Acquire::(?!IndexTargets)", line))


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


@contextmanager
def _services_stay_down() -> Iterator[None]:
    """Debian starts what it installs, unless this script says no. One that is there already is left alone."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
