"""The visualizer API over HTTP."""

import gzip
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from kai_snapshot.api.result import ReplayResult
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.runs.look import InFile
from support.eventually import eventually
from support.served import Given, Site, served
from support.simulated import CORPUS
from support.viewed import SCHEMAS, documents, job, node, pod, queue, views, views_of

RUNNING = CORPUS / "18-gang+fraction+cpu+selector+taint+running+overq+prio+limit+elastic+three" / "snapshot.zip"
API = "/api/v1/visualizer"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with served(InFile(RUNNING)) as site:
        yield site


class TestDocuments:
    @pytest.mark.parametrize("name", ["summary", "queues", "jobs", "nodes"])
    def test_each_is_the_document_about_the_archive(self, site: Site, name: str) -> None:
        answer = site.ask(f"{API}/{name}")
        assert answer.status == 200
        assert answer.body.endswith(b"\n")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        SCHEMAS[name].validate(answer.document)
        if name != "summary":  # that one tells its source
            assert answer.document == documents(views_of(RUNNING))[name]

    @pytest.mark.parametrize(
        ("query", "namespaces"), [("?namespace=", 11), ("?namespace=prod-0", 1), ("?namespace=none", 0)]
    )
    def test_jobs_are_those_of_the_namespace(self, site: Site, query: str, namespaces: int) -> None:
        found = site.ask(f"{API}/jobs{query}").document
        expected = {
            each.namespace
            for each in views_of(RUNNING).jobs
            if query in ("?namespace=", f"?namespace={each.namespace}")
        }
        assert {each["namespace"] for each in found} == expected
        assert namespaces or found == []

    def test_what_did_not_change_is_not_sent_again(self, site: Site) -> None:
        tag = site.ask(f"{API}/nodes").headers["ETag"]
        answer = site.ask(f"{API}/nodes", If_None_Match=tag)
        assert (answer.status, answer.body) == (304, b"")

    def test_large_ones_are_compressed_for_who_can_read_that(self, site: Site) -> None:
        answer = site.ask(f"{API}/nodes", Accept_Encoding="gzip")
        assert answer.headers["Content-Encoding"] == "gzip"
        SCHEMAS["nodes"].validate(json.loads(gzip.decompress(answer.body)))

    def test_names_are_sent_as_they_are_and_never_as_html(self) -> None:
        name = "<script>alert(1)</script>\u202e"
        found = views(
            nodes=[node(name)],
            queues=[queue(name)],
            podGroups=[job(name, name)],
            pods=[pod(name, name, gpus=1, job=name)],
        )
        with served(Given(found)) as site:
            for kind in ("queues", "jobs", "nodes"):
                answer = site.ask(f"{API}/{kind}")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.document[0]["name"] == name

    def test_nothing_of_config_maps_and_environments_is_in_any(self, site: Site) -> None:
        for kind in ("summary", "queues", "jobs", "nodes"):
            assert not {"data", "env", "spec", "annotations"} & _keys(site.ask(f"{API}/{kind}").document)


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(key for below in value.values() for key in _keys(below))}
    return {key for below in value for key in _keys(below)} if isinstance(value, list) else set()


