"""What storage does wrong ends in a reason and a sentence that says what to do."""

import errno
import io
import ipaddress
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import botocore.session
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kai_snapshot.api.storage import PVCStorage, S3Storage, Storage
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.stores import S3Credentials, Store, check_mounted, location, open_store, read
from kai_snapshot.stores.directory import DirectoryStore
from kai_snapshot.stores.s3 import S3Store
from support.s3_server import LISTING, Answer, Request, error, s3_server, uploads

KEYS = S3Credentials(access_key_id="AKIAEXAMPLE", secret_access_key="s3cr3t", session_token="t0ken")
PART = 8 << 20

Verb = Callable[[Store], object]
VERBS: dict[str, Verb] = {
    "put": lambda store: store.put("ns/a.zip", io.BytesIO(b"x")),
    "open": lambda store: read(store, "ns/a.zip", limit=1),
    "list": lambda store: list(store.list("ns/")),
    "stat": lambda store: store.stat("ns/a.zip"),
    "delete": lambda store: store.delete("ns/a.zip"),
    "abort": lambda store: store.abort_unfinished("ns/", before=datetime.now(UTC)),
}


def store_at(url: str, *, ca: bytes | None = None, credentials: S3Credentials | None = KEYS) -> S3Store:
    s3 = S3Storage(bucket="snapshots", prefix="prod", endpoint=url, force_path_style=True)
    return S3Store(s3, credentials=credentials, ca=ca)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library waits longer and longer between its tries; how long is not what is tested here."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)


def raised(verb: Verb, store: Store) -> SnapshotError:
    with pytest.raises(SnapshotError) as info:
        verb(store)
    return info.value


class TestAnswersOfS3:
    @pytest.mark.parametrize(
        ("status", "code", "reason", "kind", "says"),
        [
            (403, "InvalidAccessKeyId", Reason.ACCESS_DENIED, TerminalError, "correct the keys in the Secret"),
            (403, "SignatureDoesNotMatch", Reason.ACCESS_DENIED, TerminalError, "correct the keys in the Secret"),
            (400, "ExpiredToken", Reason.ACCESS_DENIED, TerminalError, "correct the keys in the Secret"),
            (403, "AccessDenied", Reason.ACCESS_DENIED, TerminalError, "the credentials need s3:"),
            (403, "RequestTimeTooSkewed", Reason.ACCESS_DENIED, TerminalError, "set the clocks"),
            (404, "NoSuchBucket", Reason.BUCKET_NOT_FOUND, TerminalError, "create it, or correct its name"),
            (400, "AuthorizationHeaderMalformed", Reason.STORAGE_REFUSED, TerminalError, "correct `region`"),
            (400, "InvalidArgument", Reason.STORAGE_REFUSED, TerminalError, "InvalidArgument: said by the server"),
            (507, "XMinioStorageFull", Reason.NO_SPACE_LEFT, TerminalError, "enlarge it, or keep fewer archives"),
            (503, "SlowDown", Reason.STORAGE_UNREACHABLE, TransientError, "503 SlowDown"),
            (409, "Conflict", Reason.STORAGE_UNREACHABLE, TransientError, "409 Conflict"),
            (500, "InternalError", Reason.STORAGE_UNREACHABLE, TransientError, "busy or out of order"),
        ],
        ids=lambda value: value if isinstance(value, str) and " " not in value else "",
    )
    @pytest.mark.parametrize("verb", ["put", "open", "list", "delete", "abort"])
    def test_a_refusal_ends_in_its_reason(
        self, status: int, code: str, reason: Reason, kind: type[SnapshotError], says: str, verb: str
    ) -> None:
        with s3_server(lambda request: error(status, code)) as server:
            problem = raised(VERBS[verb], store_at(server.url))
        assert (problem.reason, type(problem)) == (reason, kind)
        assert "s3://snapshots/prod/ns/" in problem.message
        assert says in problem.message

    @pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
    def test_no_message_holds_a_key_or_what_differs_each_time(self, verb: Verb) -> None:
        with s3_server(lambda request: error(403, "AccessDenied")) as server:
            problem = raised(verb, store_at(server.url))
        for unwanted in ("AKIAEXAMPLE", "s3cr3t", "t0ken", "4442587FB7D0A2F9"):
            assert unwanted not in f"{problem} {problem!r}"
        assert "AKIAEXAMPLE" not in repr(KEYS)

    @pytest.mark.parametrize(
        ("head", "listing", "reason"),
        [
            (404, error(404, "NoSuchBucket"), Reason.BUCKET_NOT_FOUND),
            (403, error(403, "SignatureDoesNotMatch"), Reason.ACCESS_DENIED),
            (404, error(404, "XAdminUserNotFound"), Reason.ACCESS_DENIED),
            (500, error(500, "InternalError"), Reason.STORAGE_UNREACHABLE),
            (403, Answer(body=LISTING), Reason.ACCESS_DENIED),
            (500, Answer(body=LISTING), Reason.STORAGE_UNREACHABLE),
            (400, Answer(body=LISTING), Reason.STORAGE_REFUSED),
        ],
        ids=["no bucket", "wrong secret", "wrong key", "busy", "key not permitted", "key not readable", "refused"],
    )
    def test_stat_says_what_an_answer_without_a_body_cannot(self, head: int, listing: Answer, reason: Reason) -> None:
        with s3_server(lambda request: Answer(head) if request.method == "HEAD" else listing) as server:
            assert raised(VERBS["stat"], store_at(server.url)).reason is reason

    def test_stat_takes_a_missing_key_for_absent_when_the_bucket_is_there(self) -> None:
        with s3_server(lambda request: Answer(404) if request.method == "HEAD" else Answer(body=LISTING)) as server:
            assert store_at(server.url).stat("ns/a.zip") is None

    def test_a_server_without_a_list_of_unfinished_uploads_has_none(self) -> None:
        with s3_server(lambda request: error(501, "NotImplemented")) as server:
            assert store_at(server.url).abort_unfinished("", before=datetime.now(UTC)) == 0

    def test_a_busy_server_is_asked_again_a_few_times(self) -> None:
        turns = count()
        with s3_server(lambda r: error(503, "SlowDown") if next(turns) < 3 else Answer(body=LISTING)) as server:
            assert list(store_at(server.url).list()) == []
        assert len(server.requests) == 4
        with s3_server(lambda request: error(503, "SlowDown")) as server:
            raised(VERBS["list"], store_at(server.url))
        assert len(server.requests) == 5


