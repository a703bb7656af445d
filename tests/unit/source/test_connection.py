from pathlib import Path

import pytest
from pydantic import ValidationError

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.source.connection import ApiConnection, in_cluster, in_cluster_as_nobody
from support.certificates import Authority

POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def service_account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("a-token\n")
    (tmp_path / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    return tmp_path


def test_a_pod_uses_its_service_account(service_account: Path) -> None:
    connection = in_cluster(POD, mount=service_account)

    assert connection.server == "https://10.96.0.1:443"
    assert connection.ca == "-----BEGIN CERTIFICATE-----\n"
    assert connection.token is None
    assert connection.bearer_token() == "a-token"


def test_a_pod_in_an_ipv6_cluster_uses_brackets(service_account: Path) -> None:
    environment = POD | {"KUBERNETES_SERVICE_HOST": "fd00::1"}

    assert in_cluster(environment, mount=service_account).server == "https://[fd00::1]:443"


def test_who_asks_in_the_name_of_others_needs_no_token(service_account: Path) -> None:
    (service_account / "token").unlink()

    connection = in_cluster_as_nobody(POD, mount=service_account)

    assert (connection.server, connection.ca) == ("https://10.96.0.1:443", "-----BEGIN CERTIFICATE-----\n")
    assert connection.bearer_token() is None


@pytest.mark.parametrize(
    ("environment", "missing", "says"),
    [
        pytest.param({}, None, "not run in a pod", id="no pod"),
        pytest.param(POD, "token", "automountServiceAccountToken", id="no token"),
        pytest.param(POD, "ca.crt", "automountServiceAccountToken", id="no authority"),
    ],
)
def test_outside_of_a_pod_it_is_told(
    environment: dict[str, str], missing: str | None, says: str, service_account: Path
) -> None:
    if missing is not None:
        (service_account / missing).unlink()

    with pytest.raises(TerminalError, match=says):
        in_cluster(environment, mount=service_account)


def test_a_token_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(TerminalError) as caught:
        ApiConnection(server="https://host", token_file=tmp_path / "gone").bearer_token()

    assert caught.value.reason is Reason.UNAUTHORIZED


def test_without_credentials_there_is_no_token() -> None:
    assert ApiConnection(server="https://host").bearer_token() is None


@pytest.mark.parametrize("server", ["host:6443", "ftp://host", "https://", ""])
def test_a_server_without_scheme_or_host_is_refused(server: str) -> None:
    with pytest.raises(ValidationError):
        ApiConnection(server=server)


def test_a_certificate_without_its_key_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValidationError) as caught:
        ApiConnection(server="https://host", client_key="-----BEGIN SECRET KEY")

    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        pytest.param("no PEM", "no PEM", id="no PEM"),
        pytest.param(Authority().issue("a")[0], Authority().issue("b")[1], id="of different pairs"),
    ],
)
def test_certificates_that_cannot_be_used_are_told(certificate: str, key: str) -> None:
    connection = ApiConnection(server="https://host", client_certificate=certificate, client_key=key)

    with pytest.raises(TerminalError) as caught:
        connection.ssl_context()

    assert caught.value.reason is Reason.UNAUTHORIZED


def test_an_authority_that_cannot_be_read_is_told() -> None:
    with pytest.raises(TerminalError):
        ApiConnection(server="https://host", ca="no PEM").ssl_context()
