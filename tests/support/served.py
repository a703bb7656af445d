"""The pages and the API, served as they are in life: uvicorn on loopback, asked with a plain HTTP client."""

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

from kai_snapshot.api.result import Engine, Outcome, ReplayResult
from kai_snapshot.api.visualizer import ClusterSummary
from kai_snapshot.runs.listing import NONE, Listing
from kai_snapshot.runs.look import Place
from kai_snapshot.runs.replays import Replay, ReplayName, Result, no_replay
from kai_snapshot.views import Views
from kai_snapshot.web.app import application
from kai_snapshot.web.gate import Admit
from kai_snapshot.web.server import LOOPBACK, listen, server
from support.eventually import eventually


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def document(self) -> Any:
        """Its JSON."""
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)


@dataclass(frozen=True)
class Site:
    """Something that is served."""

    port: int

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        """One request; `_` in the name of a header stands for `-`."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                method, path, body, headers={name.replace("_", "-"): text for name, text in headers.items()}
            )
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


class Given:
    """A place whose views, or failures, are given; it counts how often it is looked at, and by how many at once."""

    several = False
    file = Path("absent.zip")

    def __init__(self, *answers: Views | Exception, simulated: ReplayResult | None = None) -> None:
        self.answers = list(answers)
        engine = Engine(name="Simulator", version="v0.17.0")
        self.result_given = simulated or ReplayResult(engine=engine, outcome=Outcome.SUCCEEDED)
        self.wanted: list[str] = []
        self.most = 0
        self._now = 0

    @contextmanager
    def archive(self, wanted: str) -> Iterator[Path]:
        """The file; it is gone afterwards."""
        del wanted
        yield self.file
        self.file.unlink()

    def see(self, wanted: str) -> Views:
        """The next of the answers; the last again and again."""
        self._now += 1
        self.most = max(self.most, self._now)
        self.wanted.append(wanted)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self._now -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def summary(self, wanted: str) -> ClusterSummary:
        """The next of the answers, in short."""
        return self.see(wanted).summary

    def simulated(self, wanted: str) -> ReplayResult:
        """A cycle that decides what was given, or nothing."""
        del wanted
        return self.result_given

    def listing(self) -> Listing:
        """None."""
        return NONE

    def replays(self, wanted: Collection[str]) -> Mapping[str, Sequence[ReplayName]]:
        """None."""
        del wanted
        return {}

    def replay(self, wanted: str, name: str) -> Replay:
        """None."""
        del wanted
        raise no_replay(name)

    def result(self, wanted: str, name: str, version: str) -> Result:
        """None."""
        del wanted, version
        raise no_replay(name)


@contextmanager
def served(
    place: Place,
    *,
    origin: str | None = "*",
    hosts: Collection[str] | None = LOOPBACK,
    admit: Admit | None = None,
    tls: bool = False,
    ahead: bool = False,
    snapshot_endpoint: bool = False,
) -> Iterator[Site]:
    """Serves a place as long as the block lasts."""
    with listen("127.0.0.1", 0) as listener:
        app = application(
            place,
            origin=origin,
            hosts=hosts,
            admit=admit,
            tls=tls,
            ahead=ahead,
            snapshot_endpoint=snapshot_endpoint,
        )
        running = server(app)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            eventually(lambda: running.started, timeout=10, interval=0.01)
            yield Site(listener.getsockname()[1])
        finally:
            running.should_exit = True
            thread.join()


@contextmanager
def serving(*arguments: object) -> Iterator[Site]:
    """`kai-snapshot serve` in a process of its own, until it is told to end, which it does at once and well."""
    command = [sys.executable, "-m", "kai_snapshot", "serve", *map(str, arguments), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stderr.readline())
        assert found is not None
        site = Site(int(found[1]))
        assert site.ask("/healthz").status == 200  # before it answers it may not know yet how to be told to end
        try:
            yield site
        finally:
            process.send_signal(signal.SIGINT)
            try:
                ended = process.wait(60)
            finally:
                process.kill()
        assert ended in (0, 130)
        assert "Traceback" not in process.stderr.read()
