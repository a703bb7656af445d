"""A snapshot document as AICR's readers read it, without any of our code: the first measurement of each type, flat
scalars, unknown fields ignored, and text only where Go's yaml.v3 finds text."""

import json
import re
from typing import Any

import yaml

Read = dict[str, dict[str, dict[str, Any]]]
"""Values by type, subtype and key."""

WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
NOTHING = {"", "~", "null", "Null", "NULL"}
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
OTHER_NUMBER = re.compile(r"[-+]?(0[xXbBoO]?[0-9a-fA-F_]+|[0-9][0-9_]*|\.inf|\.Inf|\.INF|\.nan|\.NaN|\.NAN)")


def read_json(content: bytes) -> tuple[dict[str, str], Read]:
    """Metadata and values."""
    return _read(json.loads(content))


def read_yaml(content: bytes) -> tuple[dict[str, str], Read]:
    """Metadata and values."""
    root = yaml.compose(content, Loader=yaml.SafeLoader)
    assert root is not None
    return _read(_value(root))


def _read(document: dict[str, Any]) -> tuple[dict[str, str], Read]:
    read: Read = {}
    for measurement in document["measurements"]:
        if measurement["type"] not in read:
            read[measurement["type"]] = {each["subtype"]: each["data"] for each in measurement.get("subtypes") or []}
    for subtypes in read.values():
        for data in subtypes.values():
            assert all(isinstance(value, str | int | float | bool) for value in data.values()), "flat scalars"
    assert all(isinstance(value, str) for value in document["metadata"].values())
    return document["metadata"], read


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {_value(key): _value(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(each) for each in node.value]
    assert isinstance(node, yaml.ScalarNode)
    return node.value if node.style else _plain(node.value)


def _plain(text: str) -> Any:
    """What is not in quotes."""
    if text in WORDS:
        return WORDS[text]
    if text in NOTHING:
        return None
    if INTEGER.fullmatch(text):
        return int(text)
    if NUMBER.fullmatch(text):
        return float(text)
    assert not OTHER_NUMBER.fullmatch(text), f"{text} is a number in some form that we do not write"
    return text
