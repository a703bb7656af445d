"""The transfer endpoint and its client, over a real connection."""

import asyncio
import hashlib
import io
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.transfer import Instructions, NodePart, Part, Profile
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.transfer import digest
from kai_snapshot.transfer.backend import Download, Limits, Upload
from kai_snapshot.transfer.client import TransferClient, connect
from kai_snapshot.transfer.presented import client_context
from kai_snapshot.transfer.server import application
from kai_snapshot.transfer.tokens import Tokens
from support.transferred import TRUST, serving, session

pytestmark = pytest.mark.asyncio

KEY = b"k" * 32
PART = Part(uid="u1", namespace="kai-snapshots", name="why-pending", index=0, attempt=1)
ARCHIVE = bytes(range(256)) * 8192  # 2 MiB: several pieces
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
LIMITS = Limits(
    log_bytes=4 << 20,
    result_bytes=1 << 20,
    environment_bytes=1 << 16,
    transfers=2,
    silence_seconds=5,
    retry_after_seconds=0,
)


@dataclass
class Shelf:
    """A backend in memory, of one replay."""

    archive_bytes: bytes = ARCHIVE
    sha256: str = SHA256
    logs: list[bytes] = field(default_factory=list)
    profiles: dict[Profile, bytes] = field(default_factory=dict)
    results: list[bytes] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)
    arrivals: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    failures: list[SnapshotError] = field(default_factory=list)
    asked: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def instructions(self, part: Part) -> Instructions:
        self._admit(part)
        return Instructions(
            version="AsCaptured", target_version="v0.17.0", image="tool:v0.17.0", sha256=self.sha256,
            size_bytes=len(ARCHIVE), healed_config={"actions": "allocate", "usageDBConfig": None}, limit_seconds=60,
        )  # fmt: skip

    def archive(self, part: Part) -> Download:
        self._admit(part)
        return Download(io.BytesIO(self.archive_bytes), self.sha256, len(ARCHIVE))

    def put_log(self, part: Part, upload: Upload) -> None:
        self._admit(part)
        self.arrivals.release()
        assert self.gate.wait(10)
        self.logs.append(upload.file.read())

    def put_profile(self, part: Part, upload: Upload, profile: Profile) -> None:
        self._admit(part)
        self.profiles[profile] = upload.file.read()

    def put_result(self, part: Part, upload: Upload) -> None:
        self._admit(part)
        content = upload.file.read()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (upload.sha256, upload.size_bytes)
        if self.results and self.results != [content]:
            raise TerminalError(Reason.RESULT_EXISTS, f"{part} is committed.")
        self.results = [content]

    def put_environment(self, part: NodePart, upload: Upload) -> None:
        self.documents[part.node] = upload.file.read()

    def _admit(self, part: Part) -> None:
        self.asked.append(part)
        if self.failures:
            raise self.failures.pop(0)
        if part.uid != PART.uid:
            raise TerminalError(Reason.TRANSFER_REFUSED, f"there is no such replay as that of {part}.")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest_asyncio.fixture
async def url(shelf: Shelf, tmp_path: Path) -> AsyncIterator[str]:
    spool = tmp_path / "spool"
    spool.mkdir()
    async with serving(application(Tokens(KEY), shelf, shelf, spool=spool, limits=LIMITS)) as address:
        yield address
    assert not list(spool.iterdir())


@pytest_asyncio.fixture
async def client(url: str) -> AsyncIterator[TransferClient]:
    async with connect(url, Tokens(KEY).issue(PART), TRUST, patience_seconds=0) as client:
        yield client


def content(directory: Path, content: bytes) -> Path:
    file = directory / "content"
    file.write_bytes(content)
    return file


NODE = NodePart(uid="u2", namespace="kai-snapshots", name="hourly", run="20261122T101500Z", node="gpu-1")


async def test_the_document_of_a_node_is_handed_in_with_its_own_token(url: str, shelf: Shelf) -> None:
    async with connect(url, Tokens(KEY).issue(NODE), TRUST, patience_seconds=0) as client:
        await client.put_environment(b"{}")
    assert shelf.documents == {"gpu-1": b"{}"}


async def test_a_replay_hands_in_no_document_of_a_node_and_a_node_no_result(url: str, shelf: Shelf) -> None:
    refused = [
        await put(url, "/v1/environment", b"{}", Tokens(KEY).issue(PART)),
        await put(url, "/v1/result", b"{}", Tokens(KEY).issue(NODE)),
    ]
    assert [(status, problem.reason) for status, problem in refused] == [(401, Reason.TRANSFER_REFUSED)] * 2
    assert (shelf.documents, shelf.results) == ({}, [])


