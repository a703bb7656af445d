"""What Prometheus and the kubelet get."""

import socket
from http.client import HTTPConnection

import pytest

from kai_snapshot import metrics as module
from kai_snapshot.metrics import Metrics
from support.eventually import eventually


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_kubelet_sees_who_is_ready_and_prometheus_who_leads() -> None:
    state = {"ready": False, "leads": False}
    metrics, port = Metrics(), free_port()
    metrics.leads("lease", lambda: state["leads"])
    metrics.serve(port, ready=lambda: state["ready"])
    assert ask(port, "/readyz")[0] == 503
    assert 'leader_election_master_status{name="lease"} 0.0' in ask(port, "/metrics")[1]
    state.update(ready=True, leads=True)
    assert ask(port, "/readyz") == (200, "ok\n")
    assert 'leader_election_master_status{name="lease"} 1.0' in ask(port, "/metrics")[1]


def test_a_client_that_says_nothing_gives_its_thread_back_and_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_SILENCE_SECONDS", 0.1)
    caplog.set_level("INFO")
    metrics, port = Metrics(), free_port()
    metrics.serve(port, ready=lambda: True)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as silent:
        assert silent.recv(1) == b""
    eventually(lambda: "was not served: timed out" in caplog.text, timeout=10)
