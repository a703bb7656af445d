"""The measurement GPU: what nvidia-smi says, and what is on the PCI bus, driver or not."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kai_snapshot.api.environmentdocument import Measurement, MeasurementType, Subtype
from kai_snapshot.collectors.host import Host
from kai_snapshot.environment.pci import hardware
from kai_snapshot.environment.smi import NotUnderstoodError, no_answer, no_gpu, smi
from kai_snapshot.environment.system import module_names

QUERY: Final = ("nvidia-smi", "-q", "-x")
DRIVER_ROOTS: Final = ("/", "/run/nvidia/driver")
"""Where a driver may be installed on a host: by its administrator, or by the GPU operator."""
_IN_ROOT: Final = """
import os, sys
try:
    os.chroot(sys.argv[1])
    os.chdir("/")
    os.execve(sys.argv[2], sys.argv[2:], {"PATH": "/usr/local/bin:/usr/bin:/bin"})
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error.strerror}")
"""
"""chroot, which is not on the PATH of our image. Behind it there is nothing more for Python to import."""
_PLACES: Final = ("usr/bin/nvidia-smi", "usr/local/bin/nvidia-smi", "bin/nvidia-smi", "opt/bin/nvidia-smi")


def collect(host: Host, *, timeout_seconds: float) -> Measurement:
    """Both views. nvidia-smi has `timeout_seconds`; a driver that hangs does not hide what is plugged in.

    Raises OSError where there is no /sys or /proc.
    """
    return Measurement(
        type=MeasurementType.GPU,
        subtypes=(
            driver_view(host, timeout_seconds=timeout_seconds),
            hardware(host.pci_devices(), module_names(host.modules())),
        ),
    )


def driver_view(host: Host, *, timeout_seconds: float) -> Subtype:
    """`smi`; no GPU, with the reason, where nvidia-smi is not there, fails, hangs or cannot be understood."""
    command = _command(host)
    if command is None:
        return no_gpu("nvidia-smi is not installed")
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_seconds, check=False)
    except subprocess.TimeoutExpired:
        return no_answer(f"nvidia-smi did not answer within {timeout_seconds:g} s")
    except OSError as error:
        return no_answer(f"nvidia-smi cannot be run: {error.strerror}")
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).decode("utf-8", "replace").split())[:300]
        return no_answer(f"nvidia-smi ended with status {done.returncode}: {said}")
    try:
        return smi(done.stdout)
    except NotUnderstoodError as error:
        return no_answer(str(error))


def _command(host: Host) -> Sequence[str] | None:
    """The container's own nvidia-smi if its runtime gave it one, else the host's, with the host's libraries."""
    if shutil.which(QUERY[0]) is not None:
        return QUERY
    if host.root is None or host.root == Path("/"):
        return None
    for driver_root in DRIVER_ROOTS:
        root = host.root / driver_root.lstrip("/")
        for place in _PLACES:
            if os.path.lexists(root / place):  # a link may lead somewhere in that root only
                return (sys.executable, "-I", "-c", _IN_ROOT, str(root), f"/{place}", *QUERY[1:])
    return None
