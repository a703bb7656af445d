"""Reaches an endpoint by its URL, for those who have a port-forward of their own or a snapshot server elsewhere."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.source.endpoint import PATH
from kai_snapshot.source.text import one_line

CONNECT_SECONDS = 10
READ_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a URL leads."""

    host: str
    port: int
    authority: str
    """Host and port as the URL has them."""
    path: str
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Self:
        """Of `http(s)://host[:port][/path]`; without a path it is `/get-snapshot`.

        Raises TerminalError (InvalidSpec).
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise TerminalError(Reason.INVALID_SPEC, f"The URL cannot be read: {one_line(str(error))}.") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise TerminalError(
                Reason.INVALID_SPEC, "The URL must be of the form http://host:port or https://host:port."
            )
        tls = parts.scheme == "https"
        return cls(
            host=parts.hostname,
            port=port or (443 if tls else 80),
            authority=parts.netloc,
            path=parts.path if parts.path not in ("", "/") else PATH,
            tls=tls,
        )


class DirectConnection:
    """A TCP or TLS connection, as endpoint.ByteStream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, name: str) -> None:
        self._reader = reader
        self._writer = writer
        self._name = name

    async def read(self) -> bytes:
        """The next bytes; none at the end of the connection. Raises TransientError (ConnectionCut)."""
        try:
            return await self._reader.read(READ_BYTES)
        except OSError as error:
            raise TransientError(
                Reason.CONNECTION_CUT, f"The connection to {self._name} broke: {one_line(str(error))}."
            ) from error

    async def write(self, data: bytes) -> None:
        """Sends all of `data`. Raises TransientError (ConnectionCut)."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise TransientError(
                Reason.CONNECTION_CUT, f"The connection to {self._name} broke: {one_line(str(error))}."
            ) from error


@asynccontextmanager
async def dial(address: Address) -> AsyncIterator[DirectConnection]:
    """A connection to `address`. Raises TransientError (SourceUnreachable)."""
    context = ssl.create_default_context() if address.tls else None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context, limit=READ_BYTES)
    except TimeoutError as error:
        raise TransientError(
            Reason.SOURCE_UNREACHABLE, f"{address.authority} did not accept a connection within {CONNECT_SECONDS} s."
        ) from error
    except OSError as error:
        raise TransientError(
            Reason.SOURCE_UNREACHABLE, f"{address.authority} cannot be reached: {one_line(str(error))}."
        ) from error
    try:
        yield DirectConnection(reader, writer, name=address.authority)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
