"""The control groups a cluster's pods live in: one of its own in every hierarchy of this machine."""

import time
from pathlib import Path

from localkube.places import Cluster
from toolchain.places import ToolError

_ROOT = Path("/sys/fs/cgroup")


def create(cluster: Cluster) -> None:
    """Make the cluster's group, with every controller passed on to what the kubelet makes below it."""
    if (_ROOT / "cgroup.controllers").exists():
        _create_v2(_ROOT / cluster.cgroup)
        return
    for group in _groups_v1(cluster):
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group, and then nothing may run in it
            if (group / setting).exists():
                (group / setting).write_text((group.parent / setting).read_text())


def remove(cluster: Cluster) -> None:
    """Remove the cluster's groups, innermost first. Their processes have ended, the kernel may need a moment more."""
    tops = [_ROOT / cluster.cgroup] if (_ROOT / "cgroup.controllers").exists() else _groups_v1(cluster)
    for top in tops:
        if top.exists():
            for group in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
                _remove_group(group)
            _remove_group(top)


def _groups_v1(cluster: Cluster) -> list[Path]:
    hierarchies = (path for path in sorted(_ROOT.iterdir()) if path.is_mount())  # links and strays are none
    return [hierarchy / cluster.cgroup for hierarchy in hierarchies]


def _create_v2(group: Path) -> None:
    group.mkdir(exist_ok=True)
    for parent in (group.parent, group):
        controllers = (parent / "cgroup.controllers").read_text().split()
        try:
            (parent / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
        except OSError as e:
            raise ToolError(
                f"cannot hand the controllers of {parent} to the cluster's pods ({e.strerror}). In a container, start "
                "it privileged and with the host's control groups (--privileged --cgroupns=host)"
            ) from e


def _remove_group(group: Path) -> None:
    for attempt in range(50):
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if attempt == 49:
                raise
            time.sleep(0.1)
        else:
            return
