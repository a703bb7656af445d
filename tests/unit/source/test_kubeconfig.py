import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.source.connection import ApiConnection
from kai_snapshot.source.kubeconfig import from_kubeconfig, kubeconfig_paths, read_connection

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
BASE64_PEM = base64.b64encode(PEM.encode()).decode()
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def kubeconfig(
    *, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, name: str = "a"
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.example:6443"} | (cluster or {})}],
        "users": [{"name": name, "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "x"}}],
        "preferences": {},
    }


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


def read(
    *paths: Path, context: str | None = None, environment: dict[str, str] = ENVIRONMENT, interactive: bool = False
) -> ApiConnection:
    return read_connection(paths, context=context, environment=environment, interactive=interactive)


def test_certificates_are_read_from_the_file_itself(tmp_path: Path) -> None:
    path = write(
        tmp_path / "config",
        kubeconfig(
            cluster={"certificate-authority-data": BASE64_PEM, "tls-server-name": "kubernetes"},
            user={"client-certificate-data": BASE64_PEM, "client-key-data": BASE64_PEM},
        ),
    )

    assert read(path) == ApiConnection(
        server="https://a.example:6443", ca=PEM, tls_server_name="kubernetes", client_certificate=PEM, client_key=PEM
    )


def test_certificates_in_files_are_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(PEM)
    path = write(tmp_path / "config", kubeconfig(cluster={"certificate-authority": "ca.crt"}))

    assert read(path).ca == PEM


def test_data_counts_before_a_file(tmp_path: Path) -> None:
    cluster = {"certificate-authority": "gone.crt", "certificate-authority-data": BASE64_PEM}

    assert read(write(tmp_path / "config", kubeconfig(cluster=cluster))).ca == PEM


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param({"token": "abc"}, {"token": "abc"}, id="token"),
        pytest.param({"tokenFile": "token"}, {"token_file": "token"}, id="token file"),
        pytest.param({}, {}, id="nothing"),
    ],
)
def test_tokens_are_read(user: dict[str, Any], expected: dict[str, Any], tmp_path: Path) -> None:
    connection = read(write(tmp_path / "config", kubeconfig(user=user)))
    if "token_file" in expected:
        expected = {"token_file": tmp_path / "token"}

    assert connection == ApiConnection(server="https://a.example:6443", **expected)


def test_a_context_may_be_named(tmp_path: Path) -> None:
    content = kubeconfig()
    other = kubeconfig(name="b")
    merged = content | {key: content[key] + other[key] for key in ("clusters", "users", "contexts")}

    assert read(write(tmp_path / "config", merged), context="b").server == "https://b.example:6443"


def test_of_several_files_the_first_entry_of_a_name_counts(tmp_path: Path) -> None:
    first = write(tmp_path / "1" / "config", kubeconfig() | {"current-context": "b"})
    second = write(tmp_path / "2" / "config", kubeconfig(name="b", cluster={"certificate-authority": "ca.crt"}))
    third = write(tmp_path / "3" / "config", kubeconfig(name="b", cluster={"server": "https://wrong"}))
    (tmp_path / "2" / "ca.crt").write_text(PEM)

    connection = read(first, second, third)

    assert (connection.server, connection.ca) == ("https://b.example:6443", PEM)


@pytest.mark.parametrize(
    ("explicit", "environment", "expected"),
    [
        pytest.param("given", {"KUBECONFIG": "a"}, ["given"], id="named"),
        pytest.param(None, {"KUBECONFIG": f"a{os.pathsep}gone"}, ["a"], id="KUBECONFIG, without what does not exist"),
        pytest.param(None, {"KUBECONFIG": "gone"}, ["gone"], id="KUBECONFIG names nothing that exists"),
        pytest.param(None, {"HOME": "/home/jane"}, ["/home/jane/.kube/config"], id="the usual place"),
        pytest.param(
            None, {"HOME": "/home/jane", "KUBECONFIG": ""}, ["/home/jane/.kube/config"], id="KUBECONFIG is empty"
        ),
    ],
)
def test_kubeconfigs_are_sought_where_kubectl_seeks_them(
    explicit: str | None,
    environment: dict[str, str],
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").touch()

    paths = kubeconfig_paths(Path(explicit) if explicit else None, environment)

    assert [str(path) for path in paths] == expected


@pytest.mark.parametrize(
    ("content", "context", "says"),
    [
        pytest.param([], None, "it is no kubeconfig", id="a list"),
        pytest.param("text", None, "it is no kubeconfig", id="a text"),
        pytest.param({}, None, "no current context", id="empty"),
        pytest.param(kubeconfig(), "gone", "there is no context gone", id="no such context"),
        pytest.param(kubeconfig() | {"clusters": None}, None, "there is no cluster a", id="no such cluster"),
        pytest.param(kubeconfig() | {"users": []}, None, "there is no user a", id="no such user"),
        pytest.param(kubeconfig(cluster={"server": 7}), None, "cluster a: server", id="server is no text"),
        pytest.param(kubeconfig(cluster={"server": "x:1"}), None, "context a: server", id="server is no URL"),
        pytest.param(kubeconfig(cluster={"certificate-authority": "gone"}), None, "gone", id="file is missing"),
        pytest.param(kubeconfig(user={"client-key-data": "%%"}), None, "base64", id="data is no base64"),
        pytest.param(kubeconfig(user={"client-key-data": BASE64_PEM}), None, "come together", id="key alone"),
        pytest.param(kubeconfig(user={"auth-provider": {"name": "gcp"}}), None, "auth-provider", id="auth provider"),
        pytest.param(kubeconfig(user={"username": "u", "password": "p"}), None, "password", id="password"),
        pytest.param(kubeconfig(user={"as": "root"}), None, "impersonation", id="impersonation"),
        pytest.param(
            kubeconfig(user={"exec": {"apiVersion": "v0", "command": "x"}}), None, "apiVersion", id="old plugin"
        ),
    ],
)
def test_what_cannot_be_used_is_told(content: object, context: str | None, says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "config", content)

    with pytest.raises(TerminalError, match=says) as caught:
        read(path, context=context)

    assert caught.value.reason is Reason.INVALID_KUBECONFIG
    assert str(path) in caught.value.message


def test_a_kubeconfig_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="does not exist"):
        read(tmp_path / "gone")


