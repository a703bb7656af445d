"""The measurement SystemD: units, asked for over D-Bus, at systemd's own socket or at the system bus."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

from jeepney import AuthenticationError, DBusAddress, DBusErrorResponse, Parser, SizeLimitError, new_method_call
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import prep_socket
from jeepney.low_level import HeaderFields
from jeepney.wrappers import unwrap_msg

from kai_snapshot.api.environmentdocument import Measurement, MeasurementType, Subtype
from kai_snapshot.collectors.host import CollectorError, Host
from kai_snapshot.environment.units import object_path, unit

PRIVATE: Final = "/run/systemd/private"
"""systemd itself, for root only. There is no bus in between, which would want a Hello first."""
SYSTEM_BUS: Final = "/run/dbus/system_bus_socket"
"""The bus lets everybody read the properties of units."""
NUDGE_SECONDS: Final = 0.2
_SYSTEMD: Final = "org.freedesktop.systemd1"
_PING: Final = new_method_call(
    DBusAddress("/org/freedesktop/systemd1", bus_name=_SYSTEMD, interface="org.freedesktop.DBus.Peer"), "Ping"
)
ERRORS: Final = (OSError, AuthenticationError, DBusErrorResponse, SizeLimitError)
"""What a conversation may end with. jeepney's other errors are of its own misuse."""


def collect(host: Host, units: Sequence[str], *, timeout_seconds: float) -> Measurement:
    """The properties of the units, and of one that is not there its LoadState `not-found`.

    All of it may take `timeout_seconds`. Raises CollectorError where no systemd answers.
    """
    deadline = time.monotonic() + timeout_seconds
    with _conversation(host, deadline) as conversation:
        return Measurement(type=MeasurementType.SYSTEMD, subtypes=tuple(_unit(conversation, name) for name in units))


class _Conversation:
    """Questions and answers at a socket. jeepney's own connections say Hello to whoever is there, and wait for ever."""

    def __init__(self, path: Path, deadline: float, hello: Any) -> None:
        self._deadline = deadline
        self._socket: socket.socket = prep_socket(str(path), timeout=self._left())
        self._parser, self._serials = Parser(), count(1)
        if hello is not None:
            with self._closed_on_failure():
                self.ask(hello)

    def ask(self, question: Any) -> tuple[Any, ...]:
        """The answer's values. Raises what ERRORS has."""
        serial = self._send(question)
        while True:
            message = self._parser.get_next_message()
            if message is None:
                self._receive()
            elif message.header.fields.get(HeaderFields.reply_serial) == serial:
                values: tuple[Any, ...] = unwrap_msg(message)
                return values

    def _send(self, message: Any) -> int:
        serial = next(self._serials)
        self._socket.settimeout(self._left())
        self._socket.sendall(message.serialise(serial))
        return serial

    def _receive(self) -> None:
        """systemd (252 at least) that reads a question together with the end of the introduction forgets it until
        something more comes: so when it is silent, something does.
        """
        try:
            self._socket.settimeout(min(self._left(), NUDGE_SECONDS))
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            self._send(_PING)
            return
        if not data:
            raise ConnectionResetError("it closed the connection")
        self._parser.add_data(data)

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except ERRORS:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it does not answer in time")
        return left


def _unit(conversation: _Conversation, name: str) -> Subtype:
    address = DBusAddress(object_path(name), bus_name=_SYSTEMD, interface="org.freedesktop.DBus.Properties")
    try:
        (properties,) = conversation.ask(new_method_call(address, "GetAll", "s", ("",)))
    except ERRORS as error:
        raise CollectorError(f"systemd does not say what {name} is: {_said(error)}") from error
    return unit(name, properties)


@contextmanager
def _conversation(host: Host, deadline: float) -> Iterator[_Conversation]:
    conversation = _begin(host, deadline)
    try:
        yield conversation
    finally:
        conversation.close()


def _begin(host: Host, deadline: float) -> _Conversation:
    tried = []
    for path, hello in ((PRIVATE, None), (SYSTEM_BUS, message_bus.Hello())):
        place = host.file(path)
        if place is None:
            continue
        try:
            return _Conversation(place, deadline, hello)
        except ERRORS as error:
            tried.append(f"{path}: {_said(error)}")
    if host.root is None:
        raise CollectorError("the host's sockets are not in this container: it takes --privileged")
    raise CollectorError("; ".join(tried) or f"there is neither {PRIVATE} nor {SYSTEM_BUS}: no systemd runs here")


def _said(error: Any) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
