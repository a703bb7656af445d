"""docs/chaos.md, as the run of test_chaos_*.py writes it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

HEAD = """# What was broken, and what came of it

Written by `make chaos`. After each trouble it is checked that no run is lost or doubled, that each archive has its
manifest and the SHA-256 which that says, that each result and log is whole and where the status says, that Jobs and
Secrets go, and that what the status says is so.
"""
STEPS = """
## At every step, on a cluster

A story is played again and again. Its first write meets the trouble, then its second, and so on until it comes to its
end without. What is written are objects of the API server and of the storage, by the operator or by its children; the
Lease is not counted. *Killed*: operator and children, once the write is done. *Refused*: the write is answered with
409, 429, 500 and 503 in turn, and not done. Every status that any object has meanwhile is checked, and that nothing is
left in the spool directory.
"""
EVERY = """
## At every write, in one process

Stories that are played so fast that the operator can die at every write, and at every two writes one after the other.
All that the operator and its children decide and store is real; API server, kubelet and scheduler are played. A number
is at how many places, or pairs of places, the trouble came. All came to the same end, but for an environment whose
deadline the clock jumped over: it ends with `DeadlineExceeded`, and the archive is as good as it is.
"""
AWAY = """
## What went away

"""


@dataclass
class Told:
    """What the tests of chaos tell."""

    steps: list[tuple[str, str, Sequence[str]]] = field(default_factory=list)
    """The story, the trouble, and the writes that met it."""
    every: list[tuple[str, str, int]] = field(default_factory=list)
    """The story, the trouble, and at how many places it came, in one process."""
    away: list[tuple[str, str, float]] = field(default_factory=list)
    """What went away, what came of it, seconds until all was well."""


def page(told: Told) -> str:
    """The page: what there is to tell."""
    sections = ((EVERY, told.every, _every), (STEPS, told.steps, _steps), (AWAY, told.away, _away))
    parts = [HEAD.strip()]
    for text, found, lines in sections:
        if found:
            parts += [text.strip(), "\n".join(lines(told)).strip()]
    return "\n\n".join(parts) + "\n"


def _every(told: Told) -> Iterator[str]:
    troubles = list(dict.fromkeys(trouble for _, trouble, _ in told.every))
    counted = {(story, trouble): places for story, trouble, places in told.every}
    yield f"| story | {' | '.join(troubles)} |"
    yield f"|---|{'---:|' * len(troubles)}"
    for story in dict.fromkeys(story for story, _, _ in told.every):
        yield f"| {story} | {' | '.join(str(counted.get((story, trouble), '')) for trouble in troubles)} |"


def _steps(told: Told) -> Iterator[str]:
    yield "| story | trouble | steps | all came to the same end |"
    yield "|---|---|---:|---|"
    for story, trouble, writes in told.steps:
        yield f"| {story} | {trouble} | {len(writes)} | yes |"
    yield ""
    for story, trouble, writes in told.steps:
        if trouble == "killed":
            yield f"The steps of *{story}*, by what was written: {', '.join(writes)}."
            yield ""


def _away(told: Told) -> Iterator[str]:
    yield "| trouble | what came of it | all well after, s |"
    yield "|---|---|---:|"
    for trouble, end, seconds in told.away:
        yield f"| {trouble} | {end} | {seconds:.0f} |"
