"""The text of a patch: RFC 6902 operations, as JSON or as YAML that says no more than JSON could."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

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
_DEEPEST: Final = 100
"""How deep YAML may be nested: reading it takes time with the square of that."""
_INTEGERS: Final = range(-(2**63), 2**64)
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""With libyaml, which PyYAML has where it was built with it, ten times as fast."""
_RESOLVER: Final = yaml.resolver.Resolver()
_TAG: Final = "tag:yaml.org,2002:"


def read_operations(text: str) -> list[Operation]:
    """The operations, each whole in itself. Raises ValueError, which says in a sentence what is wrong."""
    operations: Any = read_value(text)
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
    return list(operations)


def read_value(text: str) -> object:
    """What JSON or YAML says, in what JSON has. Raises ValueError, which says in a sentence what is wrong.

    A time and a key are text. What could be a number or text, depending on who reads it, is refused.
    """
    try:
        value = _read(text)
        orjson.dumps(value)
    except RecursionError as error:
        raise ValueError("it cannot be read as YAML or JSON: it is nested too deeply") from error
    except orjson.JSONEncodeError as error:
        raise ValueError("it is nested too deeply, or has half of a surrogate pair") from error
    return value


def _read(text: str) -> object:
    try:
        return json.loads(text, parse_int=_integer, parse_float=_fraction, parse_constant=_refuse_number)
    except json.JSONDecodeError:
        pass
    try:
        return _document(yaml.parse(text, _LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark  # of what is missing at the end: a line that is not there
        line = f", line {min(mark.line, text.count(chr(10))) + 1}" if mark is not None else ""
        raise ValueError(f"it cannot be read as YAML or JSON{line}: {(error.problem or '')[:_LONGEST]}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise ValueError("it cannot be read as YAML or JSON") from error


def _document(events: Iterator[Any]) -> object:
    """The only one in the text; None if there is none. What is refused is not read to its end."""
    next(events)
    if isinstance(next(events), yaml.StreamEndEvent):
        return None
    value = _value(next(events), events, depth=0)
    next(events)
    if not isinstance(event := next(events), yaml.StreamEndEvent):
        raise _refusal(event, "there is more than one document")
    return value


def _value(event: Any, events: Iterator[Any], *, depth: int) -> object:
    """The value that begins with `event`. Aliases multiply what they name: a few lines could mean gigabytes."""
    if depth > _DEEPEST:
        raise _refusal(event, "it is nested too deeply")
    if isinstance(event, yaml.AliasEvent) or event.tag is not None:
        raise _refusal(event, "aliases and tags are not allowed")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event) if event.implicit[0] else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        values = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            values.append(_value(event, events, depth=depth + 1))
        return values
    members = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            raise _refusal(event, "a key can only be text, without a tag")
        members[event.value] = _value(next(events), events, depth=depth + 1)
    return members


def _scalar(event: Any) -> object:
    """What is not in quotes."""
    text = str(event.value)
    if number := _NUMBER.fullmatch(text):
        return _fraction(text) if number[2] or number[3] else _integer(text)
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if tag == f"{_TAG}null":
        return None
    if tag == f"{_TAG}bool":
        return yaml.SafeLoader.bool_values[text.lower()]
    if tag in (f"{_TAG}int", f"{_TAG}float"):
        raise _refusal(event, f"{_shown(text)} is a number to some: write it as JSON does, or in quotes")
    return text


def _refusal(event: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _integer(text: str) -> int:
    if len(text) > len(str(_INTEGERS.stop)) or (number := int(text)) not in _INTEGERS:
        _refuse_number(text)
    return number


def _fraction(text: str) -> float:
    if not math.isfinite(number := float(text)):
        _refuse_number(text)
    return number


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"64 bits do not hold the number {_shown(text)}")


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
