"""What a change of a CustomResourceDefinition takes away: an object that was allowed, or a field that was kept."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
WORDS = {"description", "title"}
LOWER_ALLOWS_MORE = {"minimum", "minLength", "minItems", "minProperties"}
HIGHER_ALLOWS_MORE = {"maximum", "maxLength", "maxItems", "maxProperties"}
RULES = "x-kubernetes-validations"
INSIDE = {"properties", "items", "additionalProperties"}


def lost(old: Schema, new: Schema) -> list[str]:
    """Each thing that the definition `old` had and `new` has not, with its path; rules are not compared."""
    versions = {each["name"]: each for each in new["spec"]["versions"]}
    found = [f"{what} is another" for what in ("group", "scope") if old["spec"][what] != new["spec"][what]]
    for was in old["spec"]["versions"]:
        is_ = versions.get(was["name"])
        if is_ is None or not is_["served"]:
            found.append(f"{was['name']} is not served")
            continue
        if was["storage"] and not is_["storage"]:
            found.append(f"{was['name']} is not what is stored: objects of it need a migration")
        found += (f"the name {name} is gone" for name in _names(old) - _names(new))
        columns = {each["name"] for each in is_.get("additionalPrinterColumns", ())}
        found += (
            f"the column {each['name']} is gone"
            for each in was.get("additionalPrinterColumns", ())
            if each["name"] not in columns
        )
        found += narrowed(was["schema"]["openAPIV3Schema"], is_["schema"]["openAPIV3Schema"])
    return found


def _names(definition: Schema) -> set[str]:
    names = definition["spec"]["names"]
    return {names["kind"], names["plural"], names["singular"], *names["shortNames"], *names["categories"]}


def narrowed(old: Schema, new: Schema, path: str = "") -> Iterator[str]:
    """The same of a schema."""
    for word in sorted((old.keys() | new.keys()) - WORDS - INSIDE - {RULES, "required"}):
        if word not in old or word not in new or old[word] != new[word]:
            yield from _changed(word, old.get(word), new.get(word), path)
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        if "default" not in new["properties"][name]:
            yield f"{path}.{name} is required"
    for name, part in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from narrowed(part, new["properties"][name], f"{path}.{name}")
        else:
            yield f"{path}.{name} is gone"
    for word in ("items", "additionalProperties"):
        if isinstance(old.get(word), dict):
            if isinstance(new.get(word), dict):
                yield from narrowed(old[word], new[word], f"{path}[]")
            else:
                yield f"{path}[] is gone"


def _changed(word: str, old: Any, new: Any, path: str) -> Iterator[str]:
    if word == "enum" and (new is None or (old is not None and set(old) <= set(new))):
        return
    if word in LOWER_ALLOWS_MORE and (new is None or (old is not None and new < old)):
        return
    if word in HIGHER_ALLOWS_MORE and (new is None or (old is not None and new > old)):
        return
    if word == "pattern" and new is None:
        return
    yield f"{path}: {word} was {old!r} and is {new!r}"


def closed(schema: Schema, path: str = "") -> Iterator[str]:
    """Where a schema lists the words a string may be: a status that does could not be written by a newer operator."""
    if "enum" in schema:
        yield path
    for name, part in schema.get("properties", {}).items():
        yield from closed(part, f"{path}.{name}")
    for part in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            yield from closed(part, f"{path}[]")


def rules(schema: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of each rule."""
    for each in schema.get(RULES, ()):
        yield path, each["rule"]
    for name, part in schema.get("properties", {}).items():
        yield from rules(part, f"{path}.{name}")
    for part in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            yield from rules(part, f"{path}[]")
