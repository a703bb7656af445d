"""Differences in words."""

from collections.abc import Mapping
from itertools import chain, zip_longest
from typing import Final

from kai_snapshot.api.comparisondocument import BesideBaseline, Difference
from kai_snapshot.compare.difference import Kind

MOST: Final = 3
_ABSENT: Final[Mapping[Kind, str]] = {"placements": "nowhere", "job_outcomes": "not tried"}
_VERBS: Final[Mapping[Kind, str]] = {"evictions": "evicted", "pipelined": "pipelined"}
_ORDER: Final[tuple[Kind, ...]] = ("evictions", "placements", "job_outcomes", "pipelined")
"""What follows from others comes last."""


def examples(beside: BesideBaseline, baseline: str, version: str) -> tuple[str, ...]:
    """Three sentences at the most, of different kinds if there are: `ns/pod: node-1 -> node-2`."""
    sentences = [
        [_sentence(kind, each, baseline, version) for each in getattr(beside, kind).differing[:MOST]] for kind in _ORDER
    ]
    return tuple(each for each in chain.from_iterable(zip_longest(*sentences)) if each is not None)[:MOST]


def _sentence(kind: Kind, difference: Difference, baseline: str, version: str) -> str:
    """`ns/pod: node-1 -> node-2`, `ns/pod evicted only at v0.17.0`."""
    if kind in _VERBS:
        return f"{difference.name} {_VERBS[kind]} only at {version if difference.version else baseline}"
    return f"{difference.name}: {_told(kind, difference.baseline)} -> {_told(kind, difference.version)}"


def _told(kind: Kind, counts: Mapping[str, int]) -> str:
    """The most frequent first."""
    return " or ".join(sorted(counts, key=lambda value: (-counts[value], value))) or _ABSENT[kind]
