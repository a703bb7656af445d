"""systemd's side of a conversation over D-Bus, for unit tests: canned properties of units, on a socket of their own."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jeepney import Parser, new_error, new_method_return
from jeepney.low_level import HeaderFields, Message

Properties = dict[str, tuple[str, Any]]


@dataclass
class Systemd:
    """What it knows, and how it behaves."""

    units: dict[str, Properties] = field(default_factory=dict)
    """By object path. Another one is answered with an error, as a bus would."""
    silent: bool = False
    """Takes every question and answers none."""
    forgets: bool = False
    """Answers the first question only when something more comes, as systemd itself does now and then."""
    refuses: bool = False
    """Does not let anybody in."""
    hellos: int = 0
    """How often somebody introduced itself, as one does to a bus and not to systemd itself."""

    def answer(self, message: Message) -> Message:
        fields = message.header.fields
        if fields[HeaderFields.member] == "Hello":
            self.hellos += 1
            return new_method_return(message, "s", (":1.1",))
        properties = self.units.get(fields[HeaderFields.path])
        if properties is None:
            return new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "s", ("no such unit",))
        return new_method_return(message, "a{sv}", (properties,))


@contextmanager
def listening(systemd: Systemd, path: Path) -> Iterator[Systemd]:
    """Lets it listen at a socket."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        threading.Thread(target=_serve, args=(systemd, listener), daemon=True).start()
        yield systemd


def _serve(systemd: Systemd, listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_talk, args=(systemd, connection), daemon=True).start()


def _talk(systemd: Systemd, connection: socket.socket) -> None:
    with connection, suppress(OSError):
        rest = _let_in(systemd, connection)
        parser, serial = Parser(), 0
        if systemd.forgets:
            rest += connection.recv(4096)
            rest += connection.recv(4096)
        parser.add_data(rest)
        while True:
            message = parser.get_next_message()
            if message is None:
                data = connection.recv(4096)
                if not data:
                    return
                parser.add_data(data)
            elif not systemd.silent:
                serial += 1
                connection.sendall(systemd.answer(message).serialise(serial))


def _let_in(systemd: Systemd, connection: socket.socket) -> bytes:
    """SASL EXTERNAL; whoever can open the socket is let in. Returns what came behind it."""
    received = b""
    while True:
        received += connection.recv(4096)
        *lines, received = received.split(b"\r\n")
        for position, line in enumerate(lines):
            if line == b"BEGIN":
                return b"\r\n".join([*lines[position + 1 :], received])
            if b"AUTH" in line or line.startswith(b"DATA"):
                connection.sendall(b"REJECTED\r\n" if systemd.refuses else b"OK 1234\r\n")
