"""The pages about replays and about what changed, as they are served."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from kai_snapshot.api.base import rfc3339
from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.api.result import Engine, Eviction, Outcome, Pipelined, Placement, PodGroupResult, ReplayResult
from kai_snapshot.api.visualizer import Source
from kai_snapshot.runs.look import GIVEN, InFile, Stored
from kai_snapshot.stores.memory import MemoryStore
from kai_snapshot.views import Views
from kai_snapshot.views.decided import overlay
from kai_snapshot.web.decidedmap import decided_map
from support.page import Page, page
from support.replayed import NAME, VERSIONS, backtested, replayed
from support.results import recorded
from support.served import Given, Site, served
from support.simulated import CASES, CORPUS
from support.stored import FIRST, archive, keep
from support.viewed import NOW, SCHEMAS, job, node, pod, queue, views, views_of

CASE = "14-gang+elastic+running+prio"
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "a" * 63, "\u202egnp.exe")


def at(path: str, **query: str) -> str:
    return f"{path}?{urlencode(query)}"


def simulated(path: Path = CORPUS / CASE / "snapshot.zip") -> ReplayResult:
    return InFile(path).simulated("")


@pytest.fixture(scope="module")
def keys() -> list[str]:
    return []


@pytest.fixture(scope="module")
def site(keys: list[str]) -> Iterator[Site]:
    store = MemoryStore()
    keys.extend(keep(store, case, FIRST + timedelta(hours=hour)) for hour, case in enumerate(("10", "11", "14")))
    replayed(store, keys[2], CASE, names=["AsCaptured", "v0.17.0", "main"])
    backtested(store, {keys[0]: "10-gang+running", keys[1]: "11-gang+running+overq"})
    with served(Stored(store)) as site:
        yield site


class TestReplays:
    def test_those_of_an_archive_are_listed_and_lead_to_their_pages(self, site: Site, keys: list[str]) -> None:
        found = page(site, at("/replays", snapshot=keys[2]))
        (link,) = {each for each in found.links() if f"replay={NAME}" in each}
        assert "v0.17.0" in page(site, link).text
        assert any("replay=simulated" in each for each in found.links())

    def test_the_archives_page_has_them_all(self, site: Site, keys: list[str]) -> None:
        links = [urlsplit(each) for each in page(site, "/archives").links() if each.startswith("/replay?")]
        assert sorted((parse_qs(each.query)["snapshot"][0], parse_qs(each.query)["replay"][0]) for each in links) == [
            (keys[0], "backtest-1a2b3c4d"), (keys[1], "backtest-1a2b3c4d"), (keys[2], NAME),
        ]  # fmt: skip

    def test_a_page_leads_back_to_the_archive_and_to_nothing_that_is_not_there(
        self, site: Site, keys: list[str]
    ) -> None:
        found = page(site, at("/replay", snapshot=keys[2], replay=NAME))
        targets = {each for each in found.links() if each.startswith("/")}
        assert any(each.startswith("/?snapshot=") for each in targets)
        assert {target: site.ask(target).status for target in targets} == dict.fromkeys(targets, 200)

    @pytest.mark.parametrize("query", [{"replay": "none"}, {"replay": ""}, {"replay": "<b>", "version": "<b>"}, {}])
    def test_one_that_there_is_not_is_not_found(self, site: Site, query: dict[str, str]) -> None:
        answer = site.ask(at("/replay", **query))
        assert answer.status == 404
        assert "<b>" not in answer.body.decode()


class TestReplay:
    def test_versions_stand_side_by_side_with_what_became_of_them(self, site: Site, keys: list[str]) -> None:
        found = page(site, at("/replay", snapshot=keys[2], replay=NAME))
        for text in ("AsCaptured", "baseline", "v0.17.0", "main", "ImagePullFailed", "no image", "first to differ"):
            assert text in found.text
        result = recorded(CASE, "v0.17.0")
        for action, ms in result.durations_ms.actions.items():
            assert action in found.text
            assert f"{ms:,}" in found.text

    def test_the_last_version_is_shown_until_another_is_chosen(self, site: Site, keys: list[str]) -> None:
        found = page(site, at("/replay", snapshot=keys[2], replay=NAME))
        assert "at v0.17.0" in found.text
        (link,) = {each for each in found.links() if "version=AsCaptured" in each and each.startswith("/replay")}
        assert "at AsCaptured" in page(site, link).text

    def test_differences_are_told_apart_from_what_varies(self, site: Site, keys: list[str]) -> None:
        found = page(site, at("/replay", snapshot=keys[2], replay=NAME))
        assert "16 elements differ" in found.text
        assert "Differences" not in page(site, at("/replay", snapshot=keys[2], replay=NAME, version="AsCaptured")).text

    def test_every_decision_is_listed(self, site: Site, keys: list[str]) -> None:
        found = page(site, at("/replay", snapshot=keys[2], replay=NAME))
        result = recorded(CASE, "v0.17.0")
        for listed in (result.placements, result.evictions, result.pipelined):
            assert all(each.pod in found.text for each in listed)

    @pytest.mark.parametrize("show", ["changes", "before", "after"])
    @pytest.mark.parametrize("nodes", ["", "changed"])
    def test_the_map_can_be_shown_otherwise(self, site: Site, keys: list[str], show: str, nodes: str) -> None:
        found = page(site, at("/replay", snapshot=keys[2], replay=NAME, show=show, nodes=nodes))
        laid = overlay(views_of(archive("14")), recorded(CASE, "v0.17.0"))
        changing = sum(any(slot.after is not None for slot in each.gpu_slots) for each in laid.nodes)
        assert 0 < changing < len(laid.nodes)
        assert len(found.all("text")) == (changing if nodes else len(laid.nodes))

    def test_of_a_replay_of_many_archives_all_are_a_step_away(self, site: Site, keys: list[str]) -> None:
        name = "backtest-1a2b3c4d"
        found = page(site, at("/replay", snapshot=keys[0], replay=name))
        assert "All 2 archives of this replay" in found.text
        (link,) = {
            each for each in found.links() if f"snapshot={urlencode({'': keys[1]})[1:]}" in each and name in each
        }
        assert "All 2 archives of this replay" in page(site, link).text


class TestSimulated:
    @pytest.mark.parametrize("case", CASES)
    def test_what_would_happen_next_is_shown_of_any_archive(self, case: str) -> None:
        with served(InFile(CORPUS / case / "snapshot.zip")) as site:
            (link,) = {each for each in page(site, "/").links() if "replay=simulated" in each}
            found = page(site, link)
            result = simulated(CORPUS / case / "snapshot.zip")
            assert all(each.pod in found.text for each in result.placements[:50])
            for tag, attributes in found.elements:
                assert "style" not in attributes
                assert not any(name.startswith("on") for name in attributes)
                assert tag != "style"
                assert tag != "script" or attributes.get("src")

    def test_of_the_present_it_is_not(self) -> None:
        found = views(nodes=[node()])
        live = found.source.model_copy(update={"kind": "live"})
        with served(Given(found.__class__(**{**vars(found), "source": live}))) as site:
            assert not any("simulated" in each for path in ("/", "/replays") for each in page(site, path).links())

    def test_one_can_step_through_time_and_ask_again(self, site: Site, keys: list[str]) -> None:
        found = page(site, at("/replay", snapshot=keys[1], replay="simulated"))
        steps = {each.get("rel"): each["href"] for each in found.all("a") if each.get("rel") in ("prev", "next")}
        assert {rel: parse_qs(urlsplit(where or "").query) for rel, where in steps.items()} == {
            "prev": {"snapshot": [keys[0]], "replay": ["simulated"]},
            "next": {"snapshot": [keys[2]], "replay": ["simulated"]},
        }


class TestNewerOnes:
    """That come while somebody looks."""

    @pytest.fixture
    def busy(self) -> Iterator[tuple[Site, str]]:
        """A storage in which another archive lies as soon as one has been looked at; and the first one's key."""
        store = MemoryStore()

        class Busy(Stored):
            def see(self, wanted: str) -> Views:
                found = super().see(wanted)
                keep(store, "11", FIRST + timedelta(hours=1))
                return found

        first = keep(store, "14", FIRST)
        with served(Busy(store)) as site:
            yield site, first

    @pytest.mark.parametrize("path", ["/", "/replay?replay=simulated"])
    def test_the_map_tells_of_the_archive_that_is_drawn(self, busy: tuple[Site, str], path: str) -> None:
        site, first = busy
        (drawn,) = [each["data-nodes"] for each in page(site, path).all("div") if "data-nodes" in each]
        assert drawn is not None
        assert parse_qs(urlsplit(drawn).query)["snapshot"] == [first]
        names = {each["name"] for each in site.ask(drawn).document}
        assert names == {each.name for each in views_of(archive("14")).nodes}

    def test_what_would_happen_next_is_simulated_of_the_archive_that_is_shown(self, busy: tuple[Site, str]) -> None:
        assert "This result is of another archive" not in page(busy[0], "/replay?replay=simulated").text

    def test_so_it_is_for_the_api(self, busy: tuple[Site, str]) -> None:
        found = busy[0].ask("/api/v1/visualizer/nodes?replay=simulated").document
        assert sum("after" in slot for each in found for slot in each["gpuSlots"]) > 10

    def test_so_it_is_for_the_reasons_of_jobs(self, busy: tuple[Site, str]) -> None:
        found = page(busy[0], "/jobs?status=Pending&why=simulated")
        messages = {each.message for each in simulated().waiting}
        assert len(messages) > 5
        assert all(each in found.text for each in messages)

    def test_of_the_live_scheduler_the_map_is_read_at_once_and_what_is_over_is_refused(self) -> None:
        source = Source(kind="live", captured_at=NOW, sha256="a" * 64)
        then, now = (
            replace(views(nodes=[node(name)]), source=source.model_copy(update={"sha256": sha256}))
            for name, sha256 in (("then", "a" * 64), ("now", "b" * 64))
        )
        with served(Given(then, then, now)) as site:
            (drawn,) = [each for each in page(site, "/").all("div") if "data-nodes" in each]
            assert drawn["data-live"]
            answers = [site.ask(drawn["data-nodes"] or "") for _ in range(2)]
        assert [each.status for each in answers] == [200, 409]
        assert answers[1].document["reason"] == "ArchiveReplaced"


