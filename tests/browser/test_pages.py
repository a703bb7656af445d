"""What people see, and do with it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kai_snapshot.runs.look import InFile, Stored
from kai_snapshot.stores.memory import MemoryStore
from kai_snapshot.web.report import report
from support import clusters
from support.browser import Tab
from support.eventually import eventually
from support.served import Given, Site, served
from support.simulated import CORPUS, write
from support.stored import FIRST, keep
from support.viewed import job, node, pod, queue, views, views_of

PAGES = ("/", "/?by=job", "/queues", "/jobs", "/jobs?status=Pending", "/nodes", "/archives", "/queues?snapshot=none")
FULL = CORPUS / "18-gang+fraction+cpu+selector+taint+running+overq+prio+limit+elastic+three" / "snapshot.zip"
HOSTILE = ("<script>alert(1)</script>", "a" * 63, "\u202egnp.exe", "שלום", '"><img src=x onerror=alert(1)>')


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served(InFile(FULL)) as site:
        yield site


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A thousand nodes."""
    path = tmp_path_factory.mktemp("large") / "snapshot.zip"
    write(clusters.snapshot(clusters.Kind(nodes=1000), 1), path)
    with served(InFile(path)) as site:
        yield site


def told(tab: Tab) -> str:
    return str(tab.tell("document.getElementById('told').textContent"))


def serious(tab: Tab, axe: str) -> list[str]:
    """What axe-core finds that keeps somebody out."""
    tab.tell(axe + "; 1")
    found: list[Any] = tab.tell("axe.run().then((result) => result.violations)")
    return [
        f"{each['id']}: {', '.join(str(part['target']) for part in each['nodes'][:3])}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_shown_without_complaints(tab: Tab, site: Site, path: str) -> None:
    tab.open(site.url + path)
    expected = ["404"] if "none" in path else []
    assert [each for each in tab.complaints() if not expected or "404" not in each] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_nobody_is_kept_out(tab: Tab, site: Site, axe: str, path: str, scheme: str) -> None:
    tab.media(prefers_color_scheme=scheme)
    tab.open(site.url + path)
    assert serious(tab, axe) == []


def test_the_arrow_keys_tell_what_is_on_each_gpu(tab: Tab, site: Site) -> None:
    tab.open(site.url + "/")
    tab.tell("document.getElementById('map').focus()")
    eventually(lambda: "GPU 0: " in told(tab), timeout=10, interval=0.05)
    assert "a100-0001" in told(tab)
    tab.press("ArrowRight")
    eventually(lambda: "GPU 1: " in told(tab), timeout=10, interval=0.05)
    tab.press("End")
    eventually(lambda: "l40s-0008" in told(tab), timeout=10, interval=0.05)
    tab.press("Home")
    eventually(lambda: "a100-0001" in told(tab), timeout=10, interval=0.05)
    tab.press("ArrowDown")
    eventually(lambda: "a100-0001" not in told(tab), timeout=10, interval=0.05)
    assert tab.complaints() == []


def test_the_pointer_tells_the_same(tab: Tab, site: Site) -> None:
    tab.open(site.url + "/")
    box = tab.tell("(({x, y, width}) => [x, y, width])(document.querySelector('#map svg').getBoundingClientRect())")
    scale = box[2] / tab.tell("document.querySelector('#map svg').viewBox.baseVal.width")
    for attempt in ("mouseMoved", "mouseMoved"):
        tab.send("Input.dispatchMouseEvent", type=attempt, x=box[0] + 20 * scale, y=box[1] + 20 * scale)
    eventually(lambda: "GPU 1: " in told(tab), timeout=10, interval=0.05)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text(tab: Tab, name: str) -> None:
    found = views(
        nodes=[node(name)],
        queues=[queue(name)],
        podGroups=[job(name, name, namespace=name)],
        pods=[pod(name, name, gpus=1, job=name, namespace=name)],
    )
    with served(Given(found)) as site:
        for path in ("/queues", "/jobs", "/nodes"):
            tab.open(site.url + path)
            shown = tab.tell("[...document.querySelectorAll('main bdi')].map((each) => each.textContent)")
            assert any(name in each for each in shown)
            assert tab.tell("document.documentElement.scrollWidth <= innerWidth")
        tab.open(site.url + "/")
        tab.tell("document.getElementById('map').focus()")
        eventually(lambda: name in told(tab), timeout=10, interval=0.05)
        assert tab.tell("document.querySelectorAll('script').length") == 1
    assert tab.complaints() == []


def test_a_thousand_nodes_are_there_at_once_and_scroll_smoothly(tab: Tab, large: Site) -> None:
    taken = tab.open(large.url + "/")
    assert taken < 2
    tab.tell("longTasks.length = 0")
    for _ in range(10):
        tab.send("Input.synthesizeScrollGesture", x=600, y=500, yDistance=-800, speed=4000)
    assert tab.tell("scrollY") > 1000
    assert tab.tell("longTasks") == []


def test_one_steps_through_time_and_sees_where_it_goes(tab: Tab, axe: str) -> None:
    store = MemoryStore()
    for hour, case in enumerate(("10", "11", "18")):
        keep(store, case, FIRST + timedelta(hours=hour))
    with served(Stored(store)) as site:
        tab.open(site.url + "/?by=job")
        shown = [str(tab.tell("document.querySelector('.figures dd').textContent")).split()]
        for _ in range(2):
            tab.follow("document.querySelector('.steps [rel=prev]')")
            shown.append(str(tab.tell("document.querySelector('.figures dd').textContent")).split())
        assert [each[0] for each in shown] == ["10", "21", "14"]
        tab.open(site.url + "/archives")
        tab.follow("document.querySelector('button.compute')")
        assert "All 3" in str(tab.tell("document.querySelector('output').textContent"))
        cells = "[...document.querySelectorAll('[data-value=allocatedGPUs]')].map((each) => each.textContent)"
        assert tab.tell(cells) == ["43", "153", "70"]
        assert str(tab.tell("document.querySelector('[data-series=pending] path').getAttribute('d')")).count("L") == 2
        assert serious(tab, axe) == []
    assert tab.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_does_the_same_without_a_server(tab: Tab, axe: str, tmp_path: Path, scheme: str) -> None:
    (tmp_path / "report.html").write_text(report(views_of(FULL)))
    tab.media(prefers_color_scheme=scheme)
    tab.open((tmp_path / "report.html").as_uri())
    tab.tell("document.getElementById('map').focus()")
    eventually(lambda: "GPU 0: " in told(tab), timeout=10, interval=0.05)
    tab.press("ArrowRight")
    eventually(lambda: "GPU 1: " in told(tab), timeout=10, interval=0.05)
    assert tab.complaints() == []
    assert serious(tab, axe) == []


@pytest.mark.parametrize("path", ["/", "/queues", "/jobs"])
def test_on_paper_there_is_what_matters_only(tab: Tab, site: Site, path: str) -> None:
    tab.media("print")
    tab.open(site.url + path)
    assert tab.tell("getComputedStyle(document.querySelector('header nav')).display") == "none"
    assert tab.tell("getComputedStyle(document.querySelector('h1')).display") == "block"
    assert len(tab.send("Page.printToPDF")["data"]) > 1000
