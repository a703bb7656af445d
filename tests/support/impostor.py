"""A man in the middle: a pod that takes the transfer endpoint's place, with a certificate of an authority of its own.

The file is the pod's program as well: it tells on standard output who came, and what it was told.
"""

import http.server
import socket
import ssl
import sys

PORT = 8082


class Handler(http.server.BaseHTTPRequestHandler):
    """Says what it was told."""

    def do_GET(self) -> None:
        """Answers as if all were well."""
        say(f"told {self.headers.get('Authorization')}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    do_PUT = do_GET  # noqa: N815 - the library's name


class Server(http.server.HTTPServer):
    """Says who came."""

    def get_request(self) -> tuple[socket.socket, object]:
        """Whoever it is, and however far the handshake will come."""
        request, address = super().get_request()
        say(f"came {address}")
        return request, address


def say(text: str) -> None:
    """A line for whoever reads the log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(certificate: str) -> None:
    """Serves for ever."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(("", PORT), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
