"""An S3 server that answers as it is told, for what no well-behaved server does on demand."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LISTING = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


@dataclass(frozen=True)
class Request:
    """What came in. The body is counted and not kept."""

    method: str
    path: str
    headers: dict[str, str]
    size: int


@dataclass(frozen=True)
class Answer:
    """What goes out."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """Content-Length, where it is to differ from the body's."""


def error(status: int, code: str, message: str = "said by the server") -> Answer:
    """An error as S3 writes it, with the ids that differ each time."""
    return Answer(
        status,
        f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>".encode(),
        {"x-amz-request-id": "4442587FB7D0A2F9", "Content-Type": "application/xml"},
    )


def uploads(request: Request) -> Answer:
    """Takes everything and keeps nothing."""
    if "uploads" in request.path:
        return Answer(body=b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
    if request.method == "PUT":
        return Answer(headers={"ETag": '"e"'})
    if request.method == "POST":
        return Answer(body=b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
    if request.method == "HEAD":
        return Answer(headers={"Last-Modified": "Sun, 22 Nov 2026 10:15:00 GMT"})
    return Answer(204)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.requests: list[Request] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        request = Request(self.command, self.path, dict(self.headers), self._count_body())
        self.server.requests.append(request)
        given = self.server.answer(request)
        self.send_response(given.status)
        for name, value in given.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(given.body) if given.length is None else given.length))
        self.end_headers()
        if request.method != "HEAD":
            self.wfile.write(given.body)
        self.close_connection |= given.length is not None

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

    def _count_body(self) -> int:
        left = size = int(self.headers.get("Content-Length", 0))
        while left and (piece := self.rfile.read(min(left, 1 << 16))):
            left -= len(piece)
        return size - left

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@dataclass
class S3Server:
    """A running server."""

    url: str
    requests: list[Request]


@contextmanager
def s3_server(answer: Callable[[Request], Answer], *, tls: ssl.SSLContext | None = None) -> Iterator[S3Server]:
    """A server on a free port of 127.0.0.1 that gives `answer` to every request."""
    server = _Server(answer)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield S3Server(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}", server.requests)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
