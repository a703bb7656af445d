import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.source import ApiConnection, KubernetesApi
from kai_snapshot.source.request import Request
from support import kai
from support.apiserver import ApiServer, serving
from support.certificates import Authority

PODS = "/api/v1/namespaces/kai-scheduler/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/kai-scheduler/deployments"
T = TypeVar("T")


def ask(
    server: ApiServer,
    question: Callable[[KubernetesApi], Awaitable[T]],
    *,
    tls: ssl.SSLContext | None = None,
    **connection: object,
) -> T:
    async def conversation() -> T:
        async with serving(server, tls=tls):
            settings = {"server": server.url, **connection}
            async with KubernetesApi.connect(ApiConnection.model_validate(settings)) as api:
                return await question(api)

    return asyncio.run(conversation())


def test_lists_are_read_page_by_page() -> None:
    server = ApiServer(lists={PODS: [kai.pod(f"pod-{n}") for n in range(7)]}, page_size=3)

    pods = ask(server, lambda api: api.pods("kai-scheduler", labels={"app": "kai-scheduler-default"}))

    assert [pod.metadata.name for pod in pods] == [f"pod-{n}" for n in range(7)]
    assert len(server.requests) == 3


def test_pods_are_chosen_by_the_server() -> None:
    server = ApiServer(lists={PODS: [kai.pod("a"), kai.pod("b", of="binder")]})

    pods = ask(server, lambda api: api.pods("kai-scheduler", labels={"app": "binder"}))

    assert [pod.metadata.name for pod in pods] == ["b"]


def test_what_does_not_exist_is_none() -> None:
    server = ApiServer()

    assert ask(server, lambda api: api.lease("kai-scheduler", "x")) is None
    assert ask(server, lambda api: api.config_map("kai-scheduler", "x")) is None
    assert ask(server, lambda api: api.log_tail("kai-scheduler", "x", container="c")) is None
    assert ask(server, lambda api: api.deployments("no-such-namespace")) == []


def test_the_cluster_is_told_by_its_uid_and_version() -> None:
    server = ApiServer(
        objects={
            "/api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system", "uid": "0b3c"}},
            "/version": {"major": "1", "minor": "35", "gitVersion": "v1.35.4"},
        }
    )

    assert ask(server, lambda api: api.cluster_uid()) == "0b3c"
    assert ask(server, lambda api: api.server_version()) == "v1.35.4"


def test_a_log_is_asked_for_by_its_end() -> None:
    server = ApiServer(texts={f"{PODS}/a/log": "last words\n"})

    assert ask(server, lambda api: api.log_tail("kai-scheduler", "a", container="c")) == "last words\n"
    assert "tailLines=5000" in server.requests[0]
    assert "limitBytes=2097152" in server.requests[0]


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        pytest.param(401, TerminalError, Reason.UNAUTHORIZED, id="credentials not accepted"),
        pytest.param(403, TerminalError, Reason.FORBIDDEN, id="rights missing"),
        pytest.param(410, TransientError, Reason.API_UNREACHABLE, id="list expired between pages"),
        pytest.param(429, TransientError, Reason.API_UNREACHABLE, id="too many requests"),
        pytest.param(500, TransientError, Reason.API_UNREACHABLE, id="internal error"),
        pytest.param(503, TransientError, Reason.API_UNREACHABLE, id="starting"),
    ],
)
def test_refusals_have_their_reason(status: int, error: type[TerminalError | TransientError], reason: Reason) -> None:
    server = ApiServer(statuses={DEPLOYMENTS: status})

    with pytest.raises(error) as caught:
        ask(server, lambda api: api.deployments("kai-scheduler"))

    assert caught.value.reason is reason
    assert 'User "jane"' in caught.value.message


@pytest.mark.parametrize(("busy", "asked"), [(2, 3), (100, 5)])
def test_a_busy_server_is_asked_again_a_few_times(busy: int, asked: int) -> None:
    server = ApiServer(objects={"/version": {"gitVersion": "v1.35.4"}}, busy={"/version": busy})
    if asked == 5:
        with pytest.raises(TransientError, match="answered 429 to `get /version`: too many requests"):
            ask(server, lambda api: api.server_version())
    else:
        assert ask(server, lambda api: api.server_version()) == "v1.35.4"
    assert len(server.requests) == asked


