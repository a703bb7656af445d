"""Writes the screenshots that are in the docs: `make screenshots`.

The archives are those of the corpus, as if one capture had taken them hour by hour.
"""

import shutil
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from kai_snapshot.api.ids import run_id
from kai_snapshot.runs.look import Place, Stored
from kai_snapshot.stores.layout import CaptureFolder
from kai_snapshot.stores.memory import MemoryStore
from support.browser import Tab, browser
from support.eventually import eventually
from support.replayed import NAME, VERSIONS, replayed
from support.served import served
from support.stored import FIRST, keep

CASES = ("01", "04", "10", "14", "11", "16", "13", "18", "15")
CAPTURE = CaptureFolder("kai-snapshots", "hourly")
WIDTH = 1300


@dataclass(frozen=True)
class Shot:
    """A page, and how it is looked at."""

    name: str
    path: str
    dark: bool = False
    before: str = ""
    """Something to do first, in JavaScript."""
    until: str = "true"
    """And when that is done."""
    height: int = 800
    """As much as there is of it, at most so much."""


SNAPSHOT, REPLAYED = (run_id(FIRST + timedelta(hours=CASES.index(case))) for case in ("18", "14"))
SHOTS = (
    Shot(
        "cluster",
        f"/?snapshot={SNAPSHOT}",
        before="document.getElementById('map').focus()",
        until="document.getElementById('told').textContent !== ''",
    ),
    Shot("cluster-by-job", f"/?snapshot={SNAPSHOT}&by=job", dark=True),
    Shot("queues", f"/queues?snapshot={SNAPSHOT}"),
    Shot("jobs", f"/jobs?snapshot={SNAPSHOT}&status=Pending&why=simulated"),
    Shot("nodes", f"/nodes?snapshot={SNAPSHOT}", dark=True),
    Shot("replay", f"/replay?snapshot={REPLAYED}&replay={NAME}", height=1100),
    Shot("diff", f"/diff?snapshot={SNAPSHOT}"),
    Shot("archives", "/archives?computed=yes", height=1000),
)


def main(directory: Path) -> None:
    """Writes all of them."""
    directory.mkdir(exist_ok=True)
    chromium = shutil.which("chromium")
    assert chromium is not None, "run `make screenshots`, which installs it first"
    with browser(Path(chromium)) as started, served(place()) as site:
        for shot in SHOTS:
            (directory / f"{shot.name}.webp").write_bytes(taken(shot, started.tab(), site.url))


def place() -> Place:
    """Archives of some hours."""
    store = MemoryStore()
    for hour, case in enumerate(CASES):
        key = keep(store, case, FIRST + timedelta(hours=hour), CAPTURE)
        if case == "14":
            replayed(store, key, "14-gang+elastic+running+prio", names=VERSIONS)
    return Stored(store)


def taken(shot: Shot, tab: Tab, url: str) -> bytes:
    """The page down to its end, if that is not too far."""
    tab.media(prefers_color_scheme="dark" if shot.dark else "light")
    tab.size(WIDTH, shot.height, scale=1.5)
    tab.send("Emulation.setScrollbarsHidden", hidden=True)
    tab.open(url + shot.path)
    tab.tell(shot.before or "true")
    eventually(lambda: tab.tell(shot.until), timeout=120, interval=0.1, what=shot.name)
    height = min(tab.tell("document.body.offsetHeight"), shot.height)
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
    picture = tab.screenshot(format="webp", quality=75, clip=clip)
    tab.close()
    return picture


if __name__ == "__main__":
    main(Path(sys.argv[1]))
