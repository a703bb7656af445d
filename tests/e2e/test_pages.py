"""The pages beside the operator: who may list the captures sees them, and nobody else anything."""

import secrets
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest

from kai_snapshot.web.gate import COOKIE
from stage import images, stage
from stage.kube import Kube
from stage.stage import Cast
from support.objects import Object, capture
from support.operatorpod import Operator
from support.served import Site
from support.story import Story
from support.viewed import SCHEMAS, documents, views_of

SERVICE = "kai-snapshot-pages"
VIEWER = "kai-snapshot-viewer"
PAGES = ("/", "/queues", "/jobs", "/nodes", "/replays", "/replay?replay=simulated", "/archives")
API = ("/api/v1/snapshots", "/api/v1/openapi.json", *(f"/api/v1/visualizer/{name}" for name in SCHEMAS))
GET_ONLY = {"apiGroups": ["kai-snapshot.io"], "resources": ["snapshotcaptures"], "verbs": ["get", "watch"]}
LIST = {**GET_ONLY, "verbs": ["list"]}


@pytest.fixture(scope="module")
def key(kube: Kube) -> Iterator[str]:
    """The key of an archive on the claim that the pages show."""
    story = Story(kube)
    created = story.create(capture(f"shown-{secrets.token_hex(2)}", storage={"pvc": {"claimName": "archives"}}))
    uri: str = story.finished(created)["status"]["lastSuccessfulCapture"]["uri"]
    yield uri.removeprefix("pvc://archives/")
    story.end()


@pytest.fixture(scope="module")
def site(kube: Kube) -> Iterator[Site]:
    """As people reach it."""
    with kube.forward(f"service/{SERVICE}", stage.NAMESPACE, 80) as port:
        yield Site(port)


@pytest.fixture(scope="module")
def token(kube: Kube) -> str:
    """Of the component's ServiceAccount, who may."""
    return token_of(kube, VIEWER, stage.NAMESPACE)


def token_of(kube: Kube, account: str, namespace: str, *arguments: str) -> str:
    """What `kubectl create token` prints."""
    return kube.run("create", "token", account, f"--namespace={namespace}", *arguments).strip()


def about(path: str, key: str) -> str:
    """The path, with the archive in its query."""
    return f"{path}{'&' if '?' in path else '?'}{urlencode({'snapshot': key})}"


@pytest.mark.parametrize("path", [*PAGES, *API, "/diff", "/api/v1/snapshots/diff", "/absent"])
def test_without_a_token_nothing_is_served(site: Site, key: str, path: str) -> None:
    for asked in (path, about(path, key)):
        answer = site.ask(asked)
        if path.startswith("/api/"):
            assert (answer.status, answer.document["reason"]) == (401, "Unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        else:
            assert (answer.status, answer.body) == (303, b"")
            assert answer.headers["Location"].startswith("/sign-in?next=")
        assert tells_nothing(answer.body, key)


def tells_nothing(body: bytes, key: str) -> bool:
    """Whether no name of the capture or of a node is in it."""
    names = (key.split("/")[1], "h100-")
    return not any(name.encode() in body for name in names)


@pytest.fixture(scope="module", params=["garbage", "altered", "revoked", "may nothing", "may get", "may elsewhere"])
def stranger(request: pytest.FixtureRequest, kube: Kube, token: str) -> Iterator[tuple[str, int]]:
    """A token that is not accepted, or of who may not list the captures here, and the status that says so."""
    story = Story(kube)
    make: dict[str, Callable[[], tuple[str, int]]] = {
        "garbage": lambda: ("garbage", 401),
        "altered": lambda: (token[:-6] + "AAAAAA", 401),
        "revoked": lambda: (revoked(kube, story), 401),
        "may nothing": lambda: (token_of(kube, "default", stage.NAMESPACE), 403),
        "may get": lambda: (person(kube, story, stage.NAMESPACE, GET_ONLY), 403),
        "may elsewhere": lambda: (person(kube, story, stage.OTHER_NAMESPACE, LIST), 403),
    }
    yield make[request.param]()
    story.end()


def test_strangers_see_nothing(site: Site, key: str, stranger: tuple[str, int]) -> None:
    told, status = stranger
    for headers in ({"Authorization": f"Bearer {told}"}, {"Cookie": f"{COOKIE}={told}"}):
        for path in API:
            answer = site.ask(path, **headers)
            assert answer.status == status
            assert answer.document["reason"] == {401: "Unauthorized", 403: "Forbidden"}[status]
            assert tells_nothing(answer.body, key)
        for path in PAGES:
            answer = site.ask(path, **headers)
            assert answer.status == (303 if status == 401 else 403)
            assert tells_nothing(answer.body, key)


def test_strangers_cannot_sign_in(site: Site, key: str, stranger: tuple[str, int]) -> None:
    told, status = stranger
    answer = site.ask("/sign-in", "POST", urlencode({"token": told}))
    assert (answer.status, answer.headers["Set-Cookie"]) == (status, None)
    assert tells_nothing(answer.body, key)
    assert told.encode() not in answer.body


def revoked(kube: Kube, story: Story) -> str:
    """A token of who may, bound to an object that is gone."""
    secret = story.create(stage.secret(f"bound-{secrets.token_hex(2)}", stage.NAMESPACE, {}))
    name = secret["metadata"]["name"]
    bound = ("--bound-object-kind=Secret", f"--bound-object-name={name}")
    made = token_of(kube, VIEWER, stage.NAMESPACE, *bound)
    kube.delete("secret", name, stage.NAMESPACE)
    return made


def person(kube: Kube, story: Story, namespace: str, rule: Object) -> str:
    """The token of somebody who may do that in a namespace."""
    metadata = {"name": f"person-{secrets.token_hex(2)}", "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    story.create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": metadata["name"]},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
    )
    return token_of(kube, metadata["name"], namespace)