class TestFiles:
    def test_results_in_files_are_one_replay(self) -> None:
        results = {
            version: DecodedResult.decode(recorded(CASE, version).model_dump_json(by_alias=True).encode(), where="")
            for version in VERSIONS
        }
        with served(InFile(archive("14"), results)) as site:
            (link,) = {each for each in page(site, "/replays").links() if f"replay={GIVEN}" in each}
            found = page(site, link)
            assert all(version in found.text for version in VERSIONS)
            assert "16 elements differ" in found.text
            assert site.ask(at("/replay", replay=GIVEN, snapshot="other.zip")).status == 404

    def test_that_a_result_is_of_another_archive_is_said(self) -> None:
        result = simulated()
        with served(InFile(archive("10"), {"v0.17.0": result})) as site:
            assert "This result is of another archive" in page(site, at("/replay", replay=GIVEN)).text
        with served(InFile(archive("14"), {"v0.17.0": result})) as site:
            assert "This result is of another archive" not in page(site, at("/replay", replay=GIVEN)).text

    def test_what_was_decided_until_a_version_failed_is_shown_as_that(self) -> None:
        crashed = recorded("07-gang+elastic", "v0.9.0")
        assert crashed.outcome is Outcome.PANICKED
        with served(InFile(archive("07"), {"v0.9.0": crashed})) as site:
            assert "what was decided until then" in page(site, at("/replay", replay=GIVEN)).text


