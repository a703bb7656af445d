"""The measurement OS: kernel, settings, modules, distribution."""

from kai_snapshot.api.environmentdocument import Measurement, MeasurementType
from kai_snapshot.collectors.host import CollectorError, Host
from kai_snapshot.environment import system


def collect(host: Host) -> Measurement:
    """What can be read of it. Raises CollectorError, OSError for what every Linux has."""
    subtypes = [
        system.command_line(host.text(host.proc / "cmdline")),
        system.sysctl(host.settings()),
        system.modules(host.modules()),
    ]
    release = host.file("/etc/os-release") or host.file("/usr/lib/os-release")
    if release is not None:
        subtypes.append(system.os_release(host.text(release)))
    elif host.root is not None:
        raise CollectorError(f"there is no os-release below {host.root}")
    return Measurement(type=MeasurementType.OS, subtypes=tuple(subtypes))
