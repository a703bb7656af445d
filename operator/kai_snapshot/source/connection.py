"""How to reach and authenticate to a Kubernetes API server: a value that can be handed to another process as JSON."""

import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kai_snapshot.errors import Reason, TerminalError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ApiConnection(BaseModel):
    """An API server and an identity. Its JSON holds secrets: it belongs on a pipe, never in arguments or logs."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

    server: str = Field(pattern=r"^https?://[^/]")
    """URL of the API server, with a path if it has one."""
    ca: str | None = Field(default=None, repr=False)
    """The authorities to trust, PEM. Absent: the system's."""
    insecure_skip_tls_verify: bool = False
    """Trust any certificate."""
    tls_server_name: str | None = None
    """The name expected in the server's certificate, if it is not the URL's host."""
    token: str | None = Field(default=None, repr=False)
    """A bearer token."""
    token_file: Path | None = None
    """A file with a bearer token, read before each request: the kubelet renews it."""
    client_certificate: str | None = Field(default=None, repr=False)
    """A client certificate (chain), PEM."""
    client_key: str | None = Field(default=None, repr=False)
    """The key of the client certificate, PEM."""
    proxy: str | None = Field(default=None, repr=False)
    """URL of an HTTP proxy."""

    @model_validator(mode="after")
    def _whole_pair(self) -> Self:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("a client certificate and its key come together")
        return self

    def bearer_token(self) -> str | None:
        """The token for the next request.

        Raises TerminalError (Unauthorized) if the token file cannot be read.
        """
        if self.token_file is None:
            return self.token
        try:
            return self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise TerminalError(
                Reason.UNAUTHORIZED,
                f"The token file {self.token_file} for the Kubernetes API server cannot be read: {error}.",
            ) from error

    def ssl_context(self) -> ssl.SSLContext:
        """What TLS trusts and presents.

        Raises TerminalError (Unauthorized) if a certificate or key cannot be used.
        """
        try:
            context = ssl.create_default_context(cadata=self.ca)
            if self.insecure_skip_tls_verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.client_certificate is not None and self.client_key is not None:
                _load_pair(context, self.client_certificate, self.client_key)
        except (ssl.SSLError, ValueError, OSError) as error:
            raise TerminalError(
                Reason.UNAUTHORIZED,
                f"The certificates for the Kubernetes API server {self.server} cannot be used ({error}). "
                "Check that they are PEM and belong together.",
            ) from error
        return context


def in_cluster(environment: Mapping[str, str], *, mount: Path = SERVICE_ACCOUNT) -> ApiConnection:
    """The connection of a pod: the API server of its environment, the service account mounted into it.

    Raises TerminalError (APIUnreachable) outside of a pod, or in one without a service account's token.
    """
    nobody = in_cluster_as_nobody(environment, mount=mount)
    token_file = mount / "token"
    try:
        token_file.read_bytes()
    except OSError as error:
        raise _not_mounted(error) from error
    return nobody.model_copy(update={"token_file": token_file})


def in_cluster_as_nobody(environment: Mapping[str, str], *, mount: Path = SERVICE_ACCOUNT) -> ApiConnection:
    """The same without an identity, for whoever asks in the name of others: of the mount, the authority is enough.

    Raises TerminalError (APIUnreachable) outside of a pod, or in one without the cluster's authority.
    """
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise TerminalError(
            Reason.API_UNREACHABLE,
            "This does not run in a pod (KUBERNETES_SERVICE_HOST is not set): give a kubeconfig.",
        )
    try:
        ca = (mount / "ca.crt").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise _not_mounted(error) from error
    bracketed = f"[{host}]" if ":" in host else host
    return ApiConnection(server=f"https://{bracketed}:{port}", ca=ca)


def _not_mounted(error: OSError | UnicodeDecodeError) -> TerminalError:
    return TerminalError(
        Reason.API_UNREACHABLE,
        f"The pod's service account cannot be used: {error}. Let the pod have automountServiceAccountToken: true, or "
        "mount there what that would.",
    )


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """OpenSSL takes a key from a file only: one that nobody else can read and that is gone again at once."""
    with tempfile.NamedTemporaryFile("w", encoding="ascii", suffix=".pem") as file:
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        context.load_cert_chain(file.name, password=_no_password)


def _no_password() -> str:
    """Called by OpenSSL for an encrypted key; without it, it would ask on the terminal."""
    raise ValueError("the client key is encrypted")