class TestUploadsInParts:
    def test_one_503_in_the_middle_is_got_over(self) -> None:
        failures = iter([error(503, "SlowDown")])

        def answer(request: Request) -> Answer:
            return next(failures, uploads(request)) if "partNumber=2" in request.path else uploads(request)

        with s3_server(answer) as server:
            store_at(server.url).put("ns/a.zip", io.BytesIO(bytes(2 * PART + 1)))
        assert sum(r.size for r in server.requests if "partNumber" in r.path) >= 3 * PART + 1
        assert not [r for r in server.requests if r.method == "DELETE"]

    def test_503_for_ever_in_the_middle_fails_and_aborts_the_upload(self) -> None:
        def answer(request: Request) -> Answer:
            return error(503, "SlowDown") if "partNumber=2" in request.path else uploads(request)

        with s3_server(answer) as server:
            problem = raised(lambda store: store.put("ns/a.zip", io.BytesIO(bytes(2 * PART + 1))), store_at(server.url))
        assert (problem.reason, type(problem)) == (Reason.STORAGE_UNREACHABLE, TransientError)
        assert [r.path for r in server.requests if r.method == "DELETE"] == ["/snapshots/prod/ns/a.zip?uploadId=u1"]
        assert not [r for r in server.requests if r.method == "POST" and "uploadId" in r.path]

    def test_encryption_is_asked_for_and_checksums_are_not_forced_upon_other_servers(self) -> None:
        with s3_server(uploads) as server:
            s3 = S3Storage(
                bucket="snapshots",
                endpoint=server.url,
                force_path_style=True,
                server_side_encryption="aws:kms",
                kms_key_id="alias/snapshots",
            )
            S3Store(s3, credentials=KEYS, ca=None).put("a.zip", io.BytesIO(bytes(PART + 1)))
        begin = next(r for r in server.requests if r.method == "POST" and "uploads" in r.path)
        assert begin.headers["x-amz-server-side-encryption"] == "aws:kms"
        assert begin.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/snapshots"
        assert not [
            name
            for r in server.requests
            for name in r.headers
            if "checksum" in name.lower() or "trailer" in name.lower()
        ]

    @pytest.mark.parametrize("kind", ["file", "pipe"])
    def test_memory_stays_flat(self, tmp_path: Path, kind: str) -> None:
        spool = tmp_path / "spool"
        with spool.open("wb") as file:
            file.truncate(160 << 20)
        program = f"""
import resource, sys
from pathlib import Path
from kai_snapshot.api.storage import S3Storage
from kai_snapshot.stores import S3Credentials
from kai_snapshot.stores.s3 import S3Store
s3 = S3Storage(bucket="snapshots", endpoint=sys.argv[1], force_path_style=True)
store = S3Store(s3, credentials=S3Credentials(access_key_id="a", secret_access_key="b"), ca=None)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
store.put("small", Path(sys.executable))
before = peak()
store.put("big", Path(sys.argv[2]) if {kind == "file"} else sys.stdin.buffer)
print((peak() - before) // 1024)
"""
        with s3_server(uploads) as server, spool.open("rb") as stdin:
            run = [sys.executable, "-c", program, server.url, str(spool)]
            grown = int(subprocess.run(run, stdin=stdin, capture_output=True, check=True, text=True).stdout)
        assert sum(r.size for r in server.requests if "partNumber" in r.path and "/big" in r.path) == 160 << 20
        assert grown < (16 if kind == "file" else 64), f"{grown} MiB more for 160 MiB"


