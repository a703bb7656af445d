"""Redact: an archive in which all that names, and all that is not decided on, is replaced or gone."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from kai_snapshot.archive.content import API_GROUPS, CONFIG, DISCOVERY, RAW
from kai_snapshot.archive.document import Path as Place
from kai_snapshot.archive.read import read_params
from kai_snapshot.archive.rewrite import rewrite
from kai_snapshot.redaction import keyed, shapes
from kai_snapshot.redaction import rules as of
from kai_snapshot.redaction.key import Key
from kai_snapshot.redaction.numbered import numbered_keys
from kai_snapshot.redaction.pseudonyms import Pseudonyms

Dropped = Mapping[str, int]
"""What was left out because it is not known, by where it stood, and how often: parts that are alike count once."""


def redact(source: Path, target: Path, key: Key, told: Callable[[str, str], None]) -> Dropped:
    """Writes the redacted archive to `target`; `told` hears of each pseudonym and what it stands for, some repeatedly.

    The same archive and key give the same bytes. One object is held at a time. Raises OSError, and TerminalError where
    an archive is not valid; then there is no target.
    """
    queue_label = read_params(source).get("queueLabelKey")
    editor = _Editor(of.Rules(Pseudonyms(key, told), numbered_keys(source), queue_label))
    rewrite(source, target, editor)
    return editor.rules.dropped


def redact_config(config: Mapping[str, Any], key: Key, told: Callable[[str, str], None]) -> object:
    """A configuration that stands beside its archive."""
    return shapes.PARTS[CONFIG](of.Rules(Pseudonyms(key, told)), config)


class _Editor:
    done = False

    def __init__(self, rules: of.Rules) -> None:
        self.rules = rules

    def value(self, path: Place, value: object) -> bytes | None:
        if value is None:
            return None
        if (rule := shapes.PARTS.get(path[-1]) if len(path) == 1 else None) is not None:
            return _encoded(rule(self.rules, value))
        if path == (DISCOVERY, "serverVersion"):
            return _encoded(shapes.SERVER_VERSION(self.rules, value))
        self._drop(path)
        return b"null"

    def element(self, path: Place, value: object) -> bytes | None:
        if path == API_GROUPS:
            return None if _is_public(value) else b""
        if (rule := shapes.LISTS.get(path[1]) if path[0] == RAW else None) is None:
            self._drop(path)
            return b""
        made = rule(self.rules, value)
        if made is of.DROPPED:
            self._drop(path)
            return b""
        return orjson.dumps(made)

    def added(self, path: Place) -> Sequence[bytes]:
        del path
        return ()

    def finish(self) -> None:
        """Nothing is waited for."""

    def _drop(self, path: Place) -> None:
        self.rules.dropped[".".join(path)] += 1


def _encoded(made: object) -> bytes:
    return b"null" if made is of.DROPPED else orjson.dumps(made)


def _is_public(value: object) -> bool:
    """Whether a list of what an API group has is of one of Kubernetes or KAI, which say nothing of the cluster."""
    version = value.get("groupVersion") if isinstance(value, dict) else None
    return isinstance(version, str) and keyed.is_public_group(version)
