"""A snapshot-tool on a person's machine: a binary, or an image and the container engine that runs it."""

import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.jobs.script import profile_arguments

ENGINES: Final = ("docker", "podman", "nerdctl")
ENGINE_FAILED: Final = 125
"""The exit code of an engine that could not run the image."""
LAST_WORDS: Final = 500
"""Characters of what an engine said that go into a message."""


@dataclass(frozen=True)
class Call:
    """How the tool is run once."""

    command: list[str]
    stop: list[str] | None
    """What ends it, where a signal to its process would not."""


@dataclass(frozen=True, kw_only=True)
class Binary:
    """A snapshot-tool on this machine."""

    version: str
    """The scheduler's version, as v0.17.0, or any name."""
    path: Path

    def call(self, archive: Path, *, verbosity: int, profiles: Path | None) -> Call:
        """A run on the archive; `profiles` is the directory for the profiles, None for a run without."""
        return Call(
            [
                str(self.path.resolve()),
                *_arguments(str(archive.resolve()), verbosity),
                *(profile_arguments(self.version, str(profiles.resolve())) if profiles is not None else ()),
            ],
            stop=None,
        )


@dataclass(frozen=True, kw_only=True)
class Image:
    """A snapshot-tool in an image."""

    version: str
    """The scheduler's version, as v0.17.0, or any name."""
    image: str
    engine: str
    """The container engine's command."""

    def call(self, archive: Path, *, verbosity: int, profiles: Path | None) -> Call:
        """The same as of a binary. The image's user is another: archive and `profiles` are opened to it, by themselves,
        so that no directory above them has to be."""
        name = f"kai-snapshot-{secrets.token_hex(4)}"
        archive.chmod(0o644)
        volumes = ["--volume", f"{archive.resolve()}:/snapshot.zip:ro"]
        if profiles is not None:
            profiles.chmod(0o777)
            volumes += ["--volume", f"{profiles.resolve()}:/profiles"]
        labels = ["--security-opt", "label=disable"] if self.engine == "podman" else []  # SELinux and bind mounts
        confined = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        return Call(
            [
                *(self.engine, "run", "--rm", "--name", name, *confined, *labels, *volumes, self.image),
                *_arguments("/snapshot.zip", verbosity),
                *(profile_arguments(self.version, "/profiles") if profiles is not None else ()),
            ],
            stop=[self.engine, "kill", name],
        )

    def pull(self) -> str:
        """Makes sure that the image is here. Returns why it cannot be had, or nothing."""
        inspected = subprocess.run([self.engine, "image", "inspect", self.image], capture_output=True, check=False)
        if inspected.returncode == 0:
            return ""
        pulled = subprocess.run([self.engine, "pull", self.image], capture_output=True, check=False)
        if pulled.returncode == 0:
            return ""
        said = pulled.stderr.decode(errors="replace").strip()[-LAST_WORDS:]
        return f"{self.engine} could not pull {self.image}: {said}"


Tool = Binary | Image


def find_engine(wanted: str | None) -> str:
    """The container engine: the one wanted, or the first there is. Raises TerminalError(ToolNotFound)."""
    candidates = ENGINES if wanted is None else (wanted,)
    found = next((name for name in candidates if shutil.which(name) is not None), None)
    if found is None:
        raise TerminalError(
            Reason.TOOL_NOT_FOUND,
            f"Images need {' or '.join(candidates)} on the PATH: install one, or give --tool a snapshot-tool binary.",
        )
    return found


def _arguments(archive: str, verbosity: int) -> list[str]:
    return ["--filename", archive, "--verbosity", str(verbosity)]