class TestApi:
    def test_nodes_say_what_is_on_them_afterwards(self, site: Site, keys: list[str]) -> None:
        query = {"snapshot": keys[2], "replay": NAME, "version": "v0.17.0"}
        found = site.ask(at("/api/v1/visualizer/nodes", **query)).document
        SCHEMAS["nodes"].validate(found)
        decisions = {
            pod.get("decision")
            for each in found
            for slot in each["gpuSlots"]
            for pod in (*slot.get("occupants", ()), *slot.get("after", ()))
        }
        assert {"Bound", "Evicted", None} <= decisions

    def test_so_they_do_of_a_simulation(self, site: Site, keys: list[str]) -> None:
        found = site.ask(at("/api/v1/visualizer/nodes", snapshot=keys[2], replay="simulated")).document
        assert sum("after" in slot for each in found for slot in each["gpuSlots"]) > 10

    def test_a_version_that_there_is_not_is_not_found(self, site: Site, keys: list[str]) -> None:
        answer = site.ask(at("/api/v1/visualizer/nodes", snapshot=keys[2], replay=NAME, version="x"))
        assert (answer.status, answer.document["reason"]) == (404, "PageNotFound")

    def test_what_changed_is_a_document_too(self, site: Site, keys: list[str]) -> None:
        found = site.ask(at("/api/v1/snapshots/diff", **{"from": keys[0], "to": keys[1]})).document
        assert found["schemaVersion"] == "kai-snapshot.io/archive-diff/v1"
        assert (found["before"]["capture"], found["after"]["capture"]) == (keys[0], keys[1])
        assert len(found["nodes"]["added"]) == 7
        assert site.ask(at("/api/v1/snapshots/diff", **{"from": "none"})).status == 404


