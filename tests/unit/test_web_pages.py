"""The pages, as they are served: whole without scripts, and nothing in them but what the views say."""

import errno
import io
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest

from kai_snapshot.api.manifest import BuiltFromAPI, Redaction
from kai_snapshot.api.visualizer import ClusterSummary
from kai_snapshot.errors import Reason, TransientError
from kai_snapshot.runs.look import InFile, Stored
from kai_snapshot.stores import Store
from kai_snapshot.stores.memory import MemoryStore
from kai_snapshot.web.clustermap import COLOURS, OTHER, cluster_map
from support.eventually import eventually
from support.page import Page, page
from support.served import Given, Site, served
from support.simulated import CASES, CORPUS
from support.stored import FIRST, keep
from support.viewed import job, node, pod, queue, shared, views

PAGES = (
    "/", "/?by=job", "/queues", "/queues?resource=cpu", "/queues?resource=memory", "/jobs", "/nodes", "/archives",
    "/replays",
)  # fmt: skip


@pytest.mark.parametrize("case", [*CASES, "21-config-null"])
def test_every_page_of_every_archive_is_whole_and_needs_nothing_from_elsewhere(case: str) -> None:
    with served(InFile(CORPUS / case / "snapshot.zip")) as site:
        for path in PAGES:
            found = page(site, path)
            assert len(found.all("h1")) == len(found.all("main")) == len(found.all("title")) == 1
            for tag, attributes in found.elements:
                assert "style" not in attributes
                assert not any(name.startswith("on") for name in attributes)
                assert tag != "style"
                assert tag != "script" or attributes.get("src")
            for target in found.links():
                assert target.startswith(("/", "#"))


@pytest.mark.parametrize("case", [CASES[-1], "21-config-null"])
def test_what_pages_lead_to_is_there(case: str) -> None:
    with served(InFile(CORPUS / case / "snapshot.zip")) as site:
        targets = {target for path in PAGES for target in page(site, path).links() if target.startswith("/")}
        assert {target: site.ask(target).status for target in targets} == dict.fromkeys(targets, 200)


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "a" * 63,
    "\u202egnp.exe",
    "' onfocus='x",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_nothing_else(name: str) -> None:
    group = job(name, name, namespace=name) | {"status": {"schedulingConditions": [{"message": name}]}}
    found = views(
        nodes=[node(name, labels={"nvidia.com/gpu.product": name, "nvidia.com/gpu.count": "9"})],
        queues=[queue(name, name, spec={"displayName": name, "parentQueue": name})],
        podGroups=[group, job("waits", name) | {"status": group["status"]}],
        pods=[pod(name, name, gpus=1, job=name, namespace=name), pod("w", gpus=9, job="waits")],
    )
    with served(Given(found)) as site, served(Given(views(nodes=[node()]))) as plain:
        for path in PAGES:
            tags = [tag for tag, _ in page(site, path).elements]
            assert tags.count("script") == [tag for tag, _ in page(plain, path).elements].count("script")
            assert "img" not in tags
        for path in ("/queues", "/jobs", "/nodes"):
            assert name in page(site, path).text
        shown = page(site, "/jobs")
        assert any(each.get("value") == name for each in shown.all("option"))
        address = next(target for target in page(site, "/queues").links() if target.startswith("/jobs?queue"))
        assert parse_qs(urlsplit(address).query)["queue"] == [name]
        assert name in page(site, address).text


def test_of_a_queue_that_is_no_child_is_said_why() -> None:
    listed = [queue("a", "gone"), queue("b", "c"), queue("c", "b"), queue("q0")]
    listed += [queue(f"q{i}", f"q{i - 1}") for i in range(1, 60)]
    with served(Given(views(queues=listed))) as site:
        text = page(site, "/queues").text
    for told in (
        "left out: its parent gone is missing",
        "left out: it is below itself, for its parent is b",
        "left out: it is below itself, for its parent is c",
        "shown apart: its parent q49 is too far down",
    ):
        assert text.count(told) == 1


