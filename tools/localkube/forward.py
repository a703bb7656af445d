"""The way in: connections to a loopback port of the host go to the API server in the cluster's network.

A socket stays in the network namespace it was made in, so the listening one comes from the host, and only the other
side is opened in here. Bytes move from socket to socket in the kernel.
"""

import contextlib
import os
import socket
import threading

_CHUNK = 1 << 20


def serve(listener: socket.socket, target: tuple[str, int]) -> None:
    """Accept for ever, two threads a connection."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connect, args=(client, target), daemon=True).start()


def _connect(client: socket.socket, target: tuple[str, int]) -> None:
    with client:
        try:
            server = socket.create_connection(target)
        except OSError:
            return  # the client sees a closed connection, as it would of a server that is down
        with server:
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Move bytes until `source` ends, then end `sink`; a broken connection ends both ways."""
    reader, writer = os.pipe()
    try:
        while count := os.splice(source.fileno(), writer, _CHUNK):
            while count:
                count -= os.splice(reader, sink.fileno(), count)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            with contextlib.suppress(OSError):  # it is closed already
                end.shutdown(socket.SHUT_RDWR)
    finally:
        os.close(reader)
        os.close(writer)
