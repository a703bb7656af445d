"""YAML with holes for Helm: what a value or a switch decides is marked in the objects, and a template in the text."""

import io
import re
from hashlib import sha256
from typing import Any, Final

from ruamel.yaml import YAML

_LINE: Final = re.compile(r"^( *)(?:- )?'?@@(\w+)'?:?$", re.MULTILINE)
_VALUE: Final = re.compile(r"'?@@(\w+)'?")
_templates: dict[str, str] = {}


def mark(template: str) -> str:
    """What there will be lines instead of: an item of a list, or a key of a mapping without a value. Or a value."""
    key = sha256(template.encode()).hexdigest()[:12]
    _templates[key] = template
    return f"@@{key}"


def around(items: list[Any], begin: str) -> list[Any]:
    """The items within a block of Helm's, such as `if` or `range`."""
    return [mark(f"{{{{- {begin} }}}}"), *items, mark("{{- end }}")]


def load(text: str) -> list[Any]:
    """The documents, with their comments."""
    return [document for document in _yaml().load_all(text) if document is not None]


def dump(documents: list[Any]) -> str:
    """The text, with its comments; marks have become templates."""
    stream = io.StringIO()
    _yaml().dump_all(documents, stream)
    text = _LINE.sub(_lines, stream.getvalue())
    return _VALUE.sub(lambda found: _templates[found[1]], text)


def _lines(found: re.Match[str]) -> str:
    return "\n".join(found[1] + line for line in _templates[found[2]].split("\n"))


def _yaml() -> YAML:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 4096
    yaml.preserve_quotes = True
    yaml.brace_single_entry_mapping_in_flow_sequence = True
    return yaml
