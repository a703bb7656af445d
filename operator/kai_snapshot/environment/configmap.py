"""An environment document in a ConfigMap, under the keys that aicr reads from `cm://NAMESPACE/NAME`."""

from typing import Any, Final

from kai_snapshot import __version__
from kai_snapshot.api.environmentdocument import TIMESTAMP, EnvironmentDocument
from kai_snapshot.environment.text import EXTENSION, Form, encode
from kai_snapshot.errors import Reason, TerminalError

SCHEME: Final = "cm://"
LARGEST: Final = 1 << 20
"""Bytes that the data of a ConfigMap may have."""


def parse(uri: str) -> tuple[str, str]:
    """Namespace and name in `cm://NAMESPACE/NAME`. Raises TerminalError(InvalidSpec)."""
    namespace, _, name = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not namespace or not name or "/" in name:
        raise TerminalError(Reason.INVALID_SPEC, f"{uri!r} is not {SCHEME}NAMESPACE/NAME.")
    return namespace, name


def config_map(document: EnvironmentDocument, form: Form, *, namespace: str, name: str) -> dict[str, Any]:
    """The ConfigMap to apply. Raises TerminalError(ConfigMapTooLarge)."""
    content = encode(document, form)
    if len(content) > LARGEST:
        raise TerminalError(
            Reason.CONFIG_MAP_TOO_LARGE,
            f"The document of {document.source_node} has {len(content)} bytes, ConfigMap {namespace}/{name} may have "
            f"{LARGEST}: name fewer nodes in each entry (--max-nodes-per-entry), or write it to a file.",
        )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/name": "kai-snapshot",
                "app.kubernetes.io/component": document.kind,
                "app.kubernetes.io/version": __version__,
            },
        },
        "data": {
            f"snapshot.{EXTENSION[form]}": content.decode(),
            "format": form,
            "timestamp": document.metadata.get(TIMESTAMP, ""),
        },
    }
