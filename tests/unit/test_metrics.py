"""What Prometheus and the kubelet get."""

import socket
from http.client import HTTPConnection

from kai_snapshot.metrics import Metrics


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
