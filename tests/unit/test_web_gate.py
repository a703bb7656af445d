"""Who may not read the captures sees nothing; who may, signs in."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from starlette.types import Receive, Scope, Send

from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.runs.admit import admit
from kai_snapshot.source import ApiConnection
from kai_snapshot.web.gate import COOKIE, REMEMBERED_SECONDS, Gate
from support.apiserver import ApiServer, serving
from support.served import Answer, Given, Site, served
from support.viewed import job, node, pod, views

SECRET = "nobody-sees-this"
SHOWN = (
    "/", "/queues", "/jobs", "/nodes", "/archives", "/replays", "/replay?replay=simulated", "/diff",
    "/api/v1/snapshots", "/api/v1/snapshots/diff", "/api/v1/openapi.json", "/absent",
    *(f"/api/v1/visualizer/{name}" for name in ("summary", "queues", "jobs", "nodes")),
)  # fmt: skip
REASONS = {"bad": Reason.UNAUTHORIZED, "other": Reason.FORBIDDEN}


async def allows(token: str) -> None:
    """Lets in who says `good`."""
    if token == "away":
        raise TransientError(Reason.API_UNREACHABLE, "The API server is away.")
    if token != "good":
        raise TerminalError(REASONS[token], f"It is {REASONS[token]}.")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    found = views(nodes=[node(SECRET)], podGroups=[job(SECRET)], pods=[pod(SECRET, SECRET, gpus=1, job=SECRET)])
    with served(Given(found), origin=None, admit=allows) as site:
        yield site


def sign_in(site: Site, token: str, target: str = "/", **headers: str) -> Answer:
    return site.ask("/sign-in", "POST", urlencode({"token": token, "next": target}), **headers)


@pytest.mark.parametrize("path", SHOWN)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer bad"},
        {"Authorization": "Bearer other"},
        {"Authorization": "Bearer away"},
        {"Authorization": "Basic good"},
        {"Authorization": "good"},
        {"Cookie": f"{COOKIE}=bad"},
        {"Cookie": f"{COOKIE}=good\x01"},
        {"Cookie": f"{COOKIE}=good", "Authorization": "Bearer bad"},
    ],
    ids=["nothing", "not valid", "may not", "unknown", "no bearer", "no scheme", "cookie", "odd cookie", "both"],
)
def test_nothing_is_served_to_who_may_not_see_it(site: Site, path: str, method: str, headers: dict[str, str]) -> None:
    answer = site.ask(path, method, **headers)
    assert answer.status in (303, 401, 403, 503)
    assert SECRET.encode() not in answer.body
    assert answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer good"}, {"Cookie": f"{COOKIE}=good"}])
def test_who_may_see_it_sees_it(site: Site, headers: dict[str, str]) -> None:
    assert SECRET in site.ask("/nodes", **headers).body.decode()
    assert site.ask("/api/v1/visualizer/nodes", **headers).document[0]["name"] == SECRET


@pytest.mark.parametrize(("token", "status"), [("bad", 401), ("other", 403), ("away", 503)])
def test_the_api_says_why(site: Site, token: str, status: int) -> None:
    answer = site.ask("/api/v1/visualizer/summary", Authorization=f"Bearer {token}")
    assert (answer.status, answer.document["reason"]) == (status, REASONS.get(token, Reason.API_UNREACHABLE))
    assert answer.headers["WWW-Authenticate"] == ("Bearer" if status == 401 else None)
    assert answer.headers["Access-Control-Allow-Origin"] is None


def test_the_style_and_health_are_for_everybody(site: Site) -> None:
    assert site.ask("/static/style.css").status == site.ask("/healthz").status == 200


class TestSigningIn:
    def test_a_page_leads_there_and_back(self, site: Site) -> None:
        led = site.ask("/jobs?status=Pending&name=a%26b")
        assert (led.status, led.headers["Location"]) == (
            303,
            "/sign-in?next=%2Fjobs%3Fstatus%3DPending%26name%3Da%2526b",
        )
        form = site.ask(led.headers["Location"])
        assert 'value="/jobs?status=Pending&amp;name=a%26b"' in form.body.decode()
        back = sign_in(site, "good", "/jobs?status=Pending")
        assert (back.status, back.headers["Location"]) == (303, "/jobs?status=Pending")

    def test_the_cookie_is_for_this_server_alone(self, site: Site) -> None:
        cookie = sign_in(site, "good").headers["Set-Cookie"]
        assert cookie.startswith(f"{COOKIE}=good;")
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}

    def test_behind_tls_it_is_for_tls_alone(self) -> None:
        with served(Given(views()), origin=None, admit=allows, tls=True) as site:
            cookie = sign_in(site, "good").headers["Set-Cookie"]
            assert cookie.startswith("__Host-")
            assert {"Secure", "Path=/"} <= {part.strip() for part in cookie.split(";")}
            kept = cookie.partition(";")[0]
            assert 'action="/sign-out"' in site.ask("/queues", Cookie=kept).body.decode()
            gone = site.ask("/sign-out", "POST", Cookie=kept).headers["Set-Cookie"]
            assert gone.startswith(f'{kept.partition("=")[0]}=""')
            assert "Secure" in gone
            assert site.ask("/queues", Cookie=kept.removeprefix("__Host-")).status == 303

    @pytest.mark.parametrize("token", ["bad", "other", "away", ""])
    def test_a_second_try_leads_where_the_first_would_have(self, site: Site, token: str) -> None:
        assert 'value="/queues?resource=cpu"' in sign_in(site, token, "/queues?resource=cpu").body.decode()

    def test_a_browser_says_that_a_form_is_from_our_own_page(self, site: Site) -> None:
        """With the policy `no-referrer` the Origin of a form is null."""
        assert site.ask("/sign-in").headers["Referrer-Policy"] == "same-origin"

    def test_who_may_not_see_a_page_is_led_there_with_another_token(self, site: Site) -> None:
        answer = site.ask("/queues?resource=cpu", Authorization="Bearer other")
        assert 'value="/queues?resource=cpu"' in answer.body.decode()

    @pytest.mark.parametrize("token", ["bad", "other", "away", "", "a b", "x" * 5000, "<script>"])
    def test_no_other_token_gets_one(self, site: Site, token: str) -> None:
        answer = sign_in(site, token)
        assert answer.status in (400, 401, 403, 503)
        assert answer.headers["Set-Cookie"] is None
        assert token not in answer.body.decode() or len(token) < 6

    @pytest.mark.parametrize(
        "target",
        [
            *("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil", ""),
            *("/\r\nX: y", "/\t/evil.example", "//["),
        ],
    )
    def test_it_leads_nowhere_else(self, site: Site, target: str) -> None:
        assert sign_in(site, "good", target).headers["Location"] == "/"

    @pytest.mark.parametrize(
        "headers",
        [
            *({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://["}),
            {"Sec_Fetch_Site": "cross-site"},
        ],
    )
    def test_another_sites_form_signs_nobody_in_or_out(self, site: Site, headers: dict[str, str]) -> None:
        assert sign_in(site, "good", **headers).status == 403
        assert site.ask("/sign-out", "POST", **headers).status == 403

    def test_a_form_that_leads_to_no_address_leads_home(self, site: Site) -> None:
        assert 'value="/"' in site.ask("/sign-in?next=//[").body.decode()

    def test_our_own_form_does(self, site: Site) -> None:
        assert sign_in(site, "good", Origin=site.url, Sec_Fetch_Site="same-origin").status == 303

    def test_signing_out_forgets_the_token(self, site: Site) -> None:
        answer = site.ask("/sign-out", "POST", Cookie=f"{COOKIE}=good")
        assert (answer.status, answer.headers["Location"]) == (303, "/sign-in")
        assert f'{COOKIE}=""' in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/", "/queues", "/absent/", "/healthz/", "/static"])
@pytest.mark.parametrize("host", ["[", "[::1", "a/b?c", "\xff"])
def test_a_host_that_is_none_is_no_fault(caplog: pytest.LogCaptureFixture, path: str, host: str) -> None:
    with served(Given(views()), origin=None, hosts=None, admit=allows) as site:
        for headers in ({}, {"Authorization": "Bearer good"}):
            answer = site.ask(path, Host=host, **headers)
            assert answer.status != 500
            assert answer.headers["Content-Security-Policy"]
    assert not caplog.records


def test_a_fault_of_the_gate_is_told_as_any_other(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(token: str) -> None:
        raise RuntimeError("/secret/path")

    with served(Given(views()), origin=None, admit=broken) as site:
        answer = site.ask("/api/v1/snapshots", Authorization="Bearer good")
    assert (answer.status, answer.document["reason"]) == (500, "InternalError")
    assert answer.headers["Content-Security-Policy"]
    assert "/secret/path" in caplog.text


def test_an_answer_is_remembered_for_a_while_and_no_longer() -> None:
    asked: list[str] = []

    async def counting(token: str) -> None:
        asked.append(token)
        await allows(token)

    now = [0.0]
    gate = Gate(unreachable, counting, clock=lambda: now[0])
    for moment in (0.0, REMEMBERED_SECONDS - 1, REMEMBERED_SECONDS + 1):
        now[0] = moment
        assert asyncio.run(gate.refusal("good")) is None
        assert asyncio.run(gate.refusal("bad")) is not None
    assert asked == ["good", "bad"] * 2


def test_that_the_api_server_was_away_is_not_remembered_and_not_told_in_detail() -> None:
    async def away(token: str) -> None:
        asked.append(token)
        raise TransientError(Reason.API_UNREACHABLE, "https://10.0.0.1 refuses")

    asked: list[str] = []
    gate = Gate(unreachable, away)
    for _ in range(2):
        refusal = asyncio.run(gate.refusal("good"))
        assert refusal is not None
        assert "10.0.0.1" not in refusal.message
    assert asked == ["good", "good"]


async def unreachable(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError


REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def ask(token: str, *, allowed: bool) -> ApiServer:
    """Asks an API server that takes the token `theirs` only."""

    async def story() -> ApiServer:
        known = ApiServer(objects={REVIEWS: {"status": {"allowed": allowed}}}, token="theirs")
        async with serving(known) as server:
            await admit(ApiConnection(server=server.url, token="theirs"), token, namespace="ns")
        return known

    return asyncio.run(story())


class TestAdmit:
    """The API server's answer counts; the server's own identity does not."""

    def test_who_may_list_captures_is_let_in(self) -> None:
        assert ask("theirs", allowed=True).requests == [f"POST {REVIEWS}"]

    @pytest.mark.parametrize(
        ("token", "allowed", "reason"),
        [("theirs", False, Reason.FORBIDDEN), ("another", True, Reason.UNAUTHORIZED)],
        ids=["may not", "not valid"],
    )
    def test_others_are_not(self, token: str, allowed: bool, reason: Reason) -> None:
        with pytest.raises(TerminalError) as refused:
            ask(token, allowed=allowed)
        assert refused.value.reason is reason
        assert "another" not in refused.value.message

    def test_without_an_api_server_nobody_is(self) -> None:
        with pytest.raises(TransientError):
            asyncio.run(admit(ApiConnection(server="http://127.0.0.1:1"), "theirs", namespace="ns"))
