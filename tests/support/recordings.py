"""What the real tools made of the archives of the corpus, as an independent reader took it from their logs."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from stage.images import CORPUS
from support.objects import Object


def recorded(archive: str, version: str) -> Object:
    """What that version made of it, where there is one recording."""
    assert samples(archive, version) == 1, f"{version} has made several things of {archive}"
    return dict(json.loads((CORPUS / archive / f"{version}.expected.json").read_text()))


def samples(archive: str, version: str) -> int:
    """How many recordings there are of that version: the tool is not a function of its input."""
    name = re.compile(rf"{re.escape(version)}(\.\d+)?\.stderr\.gz")
    return sum(name.fullmatch(file.name) is not None for file in (CORPUS / archive).iterdir())


def content(archive: str) -> bytes:
    """The archive itself."""
    return (CORPUS / archive / "snapshot.zip").read_bytes()


def log(archive: str, version: str) -> Path:
    """What the tool of that version wrote to stderr, gzip."""
    return CORPUS / archive / f"{version}.stderr.gz"


def differing(a: Object, b: Object) -> dict[str, set[str]]:
    """Pods and jobs that are not the same in both, by what a status calls them."""
    return {
        "placements": _unequal(a["bound"], b["bound"]),
        "evictions": set(a["evicted"]) ^ set(b["evicted"]),
        "pipelined": set(a["pipelined"]) ^ set(b["pipelined"]),
        "jobOutcomes": _unequal(a["jobs"], b["jobs"]),
    }


def counts(differences: Iterable[dict[str, set[str]]]) -> dict[str, int]:
    """How many there are of each, over many archives."""
    total = dict.fromkeys(("placements", "evictions", "pipelined", "jobOutcomes"), 0)
    for each in differences:
        for what, names in each.items():
            total[what] += len(names)
    return total


def _unequal(a: Object, b: Object) -> set[str]:
    return {name for name in a.keys() | b.keys() if a.get(name) != b.get(name)}
