"""An environment document in a ConfigMap, under the keys that aicr reads from `cm://NAMESPACE/NAME`."""

import re
from typing import Any, Final

from kai_snapshot import __version__
from kai_snapshot.api.environmentdocument import TIMESTAMP, EnvironmentDocument
from kai_snapshot.api.source import DNS_SUBDOMAIN
from kai_snapshot.environment.text import EXTENSION, Form, encode
from kai_snapshot.errors import Reason, TerminalError

SCHEME: Final = "cm://"
LARGEST: Final = 1 << 20
"""Bytes that the data of a ConfigMap may have."""
LONGEST_NAME: Final = 253


def parse(uri: str) -> tuple[str, str]:
    """Namespace and name in `cm://NAMESPACE/NAME`. Raises TerminalError(InvalidSpec)."""
    namespace, _, name = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not _is_name(namespace) or not _is_name(name):
        raise TerminalError(Reason.INVALID_SPEC, f"{uri!r} is not {SCHEME}NAMESPACE/NAME.")
    return namespace, name


def config_map(document: EnvironmentDocument, form: Form, *, namespace: str, name: str) -> dict[str, Any]:
    """The ConfigMap to apply. Raises TerminalError: ConfigMapTooLarge, InvalidEnvironment.

    A name may be made of a node's, which a document may have from anywhere, and becomes part of a path.
    """
    if not _is_name(name):
        message = f"{name!r}, made of the node's name in a document, is no ConfigMap's name."
        raise TerminalError(Reason.INVALID_ENVIRONMENT, message)
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


def _is_name(text: str) -> bool:
    return re.fullmatch(DNS_SUBDOMAIN, text) is not None and len(text) <= LONGEST_NAME