def test_what_changes_something_is_told_to_a_busy_server_once() -> None:
    server = ApiServer(places={PODS}, busy={PODS: 1})
    request = Request(path=PODS, verbs=["create"], resource="pods")
    with pytest.raises(TransientError, match="answered 429 to `create pods`"):
        ask(server, lambda api: api.create(request, {}))
    assert len(server.requests) == 1


def test_missing_rights_are_told_with_the_rule_that_gives_them() -> None:
    with pytest.raises(TerminalError) as caught:
        ask(ApiServer(statuses={DEPLOYMENTS: 403}), lambda api: api.deployments("kai-scheduler"))

    assert "May not list deployments in namespace kai-scheduler" in caught.value.message
    assert (
        'a Role in namespace kai-scheduler with apiGroups ["apps"], resources ["deployments"], verbs ["list"]'
        in caught.value.message
    )


def test_a_server_that_is_no_api_server_is_told() -> None:
    server = ApiServer(texts={"/version": "<html>Please log in</html>"})

    with pytest.raises(TransientError, match="Is it an API server") as caught:
        ask(server, lambda api: api.server_version())

    assert caught.value.reason is Reason.API_UNREACHABLE


def test_a_server_that_is_not_there_is_told() -> None:
    async def question() -> None:
        async with KubernetesApi.connect(ApiConnection(server="http://127.0.0.1:1")) as api:
            await api.server_version()

    with pytest.raises(TransientError) as caught:
        asyncio.run(question())

    assert caught.value.reason is Reason.API_UNREACHABLE
    assert "http://127.0.0.1:1 cannot be reached" in caught.value.message


def test_a_token_file_is_read_for_each_request(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    server = ApiServer(token="second", objects={"/version": {"gitVersion": "v1.35.4"}})

    async def question(api: KubernetesApi) -> str:
        with pytest.raises(TerminalError):
            await api.server_version()
        token.write_text("second\n")
        return await api.server_version()

    assert ask(server, question, token_file=token) == "v1.35.4"


VERSION = {"/version": {"gitVersion": "v1.35.4"}}


def test_a_server_is_trusted_by_its_authority() -> None:
    authority = Authority()
    context = authority.server_context("127.0.0.1")

    assert ask(ApiServer(objects=VERSION), lambda api: api.server_version(), tls=context, ca=authority.pem) == "v1.35.4"


def test_a_server_is_trusted_under_another_name_if_that_is_given() -> None:
    authority = Authority()
    context = authority.server_context("kubernetes.example")
    server = ApiServer(objects=VERSION)

    with pytest.raises(TerminalError):
        ask(server, lambda api: api.server_version(), tls=context, ca=authority.pem)
    given = {"ca": authority.pem, "tls_server_name": "kubernetes.example"}
    assert ask(server, lambda api: api.server_version(), tls=context, **given) == "v1.35.4"


def test_a_server_of_another_authority_is_refused() -> None:
    context = Authority().server_context("127.0.0.1")

    with pytest.raises(TerminalError) as caught:
        ask(ApiServer(objects=VERSION), lambda api: api.server_version(), tls=context, ca=Authority().pem)

    assert caught.value.reason is Reason.API_UNREACHABLE
    assert "TLS" in caught.value.message


def test_any_server_is_trusted_where_verification_is_off() -> None:
    context = Authority().server_context("elsewhere.example")
    server = ApiServer(objects=VERSION)

    assert ask(server, lambda api: api.server_version(), tls=context, insecure_skip_tls_verify=True) == "v1.35.4"


def test_a_client_certificate_is_presented() -> None:
    authority = Authority()
    context = authority.server_context("127.0.0.1", clients=True)
    certificate, key = authority.issue("jane")
    server = ApiServer(objects=VERSION)

    given = {"ca": authority.pem, "client_certificate": certificate, "client_key": key}
    assert ask(server, lambda api: api.server_version(), tls=context, **given) == "v1.35.4"


def test_a_connection_passes_to_another_process_and_hides_its_secrets_in_logs() -> None:
    connection = ApiConnection(server="https://host:6443", ca="CA", token="secret-token")

    assert ApiConnection.model_validate_json(connection.model_dump_json()) == connection
    assert "secret-token" in json.loads(connection.model_dump_json()).values()
    assert "secret-token" not in repr(connection)
