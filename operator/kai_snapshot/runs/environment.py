"""This machine's environment, from the collectors to the document."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kai_snapshot.api.environmentdocument import DEFAULT_UNITS, FULL_API_VERSION, ApiVersion, EnvironmentDocument
from kai_snapshot.collectors import TIMEOUT_SECONDS, Running, of_node
from kai_snapshot.collectors.host import Host, node_name
from kai_snapshot.environment.assemble import assemble


@dataclass(frozen=True, kw_only=True)
class Look:
    """What to look at, and how long."""

    host: Host = field(default_factory=Host)
    units: Sequence[str] = DEFAULT_UNITS
    timeout_seconds: float = TIMEOUT_SECONDS
    """Of one collector."""
    api_version: ApiVersion = FULL_API_VERSION


def collect(look: Look, environment: Mapping[str, str]) -> EnvironmentDocument:
    """The document of this machine: GPU, OS and SystemD. Takes `timeout_seconds` at most.

    A collector that fails, or hangs, is reported in the document, and its measurement is missing. The node's name is
    the environment's, else that of the machine.
    """
    at = datetime.now(UTC)
    running = Running(
        of_node(look.host, units=look.units, timeout_seconds=look.timeout_seconds), timeout_seconds=look.timeout_seconds
    )
    outcomes = list(running.outcomes())
    return assemble(
        [each.measurement for each in outcomes if each.measurement is not None],
        [each.report for each in outcomes],
        node_name=node_name(environment) or socket.gethostname(),
        at=at,
        api_version=look.api_version,
    )
