"""Admit: whether somebody with a token may see what captures hold; the API server is asked in their name."""

from kai_snapshot.api.base import GROUP
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.source import ApiConnection, KubernetesApi

RESOURCE = "snapshotcaptures"


async def admit(connection: ApiConnection, token: str, *, namespace: str) -> None:
    """Returns if the token's owner may list the captures of a namespace.

    Of the connection only the address and its trust are used, nothing of its identity. Raises SnapshotError:
    Unauthorized if the token is not valid, Forbidden if they may not; APIUnreachable.
    """
    theirs = ApiConnection(
        server=connection.server,
        ca=connection.ca,
        insecure_skip_tls_verify=connection.insecure_skip_tls_verify,
        tls_server_name=connection.tls_server_name,
        proxy=connection.proxy,
        token=token,
    )
    async with KubernetesApi.connect(theirs) as api:
        try:
            allowed = await api.may("list", RESOURCE, group=GROUP, namespace=namespace)
        except TerminalError as error:
            if error.reason is not Reason.UNAUTHORIZED:
                raise
            message = "The cluster does not accept this token: it is not valid, or not any more."
            raise TerminalError(Reason.UNAUTHORIZED, message) from error
    if not allowed:
        raise TerminalError(
            Reason.FORBIDDEN,
            f"This token's owner may not list {RESOURCE}.{GROUP} in namespace {namespace}: who may not read the "
            "captures does not see what they hold.",
        )
