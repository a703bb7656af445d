"""What people see, and do with it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kai_snapshot.api.visualizer import Source
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.runs.look import InFile, Stored
from kai_snapshot.stores.memory import MemoryStore
from kai_snapshot.web.report import report
from support import clusters
from support.browser import Tab
from support.eventually import eventually
from support.people import HOSTILE, serious, told, until_told
from support.served import Given, Site, served
from support.simulated import CORPUS, write
from support.stored import FIRST, keep
from support.viewed import NOW, job, node, pod, queue, views, views_of

PAGES = ("/", "/?by=job", "/queues", "/jobs", "/jobs?status=Pending", "/nodes", "/archives", "/queues?snapshot=none")
FULL = CORPUS / "18-gang+fraction+cpu+selector+taint+running+overq+prio+limit+elastic+three" / "snapshot.zip"


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
    until_told(tab, "GPU 0: ")
    assert "a100-0001" in told(tab)
    tab.press("ArrowRight")
    until_told(tab, "GPU 1: ")
    tab.press("End")
    until_told(tab, "l40s-0008")
    tab.press("Home")
    until_told(tab, "a100-0001")
    tab.press("ArrowDown")
    until_told(tab, "h100-0006")
    assert tab.complaints() == []


def test_the_pointer_tells_the_same(tab: Tab, site: Site) -> None:
    tab.open(site.url + "/")
    box = tab.tell("(({x, y, width}) => [x, y, width])(document.querySelector('#map svg').getBoundingClientRect())")
    scale = box[2] / tab.tell("document.querySelector('#map svg').viewBox.baseVal.width")
    for attempt in ("mouseMoved", "mouseMoved"):
        tab.send("Input.dispatchMouseEvent", type=attempt, x=box[0] + 20 * scale, y=box[1] + 20 * scale)
    until_told(tab, "GPU 1: ")


def test_the_map_of_the_live_scheduler_tells_of_what_it_shows_and_not_of_what_came_later(tab: Tab) -> None:
    source = Source(kind="live", captured_at=NOW, sha256="a" * 64)
    then = replace(views(nodes=[node("then")]), source=source)
    now = replace(views(nodes=[node("now")]), source=source.model_copy(update={"sha256": "b" * 64}))
    place = Given(then)
    with served(place) as site:
        tab.open(site.url + "/")
        eventually(lambda: len(place.wanted) == 2, timeout=10, interval=0.1)  # the page, and what its map tells
        place.answers[:] = [now]
        tab.tell("document.getElementById('map').focus()")
        until_told(tab, "GPU 0: ")
        assert "then" in told(tab)
    assert tab.complaints() == []


@pytest.mark.parametrize("width", [1000, 1300, 2000])
def test_names_of_nodes_are_no_larger_than_text(tab: Tab, site: Site, width: int) -> None:
    tab.size(width, 900)
    tab.open(site.url + "/")
    scale = "document.querySelector('#map svg').getScreenCTM().a"
    size = "parseFloat(getComputedStyle(document.querySelector('%s')).fontSize)"
    assert tab.tell(f"{scale} * {size % '#map text'} <= {size % 'main p'}")
    assert tab.tell("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [1300, 900])
def test_short_words_are_not_broken_to_make_room_for_long_sentences(tab: Tab, site: Site, width: int) -> None:
    tab.size(width, 900)
    tab.open(site.url + "/jobs?status=Pending&why=simulated")
    broken = "(name) => [...document.querySelectorAll(name)].filter((each) => each.getClientRects().length > 1)"
    assert tab.tell("document.querySelectorAll('td .status').length") > 10
    for words in ("td .status", "td:nth-of-type(2) bdi"):
        assert tab.tell(f"({broken})('{words}').map((each) => each.textContent)") == []


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
        until_told(tab, name)
        assert tab.tell("document.querySelectorAll('script').length") == 1
    assert tab.complaints() == []


def test_a_thousand_nodes_are_shown_whole_and_scroll_without_work(tab: Tab, large: Site) -> None:
    """How long that takes, `make bench` says: here is what it rests on. A page of few elements, in which scrolling
    neither runs a script nor lays anything out anew, so that nothing can hold it up."""
    tab.open(large.url + "/")
    assert tab.tell("document.querySelectorAll('*').length") < 3000
    before = work(tab)
    for _ in range(10):
        tab.send("Input.synthesizeScrollGesture", x=600, y=500, yDistance=-800, speed=4000)
    assert tab.tell("scrollY") > 1000
    assert work(tab) == before


def work(tab: Tab) -> list[float]:
    """What a page did so far that keeps people waiting."""
    return [tab.metrics()[name] for name in ("ScriptDuration", "LayoutCount", "RecalcStyleCount")]


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
    until_told(tab, "GPU 0: ")
    tab.press("ArrowRight")
    until_told(tab, "GPU 1: ")
    assert tab.complaints() == []
    assert serious(tab, axe) == []


def test_who_signs_in_comes_to_the_page_and_its_scripts_never_see_the_token(tab: Tab, axe: str) -> None:
    async def admit(token: str) -> None:
        if token != "good":
            raise TerminalError(Reason.UNAUTHORIZED, "The cluster does not accept this token.")

    with served(InFile(FULL), origin=None, admit=admit) as site:
        tab.open(site.url + "/queues?resource=cpu")
        assert tab.tell("location.pathname") == "/sign-in"
        for token, path in (("bad", "/sign-in"), ("good", "/queues")):
            assert serious(tab, axe) == []
            tab.tell(f"document.querySelector('[name=token]').value = '{token}'")
            tab.follow("document.querySelector('button')")
            assert tab.tell("location.pathname") == path
        assert tab.tell("location.search + document.cookie") == "?resource=cpu"
        tab.follow("document.querySelector('form[action=\"/sign-out\"] button')")
        tab.open(site.url + "/queues")
        assert tab.tell("location.pathname") == "/sign-in"
    assert [each for each in tab.complaints() if "401" not in each] == []


def test_what_keeps_people_out_would_be_found(tab: Tab, axe: str) -> None:
    tab.open("data:text/html,<title>x</title><html lang=en><main><h1>x</h1><img src=/x><a href=/x></a></main>")
    assert [each.partition(":")[0] for each in serious(tab, axe)] == ["image-alt", "link-name"]


@pytest.mark.parametrize("path", ["/", "/queues", "/jobs"])
def test_on_paper_there_is_what_matters_only(tab: Tab, site: Site, path: str) -> None:
    tab.media("print")
    tab.open(site.url + path)
    assert tab.tell("getComputedStyle(document.querySelector('header nav')).display") == "none"
    assert tab.tell("getComputedStyle(document.querySelector('h1')).display") == "block"
    assert len(tab.send("Page.printToPDF")["data"]) > 1000
