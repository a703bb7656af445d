"""The measurement SystemD: units, asked for over D-Bus, at systemd's own socket or at the system bus."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from jeepney import AuthenticationError, DBusAddress, DBusErrorResponse, SizeLimitError, new_method_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection, prep_socket
from jeepney.wrappers import unwrap_msg

from kai_snapshot.api.environmentdocument import Measurement, MeasurementType, Subtype
from kai_snapshot.collectors.host import CollectorError, Host
from kai_snapshot.environment.units import object_path, unit

PRIVATE: Final = "/run/systemd/private"
"""systemd itself, for root only. There is no bus in between, which would want a Hello first."""
SYSTEM_BUS: Final = ("/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket")
"""The bus lets everybody read the properties of units."""
ERRORS: Final = (OSError, AuthenticationError, DBusErrorResponse, SizeLimitError)
"""What a conversation may end with. jeepney's other errors are of its own misuse."""


def collect(host: Host, units: Sequence[str], *, timeout_seconds: float) -> Measurement:
    """The properties of the units, and of one that is not there its LoadState `not-found`.

    A message of systemd may take `timeout_seconds`. Raises CollectorError where no systemd answers.
    """
    with _connection(host, timeout_seconds) as connection:
        return Measurement(type=MeasurementType.SYSTEMD, subtypes=tuple(_units(connection, units, timeout_seconds)))


def _units(connection: DBusConnection, names: Iterable[str], timeout_seconds: float) -> Iterable[Subtype]:
    for name in names:
        address = DBusAddress(
            object_path(name), bus_name="org.freedesktop.systemd1", interface="org.freedesktop.DBus.Properties"
        )
        question = new_method_call(address, "GetAll", "s", ("",))
        try:
            (properties,) = unwrap_msg(connection.send_and_get_reply(question, timeout=timeout_seconds))
        except ERRORS as error:
            raise CollectorError(f"systemd does not say what {name} is: {_said(error)}") from error
        yield unit(name, properties)


def _connection(host: Host, timeout_seconds: float) -> DBusConnection:
    tried = []
    private = host.file(PRIVATE)
    if private is not None:
        try:
            return DBusConnection(prep_socket(str(private), timeout=timeout_seconds))
        except ERRORS as error:
            tried.append(f"{PRIVATE}: {_said(error)}")
    for path in SYSTEM_BUS:
        socket = host.file(path)
        if socket is None:
            continue
        try:
            return open_dbus_connection(f"unix:path={socket}")
        except ERRORS as error:
            tried.append(f"{path}: {_said(error)}")
    if host.root is None:
        raise CollectorError("the host's sockets are not in this container: it takes --privileged")
    raise CollectorError("; ".join(tried) or f"there is neither {PRIVATE} nor {SYSTEM_BUS[0]}: no systemd runs here")


def _said(error: Any) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