class TestClusterMap:
    def test_a_thousand_nodes_are_a_few_shapes(self) -> None:
        nodes = [node(f"n{i:04}") for i in range(1000)]
        pods = [pod(f"p{i}", f"n{i % 1000:04}", gpus=1, job=f"j{i % 50}") for i in range(5000)]
        groups = [job(f"j{i}", f"q{i % 20}") for i in range(50)]
        found = views(nodes=nodes, queues=[queue(f"q{i}") for i in range(20)], podGroups=groups, pods=pods)
        with served(Given(found)) as site:
            shown = page(site, "/")
        assert len(shown.all("path")) < 20
        assert len(shown.all("text")) == 1000

    def test_who_uses_most_has_a_colour_and_the_rest_one_together(self) -> None:
        count = COLOURS + 3
        pods = [pod(f"p{i}", f"n{i}", gpus=8 if i < COLOURS else 1, job=f"j{i}") for i in range(count)]
        found = views(
            nodes=[node(f"n{i}") for i in range(count)],
            queues=[queue(f"q{i}", spec={"displayName": f"Team {i}"}) for i in range(count)],
            podGroups=[job(f"j{i}", f"q{i}") for i in range(count)],
            pods=pods,
        )
        legend = cluster_map(found, "queue").legend
        assert {each.name for each in legend[:-1]} == {f"Team {i}" for i in range(COLOURS)}
        assert (legend[-1].colour, legend[-1].name, legend[-1].gpus) == (OTHER, "", 3)
        assert cluster_map(found, "job").legend[0].name == "ns/j0"

    def test_shared_gpus_are_filled_as_far_as_they_are_used(self) -> None:
        pods = [shared("a", "n", part=0.5, group="g"), shared("b", "n", part=0.2, group="g", job="k")]
        found = views(nodes=[node(gpus=1)], podGroups=[job("j", "q"), job("k", "r")], pods=pods)
        assert cluster_map(found, "queue").used == {0: "M2 19h10v5h-10z", 1: "M2 17h10v2h-10z"}

    def test_queues_that_are_called_the_same_are_two(self) -> None:
        found = views(
            nodes=[node()],
            queues=[queue(name, spec={"displayName": "Research"}) for name in ("a", "b")] + [queue("c")],
            podGroups=[job(name, name) for name in ("a", "b", "c")],
            pods=[pod(name, "n", gpus=3 - number, job=name) for number, name in enumerate(("a", "b", "c"))],
        )
        legend = cluster_map(found, "queue").legend
        assert [(each.name, each.gpus) for each in legend] == [("Research (a)", 3), ("Research (b)", 2), ("c", 1)]

    def test_gpus_beyond_what_a_tile_has_room_for_are_counted(self) -> None:
        found = views(nodes=[node("a", gpus=40), node("b", gpus=32)])
        drawn = cluster_map(found, "queue").frame
        assert (len(drawn.places), drawn.beyond) == (64, 8)
        with served(Given(found)) as site, served(Given(views(nodes=[node()]))) as plain:
            assert "8 GPUs are not on the map, which has room for 32 of a node." in page(site, "/").text
            assert "not on the map" not in page(plain, "/").text

    def test_nodes_without_gpus_are_counted_only(self) -> None:
        found = cluster_map(views(nodes=[node("a", gpus=0), node("b")]), "queue")
        assert (len(found.frame.labels), found.without) == (1, 1)

    def test_an_empty_cluster_has_a_map_too(self) -> None:
        with served(Given(views())) as site:
            for path in PAGES:
                page(site, path)


@pytest.fixture(scope="module")
def many_jobs() -> Iterator[Site]:
    groups = [job(f"j{i:03}", f"q{i % 2}", namespace=f"ns{i % 3}") for i in range(450)]
    pods = [pod("p", "n", job="j000", namespace="ns0")]
    with served(Given(views(nodes=[node()], podGroups=groups, pods=pods))) as site:
        yield site


