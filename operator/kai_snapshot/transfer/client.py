"""The transfer endpoint as the containers of Jobs use it: patient with what may heal, plain about what will not."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
from pydantic import ValidationError

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.transfer import Instructions, Profile
from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.transfer import digest
from kai_snapshot.transfer.presented import client_context

_PIECE: Final = 1 << 20
_LONGEST_PAUSE: Final = 30.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=300)  # storing a large log takes a while
T = TypeVar("T")


class TransferClient:
    """One pod's view of the endpoint. Every call goes on trying for `patience_seconds` while an error may heal.

    Calls raise TerminalError with the endpoint's reason, or the last TransientError when patience is at its end.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, archive: int | None, patience_seconds: float
    ) -> None:
        self._session, self._url, self._patience = session, url.rstrip("/"), patience_seconds
        self._query = {} if archive is None else {"archive": str(archive)}

    async def instructions(self) -> Instructions:
        """What this pod is to do. Raises TerminalError(ResultExists) if that is done."""
        return await self._persist(self._instructions, trusting=False)

    async def archive(self, target: Path, *, sha256: str) -> None:
        """Downloads the archive to `target`. Raises TerminalError(ChecksumMismatch) if it is another than `sha256`."""
        await self._persist(lambda: self._archive(target, sha256), trusting=False)

    async def put_log(self, file: Path) -> None:
        """Hands in the tool's log."""
        await self._persist(lambda: self._put("/v1/log", file.open("rb")))

    async def put_profile(self, profile: Profile, file: Path) -> None:
        """Hands in a profile of the tool."""
        await self._persist(lambda: self._put(f"/v1/profile/{profile}", file.open("rb")))

    async def put_result(self, file: Path) -> None:
        """Hands in the result."""
        await self._persist(lambda: self._put("/v1/result", file.open("rb")))

    async def put_environment(self, document: bytes) -> None:
        """Hands in the document of a node."""
        await self._persist(lambda: self._put("/v1/environment", BytesIO(document)))

    async def _instructions(self) -> Instructions:
        async with self._session.get(f"{self._url}/v1/instructions", params=self._query) as response:
            await _check(response)
            content = await response.read()
        try:
            return Instructions.model_validate_json(content)
        except ValidationError as error:
            message = f"{self._url} answers what is no instructions: is it the operator's transfer endpoint?"
            raise TerminalError(Reason.HTTP_STATUS, message) from error

    async def _archive(self, target: Path, sha256: str) -> None:
        hasher = hashlib.sha256()
        async with self._session.get(f"{self._url}/v1/archive", params=self._query) as response:
            await _check(response)
            with target.open("wb") as file:
                async for piece in response.content.iter_chunked(_PIECE):
                    hasher.update(piece)
                    file.write(piece)
        if hasher.hexdigest() != sha256:
            raise TerminalError(
                Reason.CHECKSUM_MISMATCH,
                f"the archive in the storage has SHA-256 {hasher.hexdigest()}, not {sha256} as when it was pinned: "
                "it was changed or damaged there. Nothing was replayed.",
            )

    async def _put(self, path: str, opened: BufferedReader | BytesIO) -> None:
        with opened as body:
            sha256 = hashlib.file_digest(body, "sha256").hexdigest()
            body.seek(0)
            headers = {digest.HEADER: digest.encode(sha256), "Content-Type": "application/octet-stream"}
            async with self._session.put(
                f"{self._url}{path}", params=self._query, data=body, headers=headers, expect100=True
            ) as response:
                await _check(response)

    async def _persist(self, attempt: Callable[[], Awaitable[T]], *, trusting: bool = True) -> T:
        """Without `trusting`, a certificate that is not trusted ends it at once: nothing that was made is lost yet."""
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + self._patience, 0.25
        while True:
            try:
                return await attempt()
            except _LaterError as later:
                error: TransientError = later
                wait = max(pause, later.seconds)
            except aiohttp.ClientConnectorCertificateError as refused:
                wait, error = pause, _untrusted(self._url, refused)
                if not trusting:
                    raise error from refused
            except (aiohttp.ClientError, TimeoutError) as broken:
                wait = pause
                error = TransientError(
                    Reason.TRANSFER_UNREACHABLE,
                    f"the operator's transfer endpoint {self._url} cannot be reached, or broke off "
                    f"({broken or type(broken).__name__}). Is the operator running, and does a NetworkPolicy let "
                    "the pods of its Jobs reach it?",
                )
                error.__cause__ = broken
            wait *= random.uniform(1, 1.5)  # noqa: S311 - spreads Jobs that were refused together
            if clock() + wait > deadline:
                raise error
            await asyncio.sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE)


@asynccontextmanager
async def connect(
    url: str, token: str, authorities: str, *, patience_seconds: float, archive: int | None = None
) -> AsyncIterator[TransferClient]:
    """A client of the endpoint at `url` (no path), about the `archive` of many in its replay's plan.

    The token is shown to nobody whose certificate is not of one of these authorities (PEM).
    """
    headers = {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(ssl=client_context(authorities))
    async with aiohttp.ClientSession(
        headers=headers, connector=connector, timeout=_TIMEOUT, auto_decompress=False
    ) as session:
        yield TransferClient(session, url, archive=archive, patience_seconds=patience_seconds)


class _LaterError(TransientError):
    """The endpoint asks to come again, no sooner than after `seconds`."""

    def __init__(self, reason: Reason, message: str, seconds: float) -> None:
        super().__init__(reason, message)
        self.seconds = seconds


def _untrusted(url: str, refused: aiohttp.ClientConnectorCertificateError) -> TransientError:
    why = getattr(refused.certificate_error, "verify_message", "") or refused.certificate_error
    return TransientError(
        Reason.TLS_VERIFICATION_FAILED,
        f"who answers at {url} is not the operator that this Job was made by, and was told nothing: {why}. Does the "
        "Service lead to the operator, is anything between that ends TLS, and is the node's clock right?",
    )


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status == 200:
        return
    body = await response.content.read(4096)
    try:
        trouble = Problem.model_validate_json(body)
    except ValidationError:
        trouble = Problem(
            reason=Reason.HTTP_STATUS, message=f"{response.url} answers {response.status} {response.reason}."
        )
    if response.status >= 500 or response.status == 429:
        after = response.headers.get("Retry-After", "")
        raise _LaterError(trouble.reason, trouble.message, float(after) if after.isdecimal() else 0)
    raise TerminalError(trouble.reason, trouble.message)
