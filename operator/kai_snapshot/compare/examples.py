"""Differences in words."""

from collections.abc import Mapping
from itertools import chain, islice, zip_longest
from typing import Final

from kai_snapshot.api.comparisondocument import BesideBaseline, Difference
from kai_snapshot.api.conditions import shorten
from kai_snapshot.compare.difference import Kind

MOST: Final = 3
_TOLD: Final = 2
"""Values of one side that are named; and a third, if there is only one more."""
_ABSENT: Final[Mapping[Kind, str]] = {"placements": "nowhere", "job_outcomes": "not tried"}
_VERBS: Final[Mapping[Kind, str]] = {"evictions": "evicted", "pipelined": "pipelined"}
_ORDER: Final[tuple[Kind, ...]] = ("evictions", "placements", "job_outcomes", "pipelined")
"""What follows from others comes last."""


def examples(beside: BesideBaseline, baseline: str, version: str) -> tuple[str, ...]:
    """Three sentences at the most, of different kinds if there are: `ns/pod: node-1 -> node-2`."""
    sentences = [
        [_sentence(kind, each, baseline, version) for each in getattr(beside, kind).differing[:MOST]] for kind in _ORDER
    ]
    found = (each for each in chain.from_iterable(zip_longest(*sentences)) if each is not None)
    return tuple(map(shorten, islice(found, MOST)))


def _sentence(kind: Kind, difference: Difference, baseline: str, version: str) -> str:
    """`ns/pod: node-1 -> node-2`, `ns/pod evicted only at v0.17.0`."""
    if kind in _VERBS:
        return f"{difference.name} {_VERBS[kind]} only at {version if difference.version else baseline}"
    return f"{difference.name}: {_told(kind, difference.baseline)} -> {_told(kind, difference.version)}"


def _told(kind: Kind, counts: Mapping[str, int]) -> str:
    """The most frequent first: `node-1 or node-2 or 18 others`."""
    values = sorted(counts, key=lambda value: (-counts[value], value))
    if len(values) > _TOLD + 1:
        values = [*values[:_TOLD], f"{len(values) - _TOLD} others"]
    return " or ".join(values) or _ABSENT[kind]