class TestJobs:
    @pytest.mark.parametrize(
        ("query", "says"),
        [
            ("", "450 jobs, page 1 of 3"),
            ("?page=3", "450 jobs, page 3 of 3"),
            ("?page=99", "450 jobs, page 3 of 3"),
            ("?page=x", "450 jobs, page 1 of 3"),
            ("?page=²", "450 jobs, page 1 of 3"),
            ("?status=Running", "1 jobs"),
            ("?queue=q1&namespace=ns0", "75 jobs"),
            ("?name=j00", "10 jobs"),
            ("?name=%3Cb%3E", "0 jobs"),
        ],
    )
    def test_they_are_filtered_and_shown_in_parts(self, many_jobs: Site, query: str, says: str) -> None:
        path = "/jobs" + query.replace("²", "%C2%B2")
        assert page(many_jobs, path).text.count(says) == 2

    def test_the_next_part_is_of_the_same_filter(self, many_jobs: Site) -> None:
        found = page(many_jobs, "/jobs?queue=q1&name=j")
        (following,) = {target for target in found.links() if "page=2" in target}
        assert parse_qs(urlsplit(following).query) == {"queue": ["q1"], "name": ["j"], "page": ["2"]}


@pytest.fixture(scope="module")
def keys() -> list[str]:
    return []


@pytest.fixture(scope="module")
def hourly(keys: list[str]) -> Iterator[Site]:
    store = MemoryStore()
    keys.extend(keep(store, "10", FIRST + timedelta(hours=hour)) for hour in range(3))
    with served(Stored(store)) as site:
        yield site


def test_the_simulator_is_asked_why_jobs_wait_when_somebody_wants_to_know() -> None:
    archive = CORPUS / "16-gang+limit+running+overq+prio" / "snapshot.zip"
    with served(InFile(archive)) as site:
        asks = page(site, "/jobs?status=Pending")
        (link,) = {target for target in asks.links() if "why=simulated" in target}
        found = page(site, link)
        expected = {each.message for each in InFile(archive).simulated("").waiting}
        assert len(expected) > 5
        assert all(each in found.text for each in expected)
        assert not any(each in asks.text for each in expected)
        assert ("why", "simulated") in {(each.get("name"), each.get("value")) for each in found.all("input")}


def test_that_the_simulator_cannot_find_out_is_said_above_the_jobs() -> None:
    with served(InFile(CORPUS / "21-config-null" / "snapshot.zip")) as site:
        found = page(site, "/jobs?why=simulated")
    assert "ConfigNull" in found.text
    assert found.text.index("config: null") < found.text.index("Why it waits")
    assert "/jobs" in found.links()


class TestTime:
    def test_one_can_step_to_earlier_and_later_archives(self, hourly: Site, keys: list[str]) -> None:
        newest = page(hourly, "/queues?resource=cpu")
        assert "10:15:03" not in newest.text
        assert "12:15:03" in newest.text
        (earlier,) = {each["href"] for each in newest.all("a") if each.get("rel") == "prev"}
        assert parse_qs(urlsplit(earlier or "").query) == {"resource": ["cpu"], "snapshot": [keys[1]]}
        middle = page(hourly, earlier or "")
        assert [each.get("rel") for each in middle.all("a") if each.get("rel")] == ["prev", "next"]

    def test_all_pages_stay_with_the_archive(self, hourly: Site, keys: list[str]) -> None:
        for path in ("/", "/queues", "/jobs", "/nodes"):
            found = page(hourly, f"{path}?snapshot={keys[0]}")
            leads = [each["href"] for each in found.all("a") if each.get("rel") is None and each["href"] != "#main"]
            assert {tuple(parse_qs(urlsplit(each or "").query)["snapshot"]) for each in leads} == {(keys[0],)}
            assert all(each.get("value") == keys[0] for each in found.all("input") if each.get("type") == "hidden")

    def test_all_archives_are_listed_newest_first(self, hourly: Site) -> None:
        found = page(hourly, "/archives")
        assert "3 archives" in found.text
        assert found.text.index("12:15:03") < found.text.index("10:15:03")
        assert "Pods: 202 → 202, at most 202" in found.text
        assert next(each["d"] for each in found.all("path") if "d" in each) == "M0.0 0.0h0L500.0 0.0L1000.0 0.0"


def test_where_an_archive_is_from_is_said_wherever_it_is_shown() -> None:
    store = MemoryStore()
    keep(store, "10", FIRST)
    keep(store, "10", FIRST + timedelta(hours=1), built_from_api=BuiltFromAPI(), redaction=Redaction(key_id="0" * 16))
    with served(Stored(store)) as site:
        listed, newest = page(site, "/archives"), page(site, "/queues")
        (earlier,) = {each["href"] for each in newest.all("a") if each.get("rel") == "prev"}
        assert listed.text.count("built from the API server") == listed.text.count("redacted") == 1
        for said in ("built from the API server", "redacted"):
            assert said in newest.text
            assert said not in page(site, earlier or "").text
        snapshots = site.ask("/api/v1/snapshots").document
        assert [(each["builtFromAPI"], each["redacted"]) for each in snapshots] == [(False, False), (True, True)]


