"""The text of a patch: RFC 6902 operations, as JSON or as YAML that says no more than JSON could."""

import json
from collections.abc import Mapping
from typing import Any, Final

import jsonpatch
import jsonpointer
import orjson
import yaml

Operation = dict[str, Any]

NEEDED: Final[Mapping[str, str]] = {
    "add": "value",
    "replace": "value",
    "test": "value",
    "move": "from",
    "copy": "from",
    "remove": "path",
}
"""What each operation must have besides its path."""
_LONGEST = 200


def read_operations(text: str) -> list[Operation]:
    """The operations, each whole in itself. Raises ValueError, which says in a sentence what is wrong."""
    operations: list[Operation] = _parsed(text)
    try:
        jsonpatch.JsonPatch(operations)
        for number, operation in enumerate(operations, 1):
            needed = NEEDED[operation["op"]]
            if needed not in operation:
                raise ValueError(f"operation {number}, `{operation['op']}`, has no `{needed}`")
            jsonpointer.JsonPointer(str(operation.get("from", "")))
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise ValueError(f"it is no list of RFC 6902 operations: {str(error)[:_LONGEST].rstrip('.')}") from error
    if not operations:
        raise ValueError("it has no operations")
    return operations


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: a time is text. Nothing is said by reference, nothing has a type of its own."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Aliases multiply what they name: a few lines could mean gigabytes."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.tag is not None:
            problem = "aliases and tags are not allowed"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return orjson.loads(json.dumps(yaml.load(text, _Loader), allow_nan=False))  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise ValueError(f"it cannot be read as YAML or JSON{line}: {(error.problem or '')[:_LONGEST]}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError("it cannot be read as YAML or JSON") from error