def test_who_may_list_the_captures_sees_what_is_in_them(site: Site, key: str, token: str, players: Cast) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    found = {}
    for name, schema in SCHEMAS.items():
        answer = site.ask(about(f"/api/v1/visualizer/{name}", key), **bearer)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, None)
        schema.validate(answer.document)
        found[name] = answer.document
    if players.scheduler_is_standin:
        expected = documents(views_of(images.CORPUS / stage.ARCHIVE / "snapshot.zip"))
        assert found["summary"].pop("source")["capture"] == key
        del expected["summary"]["source"]
        assert found["summary"] == expected["summary"]
        assert found["nodes"] == expected["nodes"]
    assert key in [each["snapshot"] for each in site.ask("/api/v1/snapshots", **bearer).document]
    for path in PAGES:
        answer = site.ask(about(path, key), **bearer)
        assert (answer.status, tells_nothing(answer.body, key)) == (200, False)


def test_a_token_is_given_once_and_kept_where_no_script_and_no_other_site_gets_at_it(
    site: Site, key: str, token: str
) -> None:
    signed_in = site.ask("/sign-in", "POST", urlencode({"token": token, "next": "/queues"}))
    assert (signed_in.status, signed_in.headers["Location"]) == (303, "/queues")
    cookie, *attributes = (part.strip() for part in signed_in.headers["Set-Cookie"].split(";"))
    assert {"HttpOnly", "SameSite=strict"} <= set(attributes)
    assert not {each.partition("=")[0].lower() for each in attributes} & {"domain", "expires", "max-age"}
    answer = site.ask("/archives", Cookie=cookie)
    assert (answer.status, tells_nothing(answer.body, key)) == (200, False)
    out = site.ask("/sign-out", "POST", Cookie=cookie)
    assert out.headers["Set-Cookie"].startswith(f'{COOKIE}=""')


def test_in_the_cluster_the_service_leads_there(kube: Kube, key: str) -> None:
    ask = (
        "import sys, urllib.error, urllib.request\n"
        "try: urllib.request.urlopen(sys.argv[1])\n"
        "except urllib.error.HTTPError as answer: print(answer.code)"
    )
    url = f"http://{SERVICE}.{stage.NAMESPACE}.svc/api/v1/visualizer/summary"
    assert kube.execute("pod/archives", stage.NAMESPACE, "python3", "-c", ask, url) == "401\n"


def test_they_read_the_archives_and_cannot_write_there(kube: Kube, operator: Operator, key: str) -> None:
    (pod,) = kube.list("pods", stage.NAMESPACE, selector=f"app.kubernetes.io/name={stage.OPERATOR}")
    pages = next(each for each in pod["status"]["containerStatuses"] if each["name"] == "pages")
    assert (pages["ready"], pages["restartCount"]) == (True, 0)
    script = (
        f"head -c2 /claims/archives/{key}; touch /claims/archives/x 2>/dev/null || touch /x 2>/dev/null || echo -no"
    )
    exec_ = ("exec", operator.pod_name(), "--container=pages", f"--namespace={stage.NAMESPACE}")
    assert kube.run(*exec_, "--", "sh", "-c", script) == "PK-no\n"


def test_they_have_no_token_of_the_operators(operator: Operator, kube: Kube) -> None:
    mount = "/var/run/secrets/kubernetes.io/serviceaccount"
    exec_ = ("exec", operator.pod_name(), f"--namespace={stage.NAMESPACE}")
    assert kube.run(*exec_, "--container=pages", "--", "ls", mount) == "ca.crt\n"
    assert kube.run(*exec_, "--container=operator", "--", "ls", mount) == "ca.crt\nnamespace\ntoken\n"