def test_what_cannot_be_shown_is_said_on_a_page() -> None:
    with served(Given(TransientError(Reason.SOURCE_UNREACHABLE, "It is <away>."))) as site:
        answer = site.ask("/queues")
    assert answer.status == 503
    assert "It is <away>." in Page(answer).text
    assert "SourceUnreachable" in Page(answer).text


class Watched(Stored):
    """A storage that tells whose summaries are computed, none before somebody has left; there is room for some."""

    def __init__(self, store: Store, left: threading.Event, room: int) -> None:
        super().__init__(store)
        self.computed: list[str] = []
        self.left = left
        self.room = room

    def summary(self, wanted: str) -> ClusterSummary:
        self.computed.append(wanted)
        assert self.left.wait(30)
        if len(self.computed) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/secret/path")
        return views().summary


def test_nothing_more_is_computed_for_who_has_left() -> None:
    store, left = MemoryStore(), threading.Event()
    for hour in range(20):
        keep(store, "01", FIRST + timedelta(hours=hour))
    place = Watched(store, left, room=20)
    with served(place) as site:
        asker = HTTPConnection("127.0.0.1", site.port)
        asker.request("GET", "/archives?computed=yes")
        eventually(lambda: place.computed, timeout=30, interval=0.01)
        asker.close()
        left.set()
    assert len(place.computed) < 10


def test_an_archive_for_which_there_is_no_room_spoils_no_other() -> None:
    store, left = MemoryStore(), threading.Event()
    for hour in range(3):
        keep(store, "01", FIRST + timedelta(hours=hour))
    left.set()
    with served(Watched(store, left, room=2)) as site:
        found = page(site, "/archives?computed=yes")
    assert len([each for each in found.all("td") if each.get("data-value") == "pending"]) == 2
    assert "StorageRefused" in found.text
    assert "secret" not in found.text


@pytest.mark.parametrize("damaged", [".zip", ".json"])
def test_where_the_newest_is_damaged_one_gets_to_the_others(damaged: str) -> None:
    store = MemoryStore()
    older, _ = (keep(store, "10", FIRST + timedelta(hours=hour)) for hour in range(2))
    key = max(each.key for each in store.list() if each.key.endswith(damaged))
    store.put(key, io.BytesIO(b"{"))
    with served(Stored(store)) as site:
        answer = site.ask("/")
        problem = Page(answer)
        assert answer.status == 500
        assert "Show the newest" not in problem.text
        assert "/archives" in {each["href"] for each in problem.all("a")}
        listed = page(site, "/archives")
        assert (key in listed.text) == (damaged == ".json")
        (way,) = {target for target in listed.links() if target == f"/?snapshot={quote_plus(older)}"}
        page(site, way)


def test_where_none_can_be_read_that_is_said() -> None:
    store = MemoryStore()
    keep(store, "10", FIRST)
    (key,) = (each.key for each in store.list() if each.key.endswith(".json"))
    store.put(key, io.BytesIO(b"{"))
    with served(Stored(store)) as site:
        found = page(site, "/archives")
    assert key in found.text
    assert "There are no archives that can be read." in found.text


def test_nothing_of_config_maps_and_environments_is_shown(tmp_path: Path) -> None:
    secret = "s3cr3t-value"
    uses = pod("p", "n", gpus=1)
    uses["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": secret}]
    uses["spec"]["containers"][0]["args"] = [secret]
    found = views(
        nodes=[node()], podGroups=[job()], pods=[uses],
        configMaps=[{"metadata": {"name": "c", "namespace": "ns"}, "data": {"k": secret}}],
    )  # fmt: skip
    with served(Given(found)) as site:
        for path in (*PAGES, *(f"/api/v1/visualizer/{name}" for name in ("summary", "queues", "jobs", "nodes"))):
            assert secret.encode() not in site.ask(path).body
