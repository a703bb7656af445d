"""Reads a kubeconfig as kubectl does: files merged, a context chosen, credentials as they are or from a plugin."""

import base64
import binascii
import ipaddress
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.source.connection import ApiConnection
from kai_snapshot.source.credentialplugin import Plugin, run_plugin
from kai_snapshot.source.text import one_line


class _Entry(BaseModel):
    model_config = ConfigDict(
        alias_generator=lambda name: name.replace("_", "-"), extra="ignore", frozen=True, hide_input_in_errors=True
    )


class Context(_Entry):
    cluster: str
    user: str = ""


class Cluster(_Entry):
    server: str
    certificate_authority: str | None = None
    certificate_authority_data: str | None = None
    insecure_skip_tls_verify: bool = False
    tls_server_name: str | None = None
    proxy_url: str | None = None


class User(_Entry):
    token: str | None = None
    token_file: str | None = Field(default=None, alias="tokenFile")
    client_certificate: str | None = None
    client_certificate_data: str | None = None
    client_key: str | None = None
    client_key_data: str | None = None
    plugin: Plugin | None = Field(default=None, alias="exec")
    auth_provider: object = None
    username: str | None = None
    impersonates: str | None = Field(default=None, alias="as")


@dataclass(frozen=True)
class _File:
    path: Path
    content: Mapping[str, Any]


Entry = TypeVar("Entry", bound=_Entry)


def from_kubeconfig(path: Path | None, *, context: str | None) -> ApiConnection:
    """How kubectl, run in the place of this process, would connect: its files, its environment, its terminal.

    Raises TerminalError (InvalidKubeconfig; Unauthorized if a credential plugin fails).
    """
    paths = kubeconfig_paths(path, os.environ)
    return read_connection(paths, context=context, environment=os.environ, interactive=sys.stdin.isatty())


def kubeconfig_paths(explicit: Path | None, environment: Mapping[str, str]) -> list[Path]:
    """The files to read: the one named, else those of KUBECONFIG that exist, else ~/.kube/config."""
    if explicit is not None:
        return [explicit]
    named = [Path(path) for path in environment.get("KUBECONFIG", "").split(os.pathsep) if path]
    if named:
        return [path for path in named if path.exists()] or named[:1]
    return [Path(environment.get("HOME", "/")) / ".kube" / "config"]


def read_connection(
    paths: Sequence[Path], *, context: str | None, environment: Mapping[str, str], interactive: bool
) -> ApiConnection:
    """The API server and identity of a context, by default the current one. Of entries with one name the first counts.

    Runs the context's credential plugin if it has one, which may ask the person if `interactive`.
    Raises TerminalError (InvalidKubeconfig; Unauthorized if the plugin fails).
    """
    files = [_read(path) for path in paths]
    name = context or next(
        (str(file.content["current-context"]) for file in files if file.content.get("current-context")), ""
    )
    if not name:
        raise _invalid(files[0].path, "it has no current context; name one with --context")
    chosen, _ = _entry(files, "context", name, Context)
    cluster, cluster_file = _entry(files, "cluster", chosen.cluster, Cluster)
    user, user_file = _entry(files, "user", chosen.user, User) if chosen.user else (User(), cluster_file)
    folder = user_file.path.parent
    for unsupported in _unsupported(user):
        raise _invalid(user_file.path, f"user {chosen.user} uses {unsupported}, which is not supported")
    try:
        ca = _pem(cluster.certificate_authority_data, cluster.certificate_authority, cluster_file.path.parent)
        certificate = _pem(user.client_certificate_data, user.client_certificate, folder)
        key = _pem(user.client_key_data, user.client_key, folder)
        token = user.token
        if user.plugin is not None:
            about = {**cluster.model_dump(by_alias=True, exclude_none=True), "certificate-authority-data": _base64(ca)}
            issued = run_plugin(
                user.plugin, folder=folder, cluster=about, environment=environment, interactive=interactive
            )
            token, certificate, key = issued.token, issued.client_certificate_data, issued.client_key_data
        return ApiConnection(
            server=cluster.server,
            ca=ca,
            insecure_skip_tls_verify=cluster.insecure_skip_tls_verify,
            tls_server_name=cluster.tls_server_name,
            token=token,
            token_file=folder / user.token_file if user.token_file else None,
            client_certificate=certificate,
            client_key=key,
            proxy=cluster.proxy_url or _proxy(cluster.server, environment),
        )
    except (OSError, UnicodeDecodeError, binascii.Error, ValidationError) as error:
        raise _invalid(cluster_file.path, f"context {name}: {_first_fault(error)}") from error


def _read(path: Path) -> _File:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _invalid(path, "it does not exist; name another with --kubeconfig or KUBECONFIG") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _invalid(path, one_line(str(error))) from error
    if not isinstance(content, dict):
        raise _invalid(path, "it is no kubeconfig")
    return _File(path, content)


def _entry(files: Sequence[_File], kind: str, name: str, model: type[Entry]) -> tuple[Entry, _File]:
    for file in files:
        for entry in file.content.get(f"{kind}s") or ():
            if isinstance(entry, dict) and entry.get("name") == name:
                try:
                    return model.model_validate(entry.get(kind) or {}), file
                except ValidationError as error:
                    raise _invalid(file.path, f"{kind} {name}: {_first_fault(error)}") from error
    raise _invalid(files[0].path, f"there is no {kind} {name}")


def _unsupported(user: User) -> Iterator[str]:
    if user.auth_provider is not None:
        yield "auth-provider (Kubernetes dropped it in v1.26; use a credential plugin)"
    if user.username is not None:
        yield "a user name and password (Kubernetes dropped them in v1.19)"
    if user.impersonates is not None:
        yield "impersonation (as)"


def _pem(data: str | None, file: str | None, folder: Path) -> str | None:
    if data:
        return base64.b64decode(data, validate=True).decode("utf-8")
    return (folder / file).read_text(encoding="utf-8") if file else None


def _base64(text: str | None) -> str | None:
    return base64.b64encode(text.encode()).decode() if text else None


def _proxy(server: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY say, as Go reads them: never one for this machine itself."""
    settings = {name.lower(): value for name, value in environment.items() if value}
    url = urlsplit(server)
    host = (url.hostname or "").lower()
    if host == "localhost" or _is_loopback(host):
        return None
    if any(_covers(pattern.strip().lower(), host) for pattern in settings.get("no_proxy", "").split(",")):
        return None
    return settings.get(f"{url.scheme}_proxy")


def _covers(pattern: str, host: str) -> bool:
    """Whether an entry of NO_PROXY (a domain, an address, a network, `*`) covers a host."""
    with suppress(ValueError):
        return ipaddress.ip_address(host) in ipaddress.ip_network(pattern, strict=False)
    domain = pattern.lstrip("*.")
    return pattern == "*" or (bool(domain) and (host == domain or host.endswith("." + domain)))


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _first_fault(error: Exception) -> str:
    """What is wrong, without the value that is wrong: it may be a secret."""
    if isinstance(error, ValidationError):
        fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        return one_line(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}")
    return one_line(str(error))


def _invalid(path: Path, what: str) -> TerminalError:
    return TerminalError(Reason.INVALID_KUBECONFIG, f"The kubeconfig {path} cannot be used: {what}.")