class TestConnections:
    def test_nobody_listens(self) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            problem = raised(VERBS["list"], store_at(f"http://127.0.0.1:{closed.getsockname()[1]}"))
        assert (problem.reason, type(problem)) == (Reason.STORAGE_UNREACHABLE, TransientError)
        assert re.fullmatch(
            r"s3://snapshots/prod/ns/ at http://127\.0\.0\.1:\d+ cannot be reached: Connection refused\.",
            problem.message,
        )

    def test_no_such_host(self) -> None:
        problem = raised(VERBS["list"], store_at("http://storage.invalid:9000"))
        assert (problem.reason, type(problem)) == (Reason.STORAGE_UNREACHABLE, TransientError)

    @pytest.mark.parametrize("endpoint", ["https://:9000", "http://[::1", "http://a..b", "http://exa_mple:9000"])
    def test_an_endpoint_that_is_no_address_is_refused_at_once(self, endpoint: str) -> None:
        with pytest.raises(TerminalError, match="correct `endpoint`") as info:
            store_at(endpoint)
        assert info.value.reason is Reason.INVALID_SPEC

    def test_a_body_that_is_cut_off_while_it_is_read(self) -> None:
        cut = Answer(body=b"x" * 1000, length=5000)
        with s3_server(lambda request: cut) as server:
            store = store_at(server.url)
            problem = raised(lambda store: read(store, "ns/a.zip", limit=10_000), store)
        assert (problem.reason, type(problem)) == (Reason.STORAGE_UNREACHABLE, TransientError)

    def test_an_error_of_the_reader_stays_what_it_is(self) -> None:
        with s3_server(lambda request: Answer(body=b"x")) as server, pytest.raises(KeyError):  # noqa: SIM117
            with store_at(server.url).open("ns/a.zip"):
                raise KeyError


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and a server's context with a certificate of it for 127.0.0.1."""

    ca: bytes
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"), "127.0.0.1")


