"""Runs a kubeconfig's credential plugin (client.authentication.k8s.io), as kubectl does."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from kai_snapshot.api.base import ApiModel
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.source.text import one_line

PLUGIN_SECONDS = 300
"""A plugin may wait for a person who logs in with a browser."""


class Variable(ApiModel):
    name: str
    value: str = ""


class Plugin(ApiModel):
    """The `exec` of a kubeconfig's user."""

    api_version: Literal["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]
    command: str
    args: list[str] | None = None
    env: list[Variable] | None = None
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: Literal["Never", "IfAvailable", "Always"] = "IfAvailable"


class Issued(ApiModel):
    """What a plugin issues: a token, or a certificate with its key, both PEM."""

    token: str | None = Field(default=None, repr=False)
    client_certificate_data: str | None = Field(default=None, repr=False)
    client_key_data: str | None = Field(default=None, repr=False)


class ExecCredential(ApiModel):
    status: Issued


def run_plugin(
    plugin: Plugin,
    *,
    folder: Path,
    cluster: Mapping[str, object],
    environment: Mapping[str, str],
    interactive: bool,
) -> Issued:
    """Runs a plugin of the kubeconfig in `folder`, telling it of `cluster` if it wants to know.

    Raises TerminalError (Unauthorized).
    """
    command = str(folder / plugin.command) if "/" in plugin.command else plugin.command
    ask = interactive and plugin.interactive_mode != "Never"
    if plugin.interactive_mode == "Always" and not ask:
        raise _failed(plugin, "it has to ask a person, and there is no terminal")
    spec = {"interactive": ask} | ({"cluster": cluster} if plugin.provide_cluster_info else {})
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    own = {variable.name: variable.value for variable in plugin.env or ()}
    try:
        done = subprocess.run(
            [command, *(plugin.args or ())],
            env={**environment, **own, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdin=None if ask else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=PLUGIN_SECONDS,
            check=True,
        )
        return ExecCredential.model_validate_json(done.stdout).status
    except FileNotFoundError as error:
        raise _failed(plugin, f"it is not installed. {one_line(plugin.install_hint)}".strip()) from error
    except subprocess.CalledProcessError as error:
        raise _failed(plugin, f"it ended with status {error.returncode}") from error
    except subprocess.TimeoutExpired:
        raise _failed(plugin, f"it did not end within {PLUGIN_SECONDS} s") from None
    except OSError as error:
        raise _failed(plugin, str(error)) from error
    except ValidationError:
        raise _failed(plugin, "what it printed is no ExecCredential") from None


def _failed(plugin: Plugin, why: str) -> TerminalError:
    return TerminalError(Reason.UNAUTHORIZED, f"The credential plugin {one_line(plugin.command)} failed: {why}.")
