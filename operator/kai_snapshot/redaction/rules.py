"""What becomes of one value. Each rule takes the value as JSON has it; what it does not know, it replaces or drops."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from kai_snapshot.archive.clock import TIME as RFC3339
from kai_snapshot.redaction import words
from kai_snapshot.redaction.pseudonyms import Pseudonyms


class _Dropped:
    """Stands for a value that is left out."""


DROPPED: Final = _Dropped()
_MOST_KNOWN, _LARGEST_KNOWN = 1 << 11, 1 << 12
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_QUANTITY: Final = re.compile(
    r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3}|[numkKMGTPE]i?)?"
)


class Rules:
    """The rules, with what they need to know."""

    def __init__(self, names: Pseudonyms, numbered: frozenset[str] = frozenset(), queue_label: object = None) -> None:
        """`numbered`: the keys of labels and taints whose values pods compare as numbers. `queue_label`: the key under
        which the scheduler reads names of queues, where it has one of its own."""
        self.names = names
        self.dropped: Counter[str] = Counter()
        """What was left out because it is not known, by where it stood."""
        self.numbered = numbered
        self.queue_labels = (words.QUEUE_LABEL, queue_label)
        self.known: dict[tuple[int, bytes], orjson.Fragment] = {}
        """What became of parts that many objects have in common, by their rule."""


Leaf = Callable[[Rules, Any], object]


def gone(rules: Rules, value: object) -> object:
    """Nothing is decided on it."""
    del rules, value
    return DROPPED


def verbatim(rules: Rules, value: object) -> object:
    """What the decisions of DRA read as it stands: names and values of devices, and expressions on them."""
    del rules
    return value


def number(rules: Rules, value: object) -> object:
    """A number, or true or false."""
    del rules
    return value if isinstance(value, int | float) else DROPPED


def text(rules: Rules, value: object) -> object:
    """A text that nothing but equality matters of."""
    return rules.names.text(value) if isinstance(value, str) else DROPPED


def name(rules: Rules, value: object) -> object:
    """The name or namespace of an object, or a reference to one."""
    return rules.names.name(value) if isinstance(value, str) else DROPPED


def uid(rules: Rules, value: object) -> object:
    """The UID of an object, or a reference to it."""
    return rules.names.uid(value) if isinstance(value, str) else DROPPED


def part(rules: Rules, value: object) -> object:
    """The name of a subgroup, which pods have in a label."""
    return rules.names.label(value) if isinstance(value, str) else DROPPED


def parent(rules: Rules, value: object) -> object:
    """The same, where KAI looks it up in lower case."""
    return part(rules, value.lower() if isinstance(value, str) else value)


def one_of(*known: str) -> Leaf:
    """A word of a closed list; another one is replaced."""
    return matching(re.compile("|".join(map(re.escape, known))))


def matching(pattern: re.Pattern[str]) -> Leaf:
    """A text of a form that says nothing of whose it is, or a number; another text is replaced."""

    def leaf(rules: Rules, value: object) -> object:
        if not isinstance(value, str):
            return number(rules, value)
        return value if value == "" or pattern.fullmatch(value) else rules.names.text(value)

    return leaf


time = matching(RFC3339)
quantity = matching(_QUANTITY)
duration = matching(words.DURATION)
integer = matching(_INTEGER)
decimal = matching(words.NUMBER)


def members(rules: Rules, known: Mapping[str, Leaf], value: Mapping[str, object], where: str) -> dict[str, object]:
    """An object, by the rules of its members. What has none is left out, and that is noted."""
    made = {}
    for of, said in value.items():
        rule = known.get(of)
        if rule is None:
            rules.dropped[f"{where}.{of}"] += 1
        elif (new := None if said is None else rule(rules, said)) is not DROPPED:
            made[of] = new
    return made


def common(rule: Leaf) -> Leaf:
    """The same rule, for a part that is alike in many objects: what became of it is remembered as text."""

    def leaf(rules: Rules, value: Any) -> object:
        key = id(leaf), orjson.dumps(value)
        if (known := rules.known.get(key)) is not None:
            return known
        made = rule(rules, value)
        if made is DROPPED or len(key[1]) > _LARGEST_KNOWN:
            return made
        if len(rules.known) >= _MOST_KNOWN:
            rules.known.clear()
        text = rules.known[key] = orjson.Fragment(orjson.dumps(made))
        return text

    return leaf


def elements(rules: Rules, rule: Leaf, value: object) -> object:
    """A list."""
    if not isinstance(value, list):
        return DROPPED
    made = [rule(rules, each) for each in value]
    return [each for each in made if each is not DROPPED]