class TestOpenApi:
    def test_it_is_valid_and_has_every_address(self, site: Site) -> None:
        document = site.ask("/api/v1/openapi.json").document
        validate(document)
        assert set(document["paths"]) == {f"{API}/{name}" for name in SCHEMAS} | {
            "/api/v1/snapshots",
            "/api/v1/snapshots/diff",
        }

    def test_what_can_come_back_is_in_it(self, site: Site) -> None:
        """Every status that the application gives, besides those of faults and of a sign-in."""
        answers = {
            "200": site.ask(f"{API}/nodes"),
            "304": site.ask(f"{API}/nodes", If_None_Match=site.ask(f"{API}/nodes").headers["ETag"]),
            "404": site.ask(f"{API}/nodes?snapshot=absent"),
            "405": site.ask(f"{API}/nodes", "POST"),
            "421": site.ask(f"{API}/nodes", Host="evil.example"),
        }
        assert {name: str(each.status) for name, each in answers.items()} == {name: name for name in answers}
        document = site.ask("/api/v1/openapi.json").document
        described = document["paths"][f"{API}/nodes"]["get"]["responses"]
        assert answers.keys() | {"422", "500", "503"} <= described.keys()
        assert "401" not in described
        assert "security" not in document

    def test_with_a_sign_in_a_token_is(self) -> None:
        async def everybody(token: str) -> None:
            del token

        with served(Given(views()), origin=None, admit=everybody) as site:
            document = site.ask("/api/v1/openapi.json", Authorization="Bearer any").document
        validate(document)
        ((name, scheme),) = document["components"]["securitySchemes"].items()
        assert (scheme["type"], scheme["scheme"], document["security"]) == ("http", "bearer", [{name: []}])
        assert all({"401", "403"} <= each["get"]["responses"].keys() for each in document["paths"].values())

    def test_every_field_of_the_contract_is_in_it(self, site: Site) -> None:
        schemas = site.ask("/api/v1/openapi.json").document["components"]["schemas"]
        contract = json.loads((CORPUS.parent / "visualizer.schema.json").read_bytes())["$defs"]
        models = {
            "summary": "ClusterSummary", "queue": "QueueView", "task": "TaskView", "job": "JobView", "slot": "GPUSlot",
            "node": "NodeView", "resourceStats": "ResourceStats",
        }  # fmt: skip
        for name, model in models.items():
            assert set(contract[name]["properties"]) <= set(schemas[model]["properties"])
            assert set(contract[name]["required"]) <= set(schemas[model]["required"])


class TestFailures:
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    @pytest.mark.parametrize("name", ["summary", "queues", "jobs", "nodes"])
    def test_nothing_can_be_changed(self, site: Site, name: str, method: str) -> None:
        answer = site.ask(f"{API}/{name}", method)
        assert (answer.status, answer.document["reason"]) == (405, "MethodNotAllowed")
        assert "GET" in answer.headers["Allow"]

    def test_what_is_not_there_is_not_found(self, site: Site) -> None:
        answer = site.ask("/api/v1/visualizer/everything")
        assert (answer.status, answer.document["reason"]) == (404, "PageNotFound")

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (TerminalError(Reason.ARCHIVE_NOT_FOUND, "m"), 404),
            (TerminalError(Reason.INVALID_SPEC, "m"), 400),
            (TerminalError(Reason.CONFIG_NULL, "m"), 422),
            (TransientError(Reason.SOURCE_UNREACHABLE, "m"), 503),
            (TerminalError(Reason.NOT_A_ZIP, "m"), 500),
        ],
        ids=lambda each: each.reason if isinstance(each, SnapshotError) else str(each),
    )
    def test_a_failure_has_its_reason(self, error: SnapshotError, status: int) -> None:
        with served(Given(error)) as site:
            answer = site.ask(f"{API}/summary?snapshot=x")
        assert (answer.status, answer.document) == (status, {"reason": error.reason, "message": "m"})
        assert answer.headers["Retry-After"] == ("5" if status == 503 else None)

    def test_a_fault_tells_nothing_of_the_inside_and_is_not_the_end(self, caplog: pytest.LogCaptureFixture) -> None:
        with served(Given(RuntimeError("/secret/path"), views())) as site:
            answer = site.ask(f"{API}/summary")
            assert (answer.status, answer.document["reason"]) == (500, "InternalError")
            assert b"secret" not in answer.body
            assert answer.headers["Content-Security-Policy"]
            assert site.ask(f"{API}/summary").status == 200
        assert "/secret/path" in caplog.text


