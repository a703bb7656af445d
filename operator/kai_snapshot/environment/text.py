"""An environment document as text: YAML, JSON or a table; and back, as leniently as aicr reads it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import orjson
import yaml
from pydantic import TypeAdapter, ValidationError

from kai_snapshot.api.environmentdocument import KIND, CollectorReport, EnvironmentDocument, Reading
from kai_snapshot.environment.readings import go_text, reading
from kai_snapshot.errors import Reason, TerminalError

Form = Literal["yaml", "json", "table"]
MOST_OBJECTS: Final = 2_000
"""Of a node's document: a subtype, and a GPU, are three. It has some dozens."""
MOST_VALUES: Final = 50_000
"""Of a node's document: most are settings, of which there are a thousand, and more with each processor."""
EXTENSION: Final[Mapping[Form, str]] = {"yaml": "yaml", "json": "json", "table": "txt"}


def encode(document: EnvironmentDocument, form: Form) -> bytes:
    """The document, the same bytes for the same content."""
    match form:
        case "json":
            return orjson.dumps(document.dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        case "yaml":
            return yaml.dump(
                document.dump(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 20
            ).encode()
        case "table":
            rows = [("NODE", document.source_node), *((path, _line(value)) for path, value in flat(document))]
            width = max(len(path) for path, _ in rows)
            return "".join(f"{path:{width}}   {value}".rstrip() + "\n" for path, value in rows).encode()


def encode_all(documents: Sequence[EnvironmentDocument], form: Form) -> bytes:
    """One document as it is; several as a stream of YAML, an array of JSON, or tables one after the other."""
    if len(documents) == 1:
        return encode(documents[0], form)
    if form == "json":
        return orjson.dumps([each.dump() for each in documents], option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    separator = b"---\n" if form == "yaml" else b"\n"
    return separator.join(encode(each, form) for each in documents)


def flat(document: EnvironmentDocument) -> Iterator[tuple[str, Reading]]:
    """Every reading with its path, `OS.release.ID`; of measurements of one type the first counts."""
    seen: set[str] = set()
    for measurement in document.measurements:
        if measurement.type in seen:
            continue
        seen.add(measurement.type)
        for subtype in measurement.subtypes:
            for key, value in sorted(subtype.data.items()):
                yield f"{measurement.type}.{subtype.subtype}.{key}", value


def decode(content: bytes, *, where: str) -> EnvironmentDocument:
    """The one document in a text of YAML or JSON. Raises TerminalError(InvalidEnvironment), which names `where`."""
    found = decode_all(content, where=where)
    if len(found) != 1:
        raise _invalid(where, f"{len(found)} documents where one is expected")
    return found[0]


def decode_json(content: bytes, *, where: str) -> EnvironmentDocument:
    """The document that a pod hands over: JSON only, and bounded, so that a few bytes cannot stand for many.

    Raises TerminalError(InvalidEnvironment), which names `where`.
    """
    try:
        loaded = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _invalid(where, f"it is not JSON: {error}") from error
    _check_bounds(loaded, where)
    return _document(loaded, where)


def decode_all(content: bytes, *, where: str) -> list[EnvironmentDocument]:
    """All documents in a text of YAML or JSON. Raises TerminalError(InvalidEnvironment), which names `where`."""
    loaded = _loaded(content, where)
    documents = loaded[0] if len(loaded) == 1 and isinstance(loaded[0], list) else loaded
    return [_document(each, where) for each in documents if each is not None]


def _check_bounds(content: object, where: str) -> None:
    """Before there are models: an empty one takes hundreds of times what its `{}` does."""
    objects, values, left = 0, 0, [content]
    while left:
        match left.pop():
            case dict() as members:
                objects += 1
                values += len(members)
                left.extend(members.values())
            case list() as members:
                values += len(members)
                left.extend(members)
        if objects > MOST_OBJECTS or values > MOST_VALUES:
            raise _invalid(where, f"a node's has at most {MOST_OBJECTS:,} objects and {MOST_VALUES:,} values")


def _line(value: object) -> str:
    return " ".join(go_text(value).split())


def _loaded(content: bytes, where: str) -> list[Any]:
    try:
        return [orjson.loads(content)]
    except orjson.JSONDecodeError:
        pass
    try:
        return list(yaml.load_all(content, Loader=_Loader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _invalid(where, f"it is neither JSON nor YAML: {' '.join(str(error).split())[:300]}") from error


def _document(content: Any, where: str) -> EnvironmentDocument:
    """aicr's own test data has neither kind nor header: only another kind is something else."""
    if not isinstance(content, Mapping):
        raise _invalid(where, "it is no object")
    kind = content.get("kind") or KIND
    if kind != KIND:
        raise _invalid(where, f"its kind is {go_text(kind)[:80]}, and not {KIND}")
    if not isinstance(content.get("measurements"), list):
        raise _invalid(where, "`measurements` is not a list")
    try:
        return EnvironmentDocument.model_validate(
            {
                "kind": KIND,
                "apiVersion": go_text(content.get("apiVersion") or ""),
                "metadata": _texts(content.get("metadata")),
                "measurements": [_measurement(each, where) for each in content["measurements"] if each is not None],
                "collectors": _collectors(content.get("collectors")),
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _invalid(where, f"`{'.'.join(map(str, first['loc']))}`: {first['msg']}") from error


def _collectors(content: object) -> list[CollectorReport]:
    """Ours; a field of that name that is somebody else's is unknown, and ignored like every other."""
    try:
        return _REPORTS.validate_python(content or [])
    except ValidationError:
        return []


def _measurement(content: Any, where: str) -> dict[str, Any]:
    if not isinstance(content, Mapping) or not isinstance(content.get("subtypes") or [], list):
        raise _invalid(where, "one of `measurements` is not a measurement")
    subtypes = [_subtype(each, where) for each in content.get("subtypes") or ()]
    return {"type": go_text(content.get("type") or ""), "subtypes": subtypes}


def _subtype(content: Any, where: str) -> dict[str, Any]:
    if not isinstance(content, Mapping) or not isinstance(content.get("data") or {}, Mapping):
        raise _invalid(where, "one of `subtypes` is not a subtype")
    items = content.get("items")
    return {
        "subtype": go_text(content.get("subtype") or ""),
        **_item(content),
        "items": [_item(each) for each in items if isinstance(each, Mapping)] if isinstance(items, list) else [],
    }


def _item(content: Mapping[Any, Any]) -> dict[str, Any]:
    data = content.get("data")
    readings = {go_text(key): reading(value) for key, value in data.items()} if isinstance(data, Mapping) else {}
    return {"data": readings, "context": _texts(content.get("context"))}


def _texts(content: object) -> dict[str, str]:
    return {go_text(key): go_text(value) for key, value in content.items()} if isinstance(content, Mapping) else {}


def _invalid(where: str, what: str) -> TerminalError:
    return TerminalError(Reason.INVALID_ENVIRONMENT, f"{where} is not an environment document: {what}.")


_REPORTS: Final = TypeAdapter(list[CollectorReport])
_SCALARS: Final = (
    ("bool", r"true|True|TRUE|false|False|FALSE", (*"tTfF",)),
    ("null", r"~|null|Null|NULL|", (*"~nN", "")),
    ("int", r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|0|[1-9][0-9_]*)", (*"-+0123456789",)),
    (
        "float",
        r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        (*"-+0123456789.",),
    ),
)
"""What Go's yaml.v3 takes for something else than text, when it is not in quotes. PyYAML's own rules are YAML 1.1's: it
would read `on` as true and `1e3` as text."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # as fast as it can be had
    """Reads as yaml.v3 does."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quotes whatever either reader would not take for text."""


def _integer(loader: Any, node: yaml.ScalarNode) -> int | float:
    """Go takes `010` for octal; what is beyond 64 bits becomes a float there."""
    text = loader.construct_scalar(node).replace("_", "")
    digits = text.lstrip("+-")
    base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2].lower(), 8 if digits[:1] == "0" else 10)
    number = int(text, base) if base in (2, 10, 16) or digits[1:2].lower() == "o" else int(text, 8)
    return number if -(1 << 63) <= number < 1 << 64 else float(number)


def _real(loader: Any, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node).replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


for _name, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})\\Z"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _real)
