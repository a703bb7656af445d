"""Objects of our kinds as the API server would let them in: each field within its bounds, many at the edge."""

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from kai_snapshot.api import crd
from support.fuzz import HOSTILE_TEXT

Schema = dict[str, Any]
Object = dict[str, Any]
LONGEST = 300
"""Of a text without a bound: the API server takes a megabyte, which says nothing more."""


def schema(plural: str) -> Schema:
    """Of a kind's objects, as its CustomResourceDefinition has it."""
    definition = crd.definitions()[f"kai-snapshot.io_{plural}.yaml"]
    found: Schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def values(of: Schema) -> st.SearchStrategy[Any]:
    """What that schema allows, with the rules of CEL about which fields there are."""
    rules = {each["rule"] for each in of.get("x-kubernetes-validations", ())}
    for rule in rules:
        if found := EITHER.fullmatch(rule):
            return st.one_of(*(_values(_with(of, one, other)) for one, other in (found.groups(), found.groups()[::-1])))
    fix = next((fix for rule, fix in FIXES.items() if rule in rules), None)
    return _values(of) if fix is None else _values(of).map(fix)


EITHER = re.compile(r"has\(self\.(\w+)\) != has\(self\.(\w+)\)")


def _with(of: Schema, one: str, other: str) -> Schema:
    """With `one` of two fields, of which there is exactly one."""
    fields = {name: part for name, part in of["properties"].items() if name != other}
    return {**of, "properties": fields, "required": [*of.get("required", ()), one]}


def _selected(reference: Object) -> Object:
    """A captureRef with what its `select` needs, and no more."""
    needed = {"AsOf": {"asOf"}, "ID": {"id"}, "Last": {"last"}, "Range": {"from", "to"}}
    wanted = needed.get(reference.get("select", "Latest"), set())
    kept = {key: value for key, value in reference.items() if key in {"name", "select"} | wanted}
    if not wanted <= kept.keys() or kept.get("from", "") > kept.get("to", "~"):
        return {"name": reference["name"]}
    return kept


def _engine(spec: Object) -> Object:
    """A replay's spec with versions for the tool, and none for the Simulator."""
    if "versions" in spec and spec.get("engine") != "Simulator":
        known = spec.get("baseline") in {version["name"] for version in spec["versions"]}
        return spec if known else {key: value for key, value in spec.items() if key != "baseline"}
    dropped = ("versions", "baseline", "profile", "expectations")
    return {key: value for key, value in spec.items() if key not in dropped} | {"engine": "Simulator"}


FIXES: dict[str, Callable[[Object], Object]] = {
    "(self.select == 'ID') == has(self.id)": _selected,
    "self.engine == 'Simulator' || has(self.versions)": _engine,
}
"""By a rule of those that they see to."""


def _values(of: Schema) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one for each type
    if "enum" in of:
        return st.sampled_from(of["enum"])
    if of.get("x-kubernetes-int-or-string"):
        return st.one_of(st.integers(-(2**31), 2**31 - 1), st.sampled_from(HOSTILE_TEXT), st.just("1Gi"))
    match of.get("type"):
        case "object" if "properties" in of:
            required = {name: values(part) for name, part in of["properties"].items() if name in of.get("required", ())}
            optional = {name: values(part) for name, part in of["properties"].items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "object":
            inner = of.get("additionalProperties")
            most = min(of.get("maxProperties", 3), 3)
            return st.dictionaries(
                texts({}), values(inner) if isinstance(inner, dict) else st.integers(), max_size=most
            )
        case "array":
            least = of.get("minItems", 0)
            return st.lists(values(of["items"]), min_size=least, max_size=max(least, min(of.get("maxItems", 3), 3)))
        case "integer":
            low, high = of.get("minimum", -(2**31)), of.get("maximum", 2**31 - 1)
            return st.one_of(st.sampled_from([low, high]), st.integers(low, high))
        case "number":
            return st.floats(of.get("minimum"), of.get("maximum"), allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "string":
            return texts(of)
    return st.one_of(st.none(), st.sampled_from(HOSTILE_TEXT), st.lists(st.integers(), max_size=2))


def texts(of: Schema) -> st.SearchStrategy[str]:
    """Strings: by their pattern, or hostile ones; of all lengths that are allowed."""
    least, most = of.get("minLength", 0), of.get("maxLength", LONGEST)

    def fits(text: str) -> bool:
        return least <= len(text) <= most and "\n" not in text if "pattern" in of else least <= len(text) <= most

    if of.get("format") == "date-time":
        return st.sampled_from(["0001-01-01T00:00:00Z", "2026-11-22T10:00:00Z", "9999-12-31T23:59:59Z"])
    if "pattern" in of:
        longest = st.sampled_from(["a" * most, "0" * most]).filter(lambda text: _matches(of["pattern"], text))
        return st.one_of(st.from_regex(re.compile(of["pattern"]), fullmatch=True).filter(fits), longest)
    hostile = [text for text in HOSTILE_TEXT if fits(text)] or ["x" * least]
    return st.one_of(st.sampled_from([*hostile, "x" * most]), st.text(min_size=least, max_size=min(most, 40)))


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None
