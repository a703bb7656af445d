"""How long a person waits for the first view of a large archive in a browser, and whether its page keeps up."""

import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

from bench.sidebyside import ROUNDS
from kai_snapshot.runs.look import InFile
from support.browser import Tab, browser
from support.clusters import Kind, snapshot
from support.served import served
from support.simulated import write

NODES = 1000
FIRST_VIEW_SECONDS = 2
LONGEST_TASK_MS = 50
"""From there on browsers call it a long task: people notice."""


@dataclass(frozen=True)
class Measured:
    """Medians in seconds, and the longest task of all rounds in milliseconds."""

    first: float
    again: float
    longest: float
    browser: str

    def __str__(self) -> str:
        return f"{self.browser}; the same page again: {self.again:.2f} s"


def measure(directory: Path) -> Measured:
    """Of a made-up cluster: each round a server that has not seen it yet."""
    path = write(snapshot(Kind(nodes=NODES), 1), directory / "large.zip")
    chromium = shutil.which("chromium")
    assert chromium is not None, "run `make bench`, which installs it first"
    first, again, longest = [], [], [0.0]
    with browser(Path(chromium)) as started:
        product = str(started.send("Browser.getVersion")["product"])
        for _ in range(ROUNDS):
            tab = started.tab()
            with served(InFile(path)) as site:
                first.append(tab.open(f"{site.url}/"))
                longest += scrolling(tab)
                again.append(tab.open(f"{site.url}/"))
            tab.close()
    return Measured(statistics.median(first), statistics.median(again), max(longest), product)


def scrolling(tab: Tab) -> list[float]:
    """The long tasks of a page while one scrolls to its end, in milliseconds."""
    tab.tell("longTasks.length = 0")
    for _ in range(10):
        tab.send("Input.synthesizeScrollGesture", x=600, y=500, yDistance=-800, speed=4000)
    assert tab.tell("scrollY") > 1000
    return [float(each) for each in tab.tell("longTasks")]
