"""A stand-in for the KAI scheduler's plugin server: it serves a recorded archive the way the snapshot plugin does.

It answers `/get-snapshot` as Go's net/http would, chunked in pieces of 4 KiB, takes the scheduler's own arguments, can
elect a leader by a Lease, and can misbehave. It schedules nothing, and says so when it starts. Standard library only,
so that the same file runs in a test and in a pod:

    python scheduler.py --archive snapshot.zip --behaviour serve --plugin-server-port 8081

The behaviour is changed while it runs at the control port: `PUT /behaviour` with one of

    serve            the archive
    standby          404 `404 page not found`: no session open
    plugin-off       404 `plugin not found`: the leader, without the plugin
    error            500
    mute             nothing at all, for ever
    silence          half of the archive, then nothing, for ever
    trickle          a byte a second, for ever
    cut              half of the archive, then the connection is closed
    not-a-zip        200 and a text
    cut-json         a valid ZIP with the first half of the JSON
    config-null[:N]  `"config": null`, N times (for ever without N), then the archive
    bomb             a ZIP that inflates a thousandfold
    blob:SIZE        SIZE random bytes

`PUT /archive` changes what is served, `GET /requests` counts the requests for snapshots, `GET /healthz` is for probes.
"""

import argparse
import functools
import io
import json
import os
import random
import signal
import socket
import ssl
import sys
import threading
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECE = 4096
BOMB_BYTES = 256 * 1024 * 1024
LEASE_SECONDS = 15
RENEW_SECONDS = 2
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REGISTERED = "Snapshot plugin registering get-snapshot"


def log(message: str) -> None:
    """A line in the form of KAI's console log."""
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}\tINFO\t{message}\n")


@dataclass
class StandIn:
    """What is served, and how. One object for all threads; assignments are atomic."""

    archive: bytes
    behaviour: str = "serve"
    leads: bool = True
    requests: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def behave(self, behaviour: str) -> None:
        """From now on."""
        if behaviour.partition(":")[0] not in BEHAVIOURS:
            raise ValueError(f"no such behaviour: {behaviour}; there are {', '.join(BEHAVIOURS)}")
        self.behaviour = behaviour

    def next_behaviour(self) -> tuple[str, str]:
        """The behaviour for one more request, and its argument."""
        with self._lock:
            self.requests += 1
            if not self.leads:
                return "standby", ""
            name, _, argument = self.behaviour.partition(":")
            if name == "config-null" and argument:
                left = int(argument) - 1
                self.behaviour = f"config-null:{left}" if left else "serve"
            return name, argument