class TestWhatChanged:
    def test_by_default_it_is_since_the_archive_before(self, site: Site, keys: list[str]) -> None:
        found = page(site, at("/diff", snapshot=keys[1]))
        assert "2026-11-22 10:15:03Z → 2026-11-22 11:15:03Z" in found.text
        assert "h100-0014" in found.text
        chosen = {each["value"] for each in found.all("option") if "selected" in each}
        assert chosen == {keys[0], keys[1]}

    def test_any_two_can_be_compared(self, site: Site, keys: list[str]) -> None:
        found = page(site, at("/diff", snapshot=keys[2], **{"from": keys[0]}))
        assert "10:15:03Z → 2026-11-22 12:15:03Z" in found.text
        assert "Nothing changed." in page(site, at("/diff", snapshot=keys[2], **{"from": keys[2]})).text

    def test_a_step_through_time_compares_with_the_archive_before_again(self, site: Site, keys: list[str]) -> None:
        found = page(site, at("/diff", snapshot=keys[1], **{"from": keys[0]}))
        (later,) = {each["href"] for each in found.all("a") if each.get("rel") == "next"}
        assert "11:15:03Z → 2026-11-22 12:15:03Z" in page(site, later or "").text

    def test_every_page_of_an_archive_leads_to_it_but_the_first(self, site: Site, keys: list[str]) -> None:
        for path in ("/", "/jobs", "/replays"):
            links = [each for each in page(site, at(path, snapshot=keys[1])).links() if each.startswith("/diff?")]
            assert [parse_qs(urlsplit(each).query) for each in links] == [{"snapshot": [keys[1]], "from": [keys[0]]}]
        assert not [each for each in page(site, at("/", snapshot=keys[0])).links() if each.startswith("/diff?")]

    def test_numbers_that_differ_look_different(self) -> None:
        before, after = (
            views(
                nodes=[node(allocatable={"memory": str(2**40 + more)})],
                params={"maxNumberConsolidationPreemptees": 60000000000 + more},
            )
            for more in (0, 1)
        )
        with served(Given(after, before)) as site:
            found = page(site, at("/diff", **{"from": "x"})).text
        for text in ("60000000000", "60000000001", str(2**40), str(2**40 + 1)):
            assert text in found

    def test_before_the_first_there_is_nothing_to_compare_with(self, site: Site, keys: list[str]) -> None:
        assert site.ask(at("/diff", snapshot=keys[0])).status == 404


