"""Where the host's files are: below `/`, or mounted somewhere into a container."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kai_snapshot.environment.pci import PciDevice
from kai_snapshot.environment.system import LARGEST_FILE, PROC_SYS

NODE_NAME_VARIABLES: Final = ("NODE_NAME", "KUBERNETES_NODE_NAME", "HOSTNAME")
_NOT_WALKED: Final = f"{PROC_SYS}/net"
_OF_WHO_ASKS: Final = frozenset((f"{PROC_SYS}/kernel/hostname", f"{PROC_SYS}/kernel/domainname"))
"""The kernel answers these by the UTS namespace of the process that reads them, wherever /proc is mounted from."""


class CollectorError(Exception):
    """A collector cannot do its work here; the message says why, and is put into the document."""


@dataclass(frozen=True)
class Host:
    """The machine to look at.

    Kernel files (/proc, /sys) of a container are the host's own, but for what the runtime masks; files of the
    distribution and sockets are not, and are looked for below `root`.
    """

    root: Path | None = Path("/")
    """Where the host's root is; None in a container that has nothing of it."""
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")

    @classmethod
    def mounted(cls, root: Path) -> "Host":
        """The host's whole root, or the parts of it that a pod needs, mounted at `root`."""
        proc, sys = root / "proc", root / "sys"
        return cls(root, proc if (proc / "cmdline").exists() else cls.proc, sys if sys.is_dir() else cls.sys)

    def file(self, path: str) -> Path | None:
        """A file of the host by its absolute path, symbolic links followed within the host; None if there is none."""
        if self.root is None:
            return None
        inside = Path(path)
        for _ in range(8):  # as many links as anything real has; a loop ends here
            here = self.root / inside.relative_to("/")
            if not here.is_symlink():
                return here if here.exists() else None
            inside = Path(os.path.normpath(inside.parent / here.readlink()))
        return None

    def text(self, path: Path) -> str:
        """A file as text. Raises CollectorError for what is none, OSError."""
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise CollectorError(f"{path} is not UTF-8") from error

    def modules(self) -> str:
        """/proc/modules; nothing of a kernel that has all it needs built in. Raises OSError."""
        path = self.proc / "modules"
        return self.text(path) if path.exists() else ""

    def settings(self) -> Iterator[tuple[str, bytes]]:
        """The files below /proc/sys without /proc/sys/net, under the names they have on the host.

        What may not be read is left out: some are write-only, and a container masks some. So is a container's own name.
        """
        top, in_container = self.proc / "sys", self.root != Path("/")
        for directory, subdirectories, files in os.walk(top):
            inside = PROC_SYS + directory.removeprefix(str(top))
            subdirectories[:] = sorted(each for each in subdirectories if f"{inside}/{each}" != _NOT_WALKED)
            for name in sorted(files):
                path = Path(directory, name)
                if path.is_symlink() or (in_container and f"{inside}/{name}" in _OF_WHO_ASKS):
                    continue
                try:
                    with path.open("rb", buffering=0) as file:
                        content = file.read(LARGEST_FILE + 1)
                except OSError:
                    continue
                yield f"{inside}/{name}", content

    def pci_devices(self) -> Iterator[PciDevice]:
        """What is on the PCI bus, nothing where there is none. Raises OSError if that cannot be looked at."""
        bus = self.sys / "bus/pci/devices"
        for directory in sorted(bus.iterdir()) if bus.is_dir() else ():
            yield PciDevice(
                directory.name, *((directory / name).read_text().strip() for name in ("vendor", "device", "class"))
            )


def node_name(environment: Mapping[str, str]) -> str:
    """The name of this node, as a pod's environment says it; empty if it does not."""
    return next((name for variable in NODE_NAME_VARIABLES if (name := environment.get(variable))), "")
