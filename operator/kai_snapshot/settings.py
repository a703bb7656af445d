"""The operator's settings: the environment, read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kai_snapshot.errors import Reason, TerminalError

PREFIX = "KAI_SNAPSHOT_"


@dataclass(frozen=True)
class Settings:
    """Each field is the environment variable KAI_SNAPSHOT_<FIELD>."""

    namespace: str
    """Where the operator runs: its Lease and its signing key are there, and claims are served for it."""
    pod_name: str
    """Names this process in the Lease and in status.active.operator."""
    transfer_url: str
    """The transfer endpoint as Jobs reach it: https, and a name or address that its certificate is made for."""
    tool_image: str | None = None
    """Replaces the published snapshot-tool images; `{version}` in it stands for the version."""
    identity_namespaces: tuple[str, ...] = ()
    """Namespaces whose captures may use the operator's own cloud identity; default: its own."""
    identity_buckets: tuple[str, ...] = ()
    """Buckets the operator's own identity may be used for; default: any, in those namespaces."""
    privileged_namespaces: tuple[str, ...] = ()
    """Namespaces whose captures may be root on the nodes, by environment.privileged; default: none."""
    transfer_port: int = 8082
    """Where the transfer endpoint listens."""
    metrics_port: int = 8080
    """Where Prometheus finds /metrics."""
    claims_dir: Path = Path("/claims")
    """Claims are mounted at <claims_dir>/<claimName>."""
    spool_dir: Path = Path("/spool")
    """Where archives, logs and results are held while they are checked."""
    concurrent_captures: int = 2
    """How many captures run at the same time."""


def read(environment: Mapping[str, str]) -> Settings:
    """The settings. Raises TerminalError InvalidSpec naming the variable that is missing or wrong."""

    def get(name: str) -> str | None:
        return environment.get(PREFIX + name) or None

    def need(name: str) -> str:
        value = get(name)
        if value is None:
            raise TerminalError(
                Reason.INVALID_SPEC, f"the environment variable {PREFIX}{name} is not set: see manifests/"
            )
        return value

    def names(name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(part.strip() for part in (get(name) or "").split(",") if part.strip()) or default

    def number(name: str, default: int) -> int:
        value = get(name)
        if value is not None and not value.isdecimal():
            raise TerminalError(Reason.INVALID_SPEC, f"the environment variable {PREFIX}{name} is not a number")
        return int(value) if value else default

    def https(name: str) -> str:
        value = need(name)
        parts = urlsplit(value)
        if parts.scheme != "https" or not parts.hostname:
            raise TerminalError(
                Reason.INVALID_SPEC,
                f"the environment variable {PREFIX}{name} must be https://HOST:PORT: "
                "the transfer endpoint serves TLS alone, with a certificate that the operator makes",
            )
        return value

    own = need("NAMESPACE")
    return Settings(
        namespace=own,
        pod_name=need("POD_NAME"),
        transfer_url=https("TRANSFER_URL"),
        tool_image=get("TOOL_IMAGE"),
        identity_namespaces=names("IDENTITY_NAMESPACES", (own,)),
        identity_buckets=names("IDENTITY_BUCKETS", ()),
        privileged_namespaces=names("PRIVILEGED_NAMESPACES", ()),
        transfer_port=number("TRANSFER_PORT", Settings.transfer_port),
        metrics_port=number("METRICS_PORT", Settings.metrics_port),
        claims_dir=Path(get("CLAIMS_DIR") or Settings.claims_dir),
        spool_dir=Path(get("SPOOL_DIR") or Settings.spool_dir),
        concurrent_captures=number("CONCURRENT_CAPTURES", Settings.concurrent_captures),
    )