class TestTrends:
    def test_pending_jobs_gpu_use_and_fair_shares_are_computed_when_asked(self, site: Site, keys: list[str]) -> None:
        plain = page(site, "/archives")
        assert {"name": "computed", "type": "hidden", "value": "yes"} in plain.all("input")
        found = page(site, "/archives?computed=yes")
        for text in ("Pending jobs", "GPUs in use", "Fragmented GPUs", "fair share"):
            assert text in found.text
        assert "research-1" in found.text
        assert "Pending jobs: 58" in found.text
        assert "GPUs in use: 70" in found.text
        assert "Pending jobs" not in plain.text
        assert len(keys) == 3

    def test_one_archive_that_cannot_be_read_spoils_nothing_but_itself(self) -> None:
        store = MemoryStore()
        damaged = [keep(store, "10", FIRST + timedelta(hours=hour)) for hour in range(3)][1]
        store.put(damaged, io.BytesIO(b"no"))
        with served(Stored(store)) as site:
            found = page(site, "/archives?computed=yes")
            assert "ChecksumMismatch" in found.text
            assert "Pending jobs: 58 → 58" in found.text


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_nothing_else(name: str) -> None:
    whole = f"ns/{name}"
    result = ReplayResult(
        engine=Engine(name="Simulator", version=name),
        outcome=Outcome.FAILED,
        message=name,
        placements=(Placement(pod=whole, node=name),),
        evictions=(Eviction(pod="ns/b", action=name, preemptor=name),),
        pipelined=(Pipelined(pod="ns/c", node=name),),
        pod_groups=(PodGroupResult(name=name, queue=name, outcome="Unschedulable", reason=name),),
        adaptations=(name,),
        unmodelled=(name,),
    )
    found = views(
        nodes=[node(name, labels={"kai.scheduler/node-pool": name})],
        queues=[queue(name)],
        podGroups=[job("j", name)],
        pods=[pod(name, gpus=1), pod("b", name, gpus=1), pod("c", gpus=1)],
    )
    with served(Given(found, simulated=result)) as site:
        shown = page(site, at("/replay", replay="simulated"))
        tags = [tag for tag, _ in shown.elements]
        assert tags.count("script") == 1
        assert "img" not in tags
        assert shown.text.count(name) >= 8
    with served(Given(views(), found)) as site:
        shown = page(site, at("/diff", **{"from": "x"}))
        tags = [tag for tag, _ in shown.elements]
        assert "script" not in tags
        assert "img" not in tags
        assert name in shown.text


class TestDecidedMap:
    def test_of_what_changes_the_left_half_is_before_and_the_right_half_after(self) -> None:
        found = views(
            nodes=[node(gpus=3)],
            podGroups=[job()],
            pods=[pod("a", "n", gpus=1), pod("b", "n", gpus=1), pod("c", gpus=1)],
        )
        result = ReplayResult(
            engine=Engine(),
            outcome=Outcome.SUCCEEDED,
            evictions=(Eviction(pod="ns/a", action="reclaim"),),
            pipelined=(Pipelined(pod="ns/c", node="n"),),
        )
        drawn = decided_map(overlay(found, result).nodes)
        assert drawn.layers == {
            "stays": "M14 14h10v10h-10z",
            "evicted": "M2 14h5v10h-5z",
            "pipelined": "M7 14h5v10h-5z",
            "bound": "",
            "left": "",
        }
        assert (drawn.changed, drawn.nodes) == ("M2 14h10v10h-10z", 1)

    def test_one_that_was_on_its_way_out_already_is_neither_evicted_nor_stays(self) -> None:
        pods = [pod("a", "n", gpus=1, deleted=rfc3339(NOW)), pod("c", gpus=1)]
        found = views(nodes=[node(gpus=1)], podGroups=[job()], pods=pods)
        result = ReplayResult(engine=Engine(), outcome=Outcome.SUCCEEDED, pipelined=(Pipelined(pod="ns/c", node="n"),))
        drawn = decided_map(overlay(found, result).nodes)
        assert {name for name, path in drawn.layers.items() if path} == {"left", "pipelined"}
        with served(Given(found, simulated=result)) as site:
            assert "was on its way out already" in page(site, at("/replay", replay="simulated")).text

    def test_a_thousand_nodes_are_a_few_shapes(self) -> None:
        nodes = [node(f"n{i:04}") for i in range(1000)]
        found = views(nodes=nodes, podGroups=[job()], pods=[pod(f"p{i}", gpus=1) for i in range(1000)])
        result = ReplayResult(
            engine=Engine(),
            outcome=Outcome.SUCCEEDED,
            placements=tuple(Placement(pod=f"ns/p{i}", node=f"n{i:04}") for i in range(1000)),
        )
        with served(Given(found, simulated=result)) as site:
            shown = Page(site.ask(at("/replay", replay="simulated")))
        assert len(shown.all("path")) < 30
        assert len(shown.all("text")) == 1000