class PluginHandler(BaseHTTPRequestHandler):
    """The plugin server: `/get-snapshot`, and `plugin not found` elsewhere."""

    protocol_version = "HTTP/1.1"
    standin: StandIn

    def do_GET(self) -> None:
        if self.path != "/get-snapshot":
            return self.refuse(404, "404 page not found" if not self.standin.leads else "plugin not found")
        name, argument = self.standin.next_behaviour()
        log(f"stand-in: {self.path} -> {name}")
        return BEHAVIOURS[name](self, self.standin.archive, argument)

    def refuse(self, status: int, text: str) -> None:
        """As Go's http.Error does."""
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin(self) -> None:
        """The head of a snapshot."""
        self.send_response(200)
        self.send_header("Content-Disposition", "attachment; filename=snapshot.zip")
        self.send_header("Content-Type", "application/zip")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunks(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def serve(self, body: bytes, _: str = "") -> None:
        self.begin()
        self.chunks(in_pieces(body))
        self.wfile.write(b"0\r\n\r\n")

    def blob(self, _: bytes, size: str) -> None:
        block = random.Random(0).randbytes(1024 * 1024)
        whole, rest = divmod(int(size), len(block))
        self.begin()
        for part in [block] * whole + [block[:rest]]:
            self.chunks(in_pieces(part))
        self.wfile.write(b"0\r\n\r\n")

    def half(self, body: bytes) -> None:
        self.begin()
        self.chunks(in_pieces(body[: len(body) // 2]))

    def cut(self, body: bytes, _: str) -> None:
        self.half(body)
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def silence(self, body: bytes, _: str) -> None:
        self.half(body)
        self.mute()

    def mute(self, *_: object) -> None:
        """Until the other side goes."""
        self.connection.recv(1)
        self.close_connection = True

    def trickle(self, body: bytes, _: str) -> None:
        self.begin()
        for position in range(len(body)):
            self.chunks(iter([body[position : position + 1]]))
            if self.standin.stopped.wait(1):
                break
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """The log of requests is written by do_GET."""


def in_pieces(body: bytes) -> Iterator[bytes]:
    return (body[start : start + PIECE] for start in range(0, len(body), PIECE))


@functools.lru_cache(maxsize=4)
def config_null(archive: bytes) -> bytes:
    """The archive as KAI v0.16.0 to v0.16.4 write it between two cycles."""
    document = json.loads(member(archive))
    return zipped(json.dumps({**document, "config": None}).encode())


@functools.lru_cache(maxsize=4)
def cut_json(archive: bytes) -> bytes:
    """The archive as KAI writes it since v0.15 when it fails in the middle."""
    document = member(archive)
    return zipped(document[: len(document) // 2])


@functools.lru_cache(maxsize=1)
def bomb() -> bytes:
    """Spaces in JSON."""
    block = b" " * 1024 * 1024
    return zipped(b'{"config":', *[block] * (BOMB_BYTES // len(block)), b"{}}")


def member(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return file.read("snapshot.json")


def zipped(*parts: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file, file.open("snapshot.json", "w") as document:
        for part in parts:
            document.write(part)
    return buffer.getvalue()


BEHAVIOURS: dict[str, Callable[[PluginHandler, bytes, str], None]] = {
    "serve": PluginHandler.serve,
    "standby": lambda handler, _archive, _: handler.refuse(404, "404 page not found"),
    "plugin-off": lambda handler, _archive, _: handler.refuse(404, "plugin not found"),
    "error": lambda handler, _archive, _: handler.refuse(500, "json: unsupported value: NaN"),
    "mute": PluginHandler.mute,
    "silence": PluginHandler.silence,
    "trickle": PluginHandler.trickle,
    "cut": PluginHandler.cut,
    "not-a-zip": lambda handler, _archive, _: handler.serve(b"<html>Welcome</html>\n"),
    "cut-json": lambda handler, archive, _: handler.serve(cut_json(archive)),
    "config-null": lambda handler, archive, _: handler.serve(config_null(archive)),
    "bomb": lambda handler, _archive, _: handler.serve(bomb()),
    "blob": PluginHandler.blob,
}


class ControlHandler(BaseHTTPRequestHandler):
    """How tests look at the stand-in and change it."""

    protocol_version = "HTTP/1.1"
    standin: StandIn

    def do_GET(self) -> None:
        answers = {
            "/healthz": "ok",
            "/behaviour": self.standin.behaviour,
            "/requests": str(self.standin.requests),
            "/leads": str(self.standin.leads).lower(),
        }
        known = self.path in answers
        self.answer(200 if known else 404, answers.get(self.path, "not found"))

    def do_PUT(self) -> None:
        body = self.body()
        if self.path == "/archive":
            self.standin.archive = body
            return self.answer(200, f"{len(body)} bytes")
        if self.path != "/behaviour":
            return self.answer(404, "not found")
        try:
            self.standin.behave(body.decode().strip())
        except ValueError as error:
            return self.answer(422, str(error))
        log(f"stand-in: behaviour is {self.standin.behaviour}")
        return self.answer(200, self.standin.behaviour)

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_POST = do_PUT  # noqa: N815 - `kubectl create --raw` posts

    def answer(self, status: int, text: str) -> None:
        body = f"{text}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Probes would fill the log."""


class Server(ThreadingHTTPServer):
    """A server on a thread of its own. Connections that break are no news."""

    daemon_threads = True
    address_family = socket.AF_INET

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], standin: StandIn) -> None:
        super().__init__(address, type(handler.__name__, (handler,), {"standin": standin}))

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            log(f"stand-in: {error!r}")

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Elector:
    """Holds or waits for a Lease as KAI's replicas do, with the pod's own service account."""

    def __init__(self, standin: StandIn, *, namespace: str, lease: str, identity: str) -> None:
        self._standin = standin
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._lease = lease
        self._identity = identity
        self._tls = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self._server = f"https://{f'[{host}]' if ':' in host else host}:{port}"

    def run(self) -> None:
        """For ever; whether it leads is in the stand-in."""
        while not self._standin.stopped.is_set():
            try:
                leads = self._hold()
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                log(f"stand-in: Lease {self._lease}: {error}")
                leads = False
            if leads != self._standin.leads:
                self._standin.leads = leads
                log(f"stand-in: {self._identity} {'leads' if leads else 'is a standby'}")
                if leads:
                    log(REGISTERED)
            self._standin.stopped.wait(RENEW_SECONDS)

    def _hold(self) -> bool:
        now = datetime.now(UTC)
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": self._identity, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": stamp}
        lease = self._call("GET", f"{self._path}/{self._lease}")
        if lease is None:
            body = {"metadata": {"name": self._lease}, "spec": {**spec, "acquireTime": stamp}}
            return self._call("POST", self._path, body) is not None
        held = lease["spec"]
        if held.get("holderIdentity") != self._identity:
            until = datetime.fromisoformat(held["renewTime"]) + timedelta(seconds=held["leaseDurationSeconds"])
            if held.get("holderIdentity") and until > now:
                return False
            spec["acquireTime"] = stamp
        lease["spec"] = {**held, **spec}
        return self._call("PUT", f"{self._path}/{self._lease}", lease) is not None

    def _call(self, method: str, path: str, body: dict | None = None) -> dict | None:  # type: ignore[type-arg]
        """None for what is not there and for what somebody else was faster with."""
        request = urllib.request.Request(self._server + path, method=method)
        request.add_header("Authorization", f"Bearer {(SERVICE_ACCOUNT / 'token').read_text().strip()}")
        request.add_header("Content-Type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data=data, timeout=5, context=self._tls) as response:
                return json.load(response)  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (404, 409):
                    return None
                raise


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="A stand-in for the KAI scheduler's plugin server.", allow_abbrev=False
    )
    parser.add_argument("--archive", type=Path, required=True, help="the archive to serve")
    parser.add_argument("--behaviour", default="serve", help="how to answer at first; see the text of this file")
    parser.add_argument("--bind", default="127.0.0.1", help="where the plugin server listens")
    parser.add_argument(
        "--control-port", type=int, default=8090, help="where tests change the behaviour, on all addresses"
    )
    kai = parser.add_argument_group("arguments of the scheduler")
    kai.add_argument("--plugin-server-port", type=int, default=8081)
    kai.add_argument("--scheduler-name", default="kai-scheduler")
    kai.add_argument("--namespace", default="kai-scheduler")
    kai.add_argument("--partition-label-value", default="")
    kai.add_argument("--scheduler-conf", default="")
    kai.add_argument("--nodepool-label-key", default="")
    kai.add_argument("--leader-elect", nargs="?", const="true", default="false")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    elects = given.leader_elect == "true"
    standin = StandIn(archive=given.archive.read_bytes(), leads=not elects)
    standin.behave(given.behaviour)
    signal.signal(signal.SIGTERM, lambda *_: standin.stopped.set())
    log(f"This is a stand-in for a KAI scheduler: it schedules nothing and serves {given.archive} ({given.behaviour}).")
    Server(("0.0.0.0", given.control_port), ControlHandler, standin).start()
    Server((given.bind, given.plugin_server_port), PluginHandler, standin).start()
    if elects:
        suffix = f"-{given.partition_label_value}" if given.partition_label_value else ""
        Elector(
            standin,
            namespace=given.namespace,
            lease=f"{given.scheduler_name}{suffix}",
            identity=f"{socket.gethostname()}_{uuid.uuid4()}",
        ).run()
    elif given.behaviour not in ("plugin-off", "standby"):
        log(REGISTERED)
    standin.stopped.wait()


if __name__ == "__main__":
    main()
