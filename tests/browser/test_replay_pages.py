"""What people see of replays, and of what changed between archives."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from kai_snapshot.api.result import Engine, Eviction, Outcome, Pipelined, Placement, ReplayResult
from kai_snapshot.runs.look import InFile, Stored
from kai_snapshot.runs.replays import replay_of
from kai_snapshot.stores.memory import MemoryStore
from kai_snapshot.web.report import report
from support import clusters
from support.browser import Tab
from support.people import HOSTILE, serious, told, until_told
from support.replayed import NAME, VERSIONS, replayed
from support.results import recorded
from support.served import Given, served
from support.simulated import write
from support.stored import FIRST, archive, keep
from support.viewed import job, node, pod, queue, views, views_of

CASE = "14-gang+elastic+running+prio"
PAGES = ("replays", "replay", "simulated", "before", "after", "changed", "diff", "archives")


@pytest.fixture(scope="module")
def pages() -> Iterator[dict[str, str]]:
    """The addresses of all pages, by their names."""
    store = MemoryStore()
    keys = [keep(store, case, FIRST + timedelta(hours=hour)) for hour, case in enumerate(("10", "11", "14"))]
    replayed(store, keys[2], CASE, names=["AsCaptured", "v0.17.0", "main"])
    with served(Stored(store)) as site:
        replay = {"snapshot": keys[2], "replay": NAME}
        asked: dict[str, tuple[str, dict[str, str]]] = {
            "replays": ("/replays", {"snapshot": keys[2]}),
            "replay": ("/replay", replay),
            "simulated": ("/replay", {"snapshot": keys[2], "replay": "simulated"}),
            "before": ("/replay", replay | {"show": "before"}),
            "after": ("/replay", replay | {"show": "after", "by": "job"}),
            "changed": ("/replay", replay | {"nodes": "changed"}),
            "diff": ("/diff", {"snapshot": keys[1]}),
            "archives": ("/archives", {"computed": "yes"}),
        }
        yield {name: f"{site.url}{path}?{urlencode(query)}" for name, (path, query) in asked.items()}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_shown_without_complaints_and_within_its_window(tab: Tab, pages: dict[str, str], name: str) -> None:
    tab.open(pages[name])
    assert tab.tell("document.documentElement.scrollWidth <= innerWidth")
    assert tab.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nobody_is_kept_out(tab: Tab, pages: dict[str, str], axe: str, name: str, scheme: str) -> None:
    tab.media(prefers_color_scheme=scheme)
    tab.open(pages[name])
    assert serious(tab, axe) == []


def test_the_arrow_keys_tell_what_was_and_what_will_be_on_each_gpu(tab: Tab, pages: dict[str, str]) -> None:
    tab.open(pages["replay"])
    tab.tell("document.getElementById('map').focus()")
    until_told(tab, "GPU 0: before ")
    assert "is moved" in told(tab)
    tab.press("End")
    until_told(tab, "h100-0021")
    assert tab.complaints() == []


def test_of_nodes_that_change_the_keys_go_through_these_only(tab: Tab, pages: dict[str, str]) -> None:
    tab.open(pages["changed"])
    shown = tab.tell("[...document.querySelectorAll('#map text')].map((each) => each.textContent)")
    assert 0 < len(shown) < 22
    tab.tell("document.getElementById('map').focus()")
    until_told(tab, shown[0])
    tab.press("End")
    until_told(tab, shown[-1])


def test_one_goes_from_the_archives_to_a_replay_and_back(tab: Tab, pages: dict[str, str]) -> None:
    tab.open(pages["archives"])
    tab.follow("document.querySelector('a[href^=\"/replay?\"]')")
    assert NAME in tab.tell("document.querySelector('h1').textContent")
    tab.follow("document.querySelector('tr:not(.chosen) a[href*=\"version=AsCaptured\"]')")
    assert "at AsCaptured" in tab.tell("document.getElementById('decided-title').textContent")
    tab.follow("[...document.querySelectorAll('header a')].find((each) => each.textContent === 'Cluster')")
    tab.follow("[...document.querySelectorAll('main a')].find((each) => each.textContent.startsWith('What would'))")
    assert tab.tell("document.querySelectorAll('.figures dd').length") == 5


def test_one_steps_through_what_changed(tab: Tab, pages: dict[str, str]) -> None:
    tab.open(pages["diff"])
    first = tab.tell("document.querySelector('main .count').textContent")
    tab.follow("document.querySelector('.steps [rel=next]')")
    assert tab.tell("document.querySelector('main .count').textContent") != first
    tab.tell("document.querySelector('form.filter select[name=from]').selectedIndex = 2")
    tab.follow("document.querySelector('form.filter button')")
    assert "10:15:03Z → 2026-11-22 12:15:03Z" in tab.tell("document.querySelector('main .count').textContent")
    assert tab.complaints() == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text(tab: Tab, name: str) -> None:
    result = ReplayResult(
        engine=Engine(name="Simulator", version="v0.17.0"),
        outcome=Outcome.SUCCEEDED,
        placements=(Placement(pod=f"{name}/{name}", node=name),),
        evictions=(Eviction(pod=f"{name}/b", action="reclaim", preemptor=name),),
        pipelined=(Pipelined(pod=f"{name}/c", node=name),),
    )
    pods = [pod(each, where, gpus=1, namespace=name) for each, where in ((name, ""), ("b", name), ("c", ""))]
    found = views(nodes=[node(name)], queues=[queue(name)], podGroups=[job("j", name, namespace=name)], pods=pods)
    with served(Given(found, simulated=result)) as site:
        tab.open(f"{site.url}/replay?replay=simulated")
        shown = tab.tell("[...document.querySelectorAll('main bdi')].map((each) => each.textContent)")
        assert any(name in each for each in shown)
        tab.tell("document.getElementById('map').focus()")
        until_told(tab, name)
        assert tab.tell("document.querySelectorAll('script').length") == 1
    with served(Given(views(), found)) as site:
        tab.open(f"{site.url}/diff?from=x")
        shown = tab.tell("[...document.querySelectorAll('main bdi')].map((each) => each.textContent)")
        assert any(name in each for each in shown)
        assert tab.tell("document.querySelectorAll('script').length") == 0
    assert tab.complaints() == []


def test_of_a_thousand_nodes_a_page_has_few_elements(tab: Tab, tmp_path: Path) -> None:
    path = write(clusters.snapshot(clusters.Kind(nodes=1000), 1), tmp_path / "snapshot.zip")
    found = views_of(path)
    waiting = [
        f"{each.namespace}/{task.name}" for each in found.jobs for task in each.tasks if task.status == "Pending"
    ]
    result = ReplayResult(
        engine=Engine(name="Simulator", version="v0.17.0"),
        outcome=Outcome.SUCCEEDED,
        placements=tuple(
            Placement(pod=name, node=where.name) for name, where in zip(waiting, found.nodes * 10, strict=False)
        ),
    )
    assert len(result.placements) > 1000
    with served(Given(found, simulated=result)) as site:
        tab.open(f"{site.url}/replay?replay=simulated")
        assert tab.tell("document.querySelectorAll('*').length") < 5000
        assert tab.tell("document.querySelectorAll('#map path').length") < 10
        tab.tell("document.getElementById('map').focus()")
        until_told(tab, "GPU 0: ")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_of_results_does_the_same_without_a_server(tab: Tab, axe: str, tmp_path: Path, scheme: str) -> None:
    results = {version: recorded(CASE, version) for version in VERSIONS}
    text = report(views_of(archive("14")), replay=replay_of("results", results.items()), results=results)
    (tmp_path / "report.html").write_text(text)
    tab.media(prefers_color_scheme=scheme)
    tab.open((tmp_path / "report.html").as_uri())
    for number in range(1, len(VERSIONS) + 1):
        tab.tell(f"document.getElementById('map-{number}').focus()")
        until_told(tab, "GPU 0: before", number=f"-{number}")
    assert tab.complaints() == []
    assert serious(tab, axe) == []


@pytest.mark.parametrize("name", ["replay", "diff", "archives"])
def test_on_paper_there_is_what_matters_only(tab: Tab, pages: dict[str, str], name: str) -> None:
    tab.media("print", prefers_color_scheme="dark")
    tab.open(pages[name])
    assert tab.tell("getComputedStyle(document.querySelector('header nav')).display") == "none"
    assert tab.tell("getComputedStyle(document.querySelector('form, .choice')).display") == "none"
    assert tab.tell("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    assert tab.tell("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert len(tab.send("Page.printToPDF")["data"]) > 1000


def test_the_file_of_a_result_can_be_looked_at_beside_its_archive(tab: Tab) -> None:
    with served(InFile(archive("14"), {"v0.17.0": recorded(CASE, "v0.17.0")})) as site:
        tab.open(f"{site.url}/replays")
        tab.follow("document.querySelector('tbody a')")
        assert "v0.17.0" in tab.tell("document.getElementById('decided-title').textContent")
    assert tab.complaints() == []