def test_faults_do_not_repeat_secrets(tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig(user={"token": ["hush"]}))

    with pytest.raises(TerminalError) as caught:
        read(path)

    assert "hush" not in caught.value.message


@pytest.mark.parametrize(
    ("server", "environment", "proxy"),
    [
        pytest.param("https://a", {"HTTPS_PROXY": "http://p:1"}, "http://p:1", id="for https"),
        pytest.param("https://a", {"https_proxy": "http://p:1"}, "http://p:1", id="in lower case"),
        pytest.param("https://a", {"HTTP_PROXY": "http://p:1"}, None, id="for http only"),
        pytest.param("https://a", {"HTTPS_PROXY": ""}, None, id="empty"),
        pytest.param("https://a.b", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x, .b"}, None, id="not for a domain"),
        pytest.param("https://a.b", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "bb"}, "http://p:1", id="other domain"),
        pytest.param(
            "https://10.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, None, id="not for a net"
        ),
        pytest.param(
            "https://11.1.2.3", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "http://p:1", id="other net"
        ),
        pytest.param("https://a", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None, id="for nothing"),
        pytest.param("https://127.0.0.1:6443", {"HTTPS_PROXY": "http://p:1"}, None, id="never for this machine"),
        pytest.param("https://localhost:6443", {"HTTPS_PROXY": "http://p:1"}, None, id="never for localhost"),
    ],
)
def test_proxies_are_used_as_kubectl_uses_them(
    server: str, environment: dict[str, str], proxy: str | None, tmp_path: Path
) -> None:
    path = write(tmp_path / "config", kubeconfig(cluster={"server": server}))

    assert read(path, environment=environment).proxy == proxy


def test_a_proxy_in_the_kubeconfig_counts_first(tmp_path: Path) -> None:
    path = write(tmp_path / "config", kubeconfig(cluster={"proxy-url": "http://own:1"}))

    assert read(path, environment={"HTTPS_PROXY": "http://p:1"}).proxy == "http://own:1"


def test_a_process_connects_as_kubectl_would_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "config", kubeconfig(user={"token": "abc"}))))

    assert from_kubeconfig(None, context="a").token == "abc"


# --- credential plugins

PLUGIN = """
import json, os, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
token = json.dumps({"args": sys.argv[1:], "own": os.environ.get("OWN"), "info": info})
print(json.dumps({"apiVersion": info["apiVersion"], "kind": "ExecCredential", "status": {"token": token}}))
"""


def with_plugin(folder: Path, code: str, **settings: Any) -> Path:
    (folder / "plugin.py").write_text(code)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(folder / "plugin.py"), "get-token"],
        "env": None,
        "interactiveMode": "IfAvailable",
    }
    cluster = {"certificate-authority-data": BASE64_PEM}
    return write(folder / "config", kubeconfig(cluster=cluster, user={"exec": plugin | settings}))


def test_a_plugin_issues_a_token(tmp_path: Path) -> None:
    path = with_plugin(tmp_path, PLUGIN, env=[{"name": "OWN", "value": "1"}])

    told = json.loads(read(path).token or "")

    assert told["args"] == ["get-token"]
    assert told["own"] == "1"
    assert told["info"]["spec"] == {"interactive": False}


def test_a_plugin_is_told_of_the_cluster_if_it_wants_to_know(tmp_path: Path) -> None:
    told = json.loads(read(with_plugin(tmp_path, PLUGIN, provideClusterInfo=True)).token or "")

    cluster = told["info"]["spec"]["cluster"]
    assert cluster["server"] == "https://a.example:6443"
    assert cluster["certificate-authority-data"] == BASE64_PEM


def test_a_plugin_issues_a_certificate(tmp_path: Path) -> None:
    status = {"clientCertificateData": PEM, "clientKeyData": PEM}
    path = with_plugin(tmp_path, f"import json; print(json.dumps({{'status': {status!r}}}))")

    connection = read(path)

    assert (connection.client_certificate, connection.client_key, connection.token) == (PEM, PEM, None)


@pytest.mark.parametrize(
    ("code", "settings", "says"),
    [
        pytest.param("raise SystemExit(3)", {}, "ended with status 3", id="fails"),
        pytest.param("print('hush')", {}, "no ExecCredential", id="prints something else"),
        pytest.param("print('{}')", {}, "no ExecCredential", id="issues nothing"),
        pytest.param(
            "", {"command": "no-such-plugin", "installHint": "Get it."}, "not installed. Get it", id="is missing"
        ),
        pytest.param(PLUGIN, {"interactiveMode": "Always"}, "no terminal", id="has to ask"),
    ],
)
def test_a_plugin_that_fails_is_told(code: str, settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match=says) as caught:
        read(with_plugin(tmp_path, code, **settings))

    assert caught.value.reason is Reason.UNAUTHORIZED
    assert "hush" not in caught.value.message
