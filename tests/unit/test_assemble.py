"""The document that is built in the scheduler's place, in a file: what is said where that fails as well."""

import asyncio
from pathlib import Path

import pytest

from kai_snapshot.api.source import SchedulerSource
from kai_snapshot.errors import Reason, SnapshotError, TransientError
from kai_snapshot.runs.assemble import instead
from kai_snapshot.runs.taken import Progress, Taken
from kai_snapshot.source import ApiConnection, KubernetesApi
from support.apicluster import PATHS, api_server, document
from support.apiserver import ApiServer, serving

LIVE = document(Path(__file__).parents[1] / "data" / "corpus" / "19-live" / "snapshot.zip")
NO_KUBELET = TransientError(Reason.API_UNREACHABLE, "The kubelet of node a does not answer.")


def built(
    server: ApiServer, spool: Path, failure: SnapshotError = NO_KUBELET, *, progress: Progress | None = None
) -> Taken:
    """After the scheduler failed so."""

    async def conversation() -> Taken:
        async with serving(server), KubernetesApi.connect(ApiConnection(server=server.url)) as api:
            return await instead(api, SchedulerSource(), spool, failure, progress)

    return asyncio.run(conversation())


@pytest.fixture
def server() -> ApiServer:
    return api_server(LIVE)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "snapshot.zip"


@pytest.mark.parametrize(("status", "reason"), [(503, Reason.API_UNREACHABLE), (403, Reason.FORBIDDEN)])
def test_both_failures_are_said_whether_or_not_they_have_one_reason(
    server: ApiServer, spool: Path, status: int, reason: Reason
) -> None:
    server.statuses["/apis"] = status
    with pytest.raises(TransientError, match="get /apis") as failure:
        built(server, spool)
    assert failure.value.reason is reason
    assert f"stand in for the scheduler: APIUnreachable: {NO_KUBELET.message}" in failure.value.message


def test_a_disk_that_fails_is_not_taken_for_an_api_server_that_is_away(server: ApiServer, spool: Path) -> None:
    def lost(_: int) -> None:
        """The file goes while a list is read."""
        if any(PATHS["pods"] in request for request in server.requests):
            spool.unlink(missing_ok=True)

    with pytest.raises(TransientError, match=f"{spool.parent} .*No such file") as failure:
        built(server, spool, progress=lost)
    assert failure.value.reason is Reason.SPOOL_FAILED
    assert "cannot be reached" not in failure.value.message