async def test_a_document_of_a_node_may_not_be_larger_than_it_can_be(url: str, shelf: Shelf) -> None:
    status, problem = await put(url, "/v1/environment", bytes(LIMITS.environment_bytes + 1), Tokens(KEY).issue(NODE))
    assert (status, problem.reason) == (413, Reason.TRANSFER_TOO_LARGE)
    assert shelf.documents == {}


async def put(url: str, path: str, data: bytes, token: str, **headers: str) -> tuple[int, Problem]:
    sent = {
        "Authorization": f"Bearer {token}",
        digest.HEADER: digest.encode(hashlib.sha256(data).hexdigest()),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    async with session() as client, client.put(url + path, data=data, headers=sent) as response:
        return response.status, Problem.model_validate(await response.json())


async def test_a_job_gets_its_instructions_with_the_nulls_of_a_healed_config(client: TransferClient) -> None:
    instructions = await client.instructions()
    assert (instructions.sha256, instructions.target_version) == (SHA256, "v0.17.0")
    assert instructions.healed_config == {"actions": "allocate", "usageDBConfig": None}


async def test_a_job_gets_the_archive_byte_for_byte(client: TransferClient, tmp_path: Path) -> None:
    await client.archive(tmp_path / "archive", sha256=SHA256)
    assert (tmp_path / "archive").read_bytes() == ARCHIVE


async def test_the_archive_comes_with_its_size_and_digest(url: str) -> None:
    headers = {"Authorization": f"Bearer {Tokens(KEY).issue(PART)}"}
    async with session(headers=headers) as client, client.get(f"{url}/v1/archive") as response:
        assert response.content_length == len(ARCHIVE)
        assert digest.decode(response.headers["Repr-Digest"]) == SHA256
        await response.read()


async def test_an_archive_is_asked_for_once(client: TransferClient, shelf: Shelf, tmp_path: Path) -> None:
    await client.archive(tmp_path / "archive", sha256=SHA256)
    assert shelf.asked == [PART]


async def test_a_pod_of_an_indexed_job_says_with_each_request_which_archive_it_is_about(
    url: str, shelf: Shelf, tmp_path: Path
) -> None:
    async with connect(url, Tokens(KEY).issue(PART), TRUST, archive=17, patience_seconds=0) as client:
        await client.instructions()
        await client.archive(tmp_path / "archive", sha256=SHA256)
        await client.put_log(content(tmp_path, b"log"))
        await client.put_profile(Profile.CPU, content(tmp_path, b"profile"))
        await client.put_result(content(tmp_path, b"{}"))
    assert shelf.asked == [PART.model_copy(update={"archive": 17})] * 5


async def test_what_is_no_completion_index_is_refused(url: str, shelf: Shelf) -> None:
    headers = {"Authorization": f"Bearer {Tokens(KEY).issue(PART)}"}
    async with session(headers=headers) as client:
        for archive in ("", "x", "-1", "1.5", "9" * 5000):
            async with client.get(f"{url}/v1/instructions", params={"archive": archive}) as response:
                assert response.status == 403
                assert (await response.json())["reason"] == "TransferRefused"
    assert not shelf.asked


async def test_that_there_is_a_result_already_is_said_at_once(client: TransferClient, shelf: Shelf) -> None:
    shelf.failures = [TerminalError(Reason.RESULT_EXISTS, "a result was handed in before.")]
    with pytest.raises(TerminalError, match="handed in before") as caught:
        await client.instructions()
    assert caught.value.reason is Reason.RESULT_EXISTS


async def test_an_archive_that_changed_in_the_storage_is_refused(
    client: TransferClient, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.archive_bytes = ARCHIVE[:-1] + b"x"
    with pytest.raises(TerminalError) as caught:
        await client.archive(tmp_path / "archive", sha256=SHA256)
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH


async def test_an_archive_that_became_shorter_is_a_cut_connection_not_a_whole_archive(
    client: TransferClient, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.archive_bytes = ARCHIVE[: len(ARCHIVE) // 2]
    with pytest.raises(TransientError) as caught:
        await client.archive(tmp_path / "archive", sha256=SHA256)
    assert caught.value.reason is Reason.TRANSFER_UNREACHABLE


async def test_log_and_result_arrive_byte_for_byte(client: TransferClient, shelf: Shelf, tmp_path: Path) -> None:
    await client.put_log(content(tmp_path, ARCHIVE))
    await client.put_result(content(tmp_path, b'{"outcome": "Succeeded"}'))
    assert (shelf.logs, shelf.results) == ([ARCHIVE], [b'{"outcome": "Succeeded"}'])


async def test_each_profile_arrives_as_what_it_is(client: TransferClient, shelf: Shelf, tmp_path: Path) -> None:
    await client.put_profile(Profile.CPU, content(tmp_path, b"cpu"))
    await client.put_profile(Profile.MEMORY, content(tmp_path, b"memory"))
    assert shelf.profiles == {Profile.CPU: b"cpu", Profile.MEMORY: b"memory"}


async def test_the_same_result_again_is_fine_and_another_is_not(
    client: TransferClient, shelf: Shelf, tmp_path: Path
) -> None:
    await client.put_result(content(tmp_path, b"one"))
    await client.put_result(content(tmp_path, b"one"))
    with pytest.raises(TerminalError) as caught:
        await client.put_result(content(tmp_path, b"two"))
    assert caught.value.reason is Reason.RESULT_EXISTS
    assert shelf.results == [b"one"]


@pytest.mark.parametrize("path", ["/v1/instructions", "/v1/archive"])
@pytest.mark.parametrize(
    "authorization",
    [None, "Basic dTpw", "Bearer", "Bearer x.y.z", f"Bearer {Tokens(b'o' * 32).issue(PART)}"],
    ids=["none", "basic", "empty", "garbage", "another operator's"],
)
async def test_nothing_is_served_without_a_token_of_this_operator(
    url: str, path: str, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with session(headers=headers) as client, client.get(url + path) as response:
        assert response.status == 401
        assert (await response.json())["reason"] == "TransferRefused"


async def test_a_token_of_a_replay_that_is_gone_is_refused(url: str) -> None:
    token = Tokens(KEY).issue(PART.model_copy(update={"uid": "gone"}))
    status, trouble = await put(url, "/v1/result", b"{}", token)
    assert (status, trouble.reason) == (403, Reason.TRANSFER_REFUSED)


@pytest.mark.parametrize(("path", "size"), [("/v1/result", LIMITS.result_bytes), ("/v1/log", LIMITS.log_bytes)])
async def test_a_body_beyond_the_limit_is_refused_before_it_is_sent(
    client: TransferClient, shelf: Shelf, tmp_path: Path, path: str, size: int
) -> None:
    hand_in = client.put_result if path == "/v1/result" else client.put_log
    with pytest.raises(TerminalError) as caught:
        await hand_in(content(tmp_path, bytes(size + 1)))
    assert caught.value.reason is Reason.TRANSFER_TOO_LARGE
    await hand_in(content(tmp_path, bytes(size)))
    assert shelf.logs + shelf.results == [bytes(size)]


async def test_a_body_that_does_not_say_its_size_is_counted_while_it_comes(url: str, shelf: Shelf) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(1 << 16)

    headers = {"Authorization": f"Bearer {Tokens(KEY).issue(PART)}"}
    async with (
        session(headers=headers) as client,
        client.put(f"{url}/v1/result", data=endless()) as response,
    ):
        assert response.status == 413
    assert not shelf.results


async def test_a_body_unlike_its_digest_is_not_taken(url: str, shelf: Shelf) -> None:
    status, trouble = await put(url, "/v1/result", b"{}", Tokens(KEY).issue(PART), Repr_Digest=digest.encode(SHA256))
    assert (status, trouble.reason) == (503, Reason.CHECKSUM_MISMATCH)
    assert not shelf.results


async def test_who_comes_while_the_hands_are_full_is_told_when_to_come_again(url: str, shelf: Shelf) -> None:
    tokens = [Tokens(KEY).issue(PART.model_copy(update={"index": index})) for index in range(LIMITS.transfers + 1)]
    await _is_turned_away(url, shelf, under_way=tokens[1:], who=tokens[0])


async def test_who_comes_while_a_transfer_of_the_same_part_is_under_way_is_told_so_too(url: str, shelf: Shelf) -> None:
    token = Tokens(KEY).issue(PART)
    await _is_turned_away(url, shelf, under_way=[token], who=token)


async def _is_turned_away(url: str, shelf: Shelf, *, under_way: list[str], who: str) -> None:
    shelf.gate.clear()
    first = [asyncio.create_task(_log(url, token)) for token in under_way]
    for _ in first:
        assert await asyncio.to_thread(shelf.arrivals.acquire, timeout=10)
    headers = {"Authorization": f"Bearer {who}"}
    async with session(headers=headers) as client, client.get(f"{url}/v1/archive") as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "0")
        assert (await response.json())["reason"] == "TransferBusy"
    shelf.gate.set()
    assert await asyncio.gather(*first) == [200] * len(under_way)
    assert await _log(url, who) == 200


async def _log(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}", digest.HEADER: digest.encode(hashlib.sha256(b"log").hexdigest())}
    async with session(headers=headers) as client, client.put(f"{url}/v1/log", data=b"log") as response:
        return response.status


async def test_the_client_comes_again_after_what_may_heal(url: str, shelf: Shelf, tmp_path: Path) -> None:
    shelf.failures = [TransientError(Reason.STORAGE_UNREACHABLE, "S3 answers 503.")]
    async with connect(url, Tokens(KEY).issue(PART), TRUST, patience_seconds=30) as client:
        await client.put_result(content(tmp_path, b"{}"))
    assert shelf.results == [b"{}"]


async def test_the_client_says_what_the_endpoint_said_when_its_patience_ends(
    client: TransferClient, shelf: Shelf
) -> None:
    shelf.failures = [TransientError(Reason.STORAGE_UNREACHABLE, "S3 answers 503.")]
    with pytest.raises(TransientError, match="S3 answers 503") as caught:
        await client.instructions()
    assert caught.value.reason is Reason.STORAGE_UNREACHABLE


@pytest.mark.parametrize(
    "reason",
    [
        Reason.TRANSFER_REFUSED,
        Reason.ARCHIVE_NOT_FOUND,
        Reason.RESULT_EXISTS,
        Reason.TRANSFER_TOO_LARGE,
        Reason.CHECKSUM_MISMATCH,
        Reason.INVALID_MANIFEST,
        Reason.INVALID_RESULT,
        Reason.PLAN_LOST,
    ],
)
async def test_the_client_gives_up_at_once_on_what_is_wrong_with_the_part_itself(
    url: str, shelf: Shelf, reason: Reason
) -> None:
    shelf.failures = [TerminalError(reason, "It is not there.")]
    async with connect(url, Tokens(KEY).issue(PART), TRUST, patience_seconds=600) as client:
        with pytest.raises(TerminalError, match="It is not there") as caught:
            await client.instructions()
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "reason",
    [
        Reason.ACCESS_DENIED,
        Reason.BUCKET_NOT_FOUND,
        Reason.CLAIM_NOT_MOUNTED,
        Reason.CREDENTIALS_NOT_FOUND,
        Reason.FORBIDDEN,
        Reason.NO_SPACE_LEFT,
        Reason.STORAGE_REFUSED,
        Reason.TLS_VERIFICATION_FAILED,
        Reason.UNAUTHORIZED,
    ],
)
async def test_a_storage_that_cannot_be_used_as_it_is_may_be_put_right(
    client: TransferClient, shelf: Shelf, tmp_path: Path, reason: Reason
) -> None:
    shelf.failures = [TerminalError(reason, "It cannot be used.")]
    with pytest.raises(TransientError, match="It cannot be used") as caught:
        await client.archive(tmp_path / "archive", sha256=SHA256)
    assert caught.value.reason is reason


async def test_the_client_comes_again_until_somebody_puts_the_storage_right(
    url: str, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.failures = [TerminalError(Reason.ACCESS_DENIED, "The bucket refuses the key.")] * 2
    async with connect(url, Tokens(KEY).issue(PART), TRUST, patience_seconds=600) as patient:
        await patient.archive(tmp_path / "archive", sha256=SHA256)
    assert (tmp_path / "archive").read_bytes() == ARCHIVE


async def test_no_operator_at_that_address_is_said_plainly() -> None:
    async with connect("https://127.0.0.1:9", "token", TRUST, patience_seconds=0) as client:
        with pytest.raises(TransientError, match="Is the operator running") as caught:
            await client.instructions()
    assert caught.value.reason is Reason.TRANSFER_UNREACHABLE


async def test_another_server_at_that_address_is_said_plainly() -> None:
    async with serving(web.Application()) as address, connect(address, "token", TRUST, patience_seconds=0) as client:
        with pytest.raises(TerminalError, match="answers 404"):
            await client.instructions()


async def test_the_probe_needs_no_token(url: str) -> None:
    async with session() as client, client.get(f"{url}/healthz") as response:
        assert response.status == 200


async def test_a_silent_peer_loses_its_place(shelf: Shelf, tmp_path: Path) -> None:
    app = application(Tokens(KEY), shelf, shelf, spool=tmp_path, limits=Limits(transfers=1, silence_seconds=0.05))
    async with serving(app) as address:
        host, port = address.removeprefix("https://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), ssl=client_context(TRUST))
        token = Tokens(KEY).issue(PART)
        head = f"PUT /v1/log HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 9\r\n\r\n"
        writer.write(head.encode() + b"lo")
        async with asyncio.timeout(10):
            assert b"503" in await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert await _log(address, token) == 200


@pytest.mark.parametrize("header", [None, "", "md5=:aGk=:", "sha-256=:aGk=:", "sha-256=:%%:", "sha-256=nothing"])
async def test_what_is_no_digest_is_none(header: str | None) -> None:
    assert digest.decode(header) is None


async def test_a_digest_among_others_is_found() -> None:
    assert digest.decode(f"md5=:aGk=:, {digest.encode(SHA256)}") == SHA256
