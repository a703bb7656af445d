"""A man in the middle: a pod that takes the transfer endpoint's place, with a certificate of an authority of its own.

The file is the pod's program as well: it counts on standard output who spoke to it in spite of that.
"""

import http.server
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

    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that was broken off."""
        say(f"refused {sys.exc_info()[1]}")


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