def make_authority(folder: Path, address: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "storage of the tests")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "both.pem").write_bytes(
        pem
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return Authority(pem, context)


class TestCertificates:
    def test_the_authority_given_is_trusted(self, authority: Authority) -> None:
        with s3_server(lambda request: Answer(body=LISTING), tls=authority.server) as server:
            assert list(store_at(server.url, ca=authority.ca).list()) == []

    def test_without_it_the_certificate_is_not_trusted(self, authority: Authority) -> None:
        with s3_server(lambda request: Answer(body=LISTING), tls=authority.server) as server:
            problem = raised(VERBS["list"], store_at(server.url))
        assert (problem.reason, type(problem)) == (Reason.TLS_VERIFICATION_FAILED, TerminalError)
        assert "self-signed certificate" in problem.message
        assert "caSecretRef" in problem.message

    def test_a_certificate_for_another_host_is_not_taken(self, tmp_path: Path) -> None:
        other = make_authority(tmp_path, "192.0.2.1")
        with s3_server(lambda request: Answer(body=LISTING), tls=other.server) as server:
            problem = raised(VERBS["list"], store_at(server.url, ca=other.ca))
        assert problem.reason is Reason.TLS_VERIFICATION_FAILED
        assert "127.0.0.1" in problem.message

    def test_https_is_asked_of_a_server_that_speaks_http(self) -> None:
        with s3_server(lambda request: Answer(body=LISTING)) as server:
            problem = raised(VERBS["list"], store_at(server.url.replace("http:", "https:")))
        assert problem.reason is Reason.TLS_VERIFICATION_FAILED

    @pytest.mark.parametrize(
        "ca", [b"", b"not PEM", b"\xff", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    )
    def test_an_authority_that_is_none_is_refused_at_once(self, ca: bytes) -> None:
        with pytest.raises(TerminalError, match="not a certificate in PEM") as info:
            store_at("https://127.0.0.1:1", ca=ca)
        assert info.value.reason is Reason.TLS_VERIFICATION_FAILED


class TestCredentials:
    @pytest.fixture
    def hostile(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """An environment that says otherwise in every way there is."""
        config = tmp_path / "config"
        config.write_text("[profile other]\nregion = eu-north-1\nendpoint_url = http://127.0.0.1:1\n")
        for name, value in {
            "AWS_ACCESS_KEY_ID": "AMBIENT",
            "AWS_SECRET_ACCESS_KEY": "ambient",
            "AWS_SESSION_TOKEN": "ambient",
            "AWS_PROFILE": "absent",
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": str(config),
            "AWS_DEFAULT_REGION": "eu-north-1",
            "AWS_REGION": "eu-north-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
            "AWS_CA_BUNDLE": "/nonexistent",
            "AWS_DEFAULTS_MODE": "auto",
            "AWS_MAX_ATTEMPTS": "100",
            "AWS_USE_FIPS_ENDPOINT": "true",
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
        }.items():
            monkeypatch.setenv(name, value)

    @pytest.mark.usefixtures("hostile")
    def test_given_credentials_are_used_and_nothing_of_the_environment(self) -> None:
        with s3_server(lambda request: Answer(body=LISTING)) as server:
            list(store_at(server.url).list())
        headers = server.requests[0].headers
        assert "Credential=AKIAEXAMPLE/" in headers["Authorization"]
        assert "/us-east-1/s3/" in headers["Authorization"]
        assert headers["X-Amz-Security-Token"] == "t0ken"

    @pytest.mark.usefixtures("hostile")
    def test_given_credentials_go_to_no_endpoint_of_the_environment(self) -> None:
        store = S3Store(S3Storage(bucket="snapshots", region="eu-central-1"), credentials=KEYS, ca=None)
        assert store._client.meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"

    def test_without_any_credentials_it_says_so(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "absent"))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "absent"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setattr("kai_snapshot.stores.s3_client._ambient_session", botocore.session.Session)
        with s3_server(lambda request: Answer(body=LISTING)) as server:
            problem = raised(VERBS["list"], store_at(server.url, credentials=None))
        assert problem.reason is Reason.CREDENTIALS_NOT_FOUND

    @pytest.mark.parametrize(
        ("data", "says"),
        [
            ({}, "lacks AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
            ({"AWS_ACCESS_KEY_ID": b"a"}, "lacks AWS_SECRET_ACCESS_KEY"),
            ({"AWS_ACCESS_KEY_ID": b"a", "AWS_SECRET_ACCESS_KEY": b" \n"}, "lacks AWS_SECRET_ACCESS_KEY"),
            (
                {"AWS_ACCESS_KEY_ID": "ä".encode(), "AWS_SECRET_ACCESS_KEY": b"b"},
                "has characters that no key of S3 has",
            ),
        ],
        ids=["empty", "half", "blank", "not ASCII"],
    )
    def test_a_secret_that_lacks_a_key_is_named(self, data: dict[str, bytes], says: str) -> None:
        with pytest.raises(TerminalError, match=says) as info:
            S3Credentials.from_secret(data, name="s3-credentials")
        assert info.value.reason is Reason.CREDENTIALS_NOT_FOUND
        assert "s3-credentials" in info.value.message

    def test_a_secret_is_read_without_the_newline_an_editor_left(self) -> None:
        data = {"AWS_ACCESS_KEY_ID": b"a\n", "AWS_SECRET_ACCESS_KEY": b"b\n"}
        assert S3Credentials.from_secret(data, name="x") == S3Credentials(access_key_id="a", secret_access_key="b")


class TestDirectories:
    @pytest.fixture
    def store(self, tmp_path: Path) -> DirectoryStore:
        return DirectoryStore(tmp_path / "claim", name="pvc://snapshots")

    @pytest.mark.parametrize(
        ("number", "reason", "kind", "says"),
        [
            (errno.ENOSPC, Reason.NO_SPACE_LEFT, TerminalError, "pvc://snapshots is full .* no room for ns/a.zip"),
            (errno.EDQUOT, Reason.NO_SPACE_LEFT, TerminalError, "enlarge the volume, or keep fewer archives"),
            (errno.EROFS, Reason.ACCESS_DENIED, TerminalError, "readable and writable"),
            (errno.EACCES, Reason.ACCESS_DENIED, TerminalError, "user or group 65532"),
            (errno.EIO, Reason.STORAGE_UNREACHABLE, TransientError, "failed at ns/a.zip: Input/output error"),
            (errno.ESTALE, Reason.STORAGE_UNREACHABLE, TransientError, "failed at ns/a.zip"),
        ],
        ids=["full", "over quota", "read-only", "not permitted", "broken", "stale"],
    )
    def test_an_error_of_the_volume_ends_in_its_reason_and_leaves_nothing(
        self,
        store: DirectoryStore,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        reason: Reason,
        kind: type[SnapshotError],
        says: str,
        tmp_path: Path,
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        store.put("ns/other", io.BytesIO(b"x"))
        monkeypatch.setattr("kai_snapshot.stores.directory._write", fail)
        problem = raised(VERBS["put"], store)
        assert (problem.reason, type(problem)) == (reason, kind)
        assert re.search(says, problem.message)
        assert [path.name for path in (tmp_path / "claim" / "ns").iterdir()] == ["other"]

    @pytest.mark.parametrize("size", [-1, 10], ids=["to its end", "in pieces"])
    def test_a_volume_that_breaks_while_it_is_read(self, store: DirectoryStore, size: int) -> None:
        store.put("ns/a.zip", io.BytesIO(b"x"))
        with store.open("ns/a.zip") as stream, Path("/proc/self/mem").open("rb") as unreadable:
            os.dup2(unreadable.fileno(), stream.fileno())
            with pytest.raises(TransientError, match=r"failed at ns/a\.zip: Input/output error") as info:
                stream.read(size)
        assert info.value.reason is Reason.STORAGE_UNREACHABLE

    def test_a_file_is_synced_before_it_has_its_name_and_its_directory_after(
        self, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        store.put("ns/other", io.BytesIO(b"x"))
        seen: list[tuple[str, list[str]]] = []
        sync = os.fsync

        def note(handle: int) -> None:
            names = sorted("partial" if p.name.startswith(".") else p.name for p in (tmp_path / "claim/ns").iterdir())
            seen.append(("directory" if Path(f"/proc/self/fd/{handle}").is_dir() else "file", names))
            sync(handle)

        monkeypatch.setattr(os, "fsync", note)
        store.put("ns/a.zip", io.BytesIO(b"x"))
        assert seen == [("file", ["other", "partial"]), ("directory", ["a.zip", "other"])]

    def test_a_symbolic_link_does_not_lead_out(self, store: DirectoryStore, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("secret")
        store.put("ns/other", io.BytesIO(b"x"))
        (tmp_path / "claim" / "ns" / "a.zip").symlink_to(tmp_path / "secret")
        (tmp_path / "claim" / "out").symlink_to(tmp_path)
        assert raised(VERBS["open"], store).reason is Reason.ACCESS_DENIED
        assert raised(lambda store: store.stat("out/secret"), store).reason is Reason.ACCESS_DENIED
        assert [entry.key for entry in store.list()] == ["ns/other"]

    def test_what_the_file_system_keeps_for_itself_is_passed_over(self, store: DirectoryStore, tmp_path: Path) -> None:
        store.put("ns/a.zip", io.BytesIO(b"x"))
        (tmp_path / "claim" / "lost+found").mkdir()
        (tmp_path / "claim" / "lost+found" / "#12").write_bytes(b"x")
        assert [entry.key for entry in store.list()] == ["ns/a.zip"]

    def test_empty_directories_go_with_their_last_file_and_the_root_stays(
        self, store: DirectoryStore, tmp_path: Path
    ) -> None:
        store.put("ns/cap/1/replays/r/plan.json", io.BytesIO(b"x"))
        store.put("ns/other", io.BytesIO(b"x"))
        store.delete("ns/cap/1/replays/r/plan.json")
        assert [path.name for path in (tmp_path / "claim" / "ns").iterdir()] == ["other"]
        store.delete("ns/other")
        assert list((tmp_path / "claim").iterdir()) == []

    def test_a_directory_taken_away_by_a_deletion_meanwhile_is_made_again(
        self, store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deletions = iter([Path.rmdir])

        def make(folder: Path) -> None:
            folder.mkdir(parents=True, exist_ok=True)
            next(deletions, Path.is_dir)(folder)

        monkeypatch.setattr("kai_snapshot.stores.directory._make_directories", make)
        assert store.put("ns/a.zip", io.BytesIO(b"x")).size == 1


class TestLocations:
    def test_a_claim_that_is_not_mounted_says_how_to_mount_it(self, tmp_path: Path) -> None:
        (tmp_path / "snapshots").mkdir()
        for claim in ("snapshots", "absent"):
            with pytest.raises(TerminalError, match="manifests/components/claim") as info:
                open_store(Storage(pvc=PVCStorage(claim_name=claim)), credentials=None, ca=None, claims_root=tmp_path)
            assert info.value.reason is Reason.CLAIM_NOT_MOUNTED
            assert claim in info.value.message

    def test_a_mounted_claim_is_fine(self) -> None:
        check_mounted(Path("/proc"))

    def test_a_claim_is_used_below_its_sub_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os.path, "ismount", lambda path: path == tmp_path / "snapshots")
        storage = Storage(pvc=PVCStorage(claim_name="snapshots", sub_path="prod/eu"))
        open_store(storage, credentials=None, ca=None, claims_root=tmp_path).put("ns/a", io.BytesIO(b"x"))
        assert (tmp_path / "snapshots/prod/eu/ns/a").read_bytes() == b"x"

    @pytest.mark.parametrize(
        ("storage", "uri"),
        [
            (Storage(s3=S3Storage(bucket="snapshots")), "s3://snapshots/ns/a.zip"),
            (Storage(s3=S3Storage(bucket="snapshots", prefix="prod/eu")), "s3://snapshots/prod/eu/ns/a.zip"),
            (Storage(pvc=PVCStorage(claim_name="claim")), "pvc://claim/ns/a.zip"),
            (Storage(pvc=PVCStorage(claim_name="claim", sub_path="prod")), "pvc://claim/prod/ns/a.zip"),
        ],
        ids=["bucket", "bucket and prefix", "claim", "claim and subPath"],
    )
    def test_a_location_is_written_as_a_uri(self, storage: Storage, uri: str) -> None:
        assert location(storage, "ns/a.zip") == uri
        assert location(storage, "") == uri.removesuffix("/ns/a.zip")