class TestGuard:
    def test_every_answer_tells_the_browser_to_trust_nothing_else(self, site: Site) -> None:
        for path in ("/", f"{API}/summary", "/api/v1/openapi.json", "/nothing"):
            headers = site.ask(path).headers
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Server"] is None

    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]:80"])
    def test_on_loopback_a_name_that_is_not_ours_is_refused(self, site: Site, host: str) -> None:
        answer = site.ask(f"{API}/summary", Host=host)
        assert (answer.status, answer.document["reason"]) == (421, "HostNotServed")

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"])
    def test_our_names_are_served(self, site: Site, host: str) -> None:
        assert site.ask("/healthz", Host=host).status == 200

    def test_another_sites_page_may_ask_whether_it_may_read_the_api(self, site: Site) -> None:
        asks = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "if-none-match"}
        answer = site.ask(f"{API}/summary", "OPTIONS", Origin="https://console.example", **asks)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == answer.headers["Access-Control-Allow-Headers"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
        assert site.ask("/queues", "OPTIONS", **asks).status == 405
        assert site.ask(f"{API}/summary", "OPTIONS").status == 405
        with served(Given(views()), origin=None) as closed:
            refused = closed.ask(f"{API}/summary", "OPTIONS", **asks)
        assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (405, None)

    @pytest.mark.parametrize("dest", ["image", "iframe", "script", "empty"])
    def test_another_sites_page_cannot_have_us_work(self, site: Site, dest: str) -> None:
        mode = "navigate" if dest == "iframe" else "no-cors"
        asks = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": dest}
        for path in ("/", "/archives?computed=yes", "/jobs?why=simulated"):
            answer = site.ask(path, **asks)
            assert (answer.status, answer.document["reason"]) == (403, "Forbidden")
        assert site.ask(f"{API}/summary", **asks).status == 200
        with served(Given(views()), origin=None) as closed:
            assert closed.ask(f"{API}/summary", **asks).status == 403

    @pytest.mark.parametrize("whence", ["cross-site", "same-site", "same-origin", "none"])
    def test_a_link_may_lead_here_from_anywhere(self, site: Site, whence: str) -> None:
        follows = {"Sec_Fetch_Site": whence, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
        assert site.ask("/queues", **follows).status == 200

    def test_whose_pages_may_read_it_is_what_was_said(self) -> None:
        with served(Given(views()), origin="https://console.example") as site:
            assert site.ask(f"{API}/summary").headers["Access-Control-Allow-Origin"] == "https://console.example"
        with served(Given(views()), origin=None) as site:
            assert site.ask(f"{API}/summary").headers["Access-Control-Allow-Origin"] is None


def test_one_request_at_a_time_looks() -> None:
    place = Given(views())
    with served(place) as site, ThreadPoolExecutor(16) as askers:
        statuses = list(askers.map(lambda n: site.ask(f"{API}/summary?snapshot={n}").status, range(32)))
    assert statuses == [200] * 32
    assert place.most == 1
    assert sorted(map(int, place.wanted)) == list(range(32))


def test_while_the_simulator_thinks_others_look() -> None:
    thinks, enough = threading.Event(), threading.Event()

    class Slow(Given):
        def simulated(self, wanted: str) -> ReplayResult:
            thinks.set()
            assert enough.wait(30)
            return super().simulated(wanted)

    with served(Slow(views())) as site, ThreadPoolExecutor(1) as asker:
        asked = asker.submit(site.ask, "/jobs?why=simulated")
        assert thinks.wait(30)
        assert site.ask("/queues").status == 200
        enough.set()
        assert asked.result().status == 200


def test_it_looks_before_somebody_asks_and_tells_what_went_wrong_when_somebody_does() -> None:
    place = Given(TransientError(Reason.SOURCE_UNREACHABLE, "m"))
    with served(place, ahead=True) as site:
        eventually(lambda: place.wanted == [""], timeout=10, interval=0.01)
        assert site.ask(f"{API}/summary").status == 503


def test_a_large_cluster_is_served_in_time(tmp_path: Path) -> None:
    groups = [job(f"j{i}") for i in range(3000)]
    pods = [pod(f"p{i}", f"n{i % 300}", gpus=1, job=f"j{i}") for i in range(2400)]
    found = views(nodes=[node(f"n{i}") for i in range(300)], queues=[queue()], podGroups=groups, pods=pods)
    with served(Given(found)) as site:
        assert len(site.ask(f"{API}/jobs").document) == 3000
        assert site.ask(f"{API}/summary").document["allocatedGPUs"] == 2400
