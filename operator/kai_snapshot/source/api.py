"""A few questions to the Kubernetes API server, over aiohttp: the kubernetes package takes too much memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError

from kai_snapshot.source.apierrors import BUSY, BUSY_TRIES, REQUEST_SECONDS, Refusals, Refused, busy_seconds, said
from kai_snapshot.source.connection import ApiConnection
from kai_snapshot.source.objects import (
    AccessReview,
    ConfigMap,
    Deployment,
    Lease,
    Namespace,
    Page,
    Pod,
    RawObject,
    RawPage,
    ServerVersion,
)
from kai_snapshot.source.request import Request

PAGE_SIZE = 500
LOG_LINES = 5000
LOG_BYTES = 2 * 1024 * 1024
CLOSE_SECONDS = 2
STREAMED = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=REQUEST_SECONDS)
PIECE = 256 * 1024

Model = TypeVar("Model", bound=BaseModel)


class KubernetesApi:
    """An open connection to an API server.

    Every method raises TransientError (APIUnreachable) or TerminalError (Unauthorized, Forbidden, APIUnreachable for a
    certificate that is not trusted).
    """

    def __init__(self, connection: ApiConnection, session: aiohttp.ClientSession) -> None:
        self._connection = connection
        self._session = session
        self._refusals = Refusals(connection.server)
        self._transport: dict[str, Any] = {
            "ssl": connection.ssl_context(),
            "server_hostname": connection.tls_server_name,
            "proxy": connection.proxy,
        }

    @classmethod
    @asynccontextmanager
    async def connect(cls, connection: ApiConnection) -> AsyncIterator[Self]:
        """Makes a session for the API server; nothing is sent yet."""
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": "kai-snapshot"}) as session:
            yield cls(connection, session)

    async def deployments(self, namespace: str) -> list[Deployment]:
        """All Deployments of a namespace; none if there is no such namespace."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        request = Request(path=path, verbs=["list"], resource="deployments", group="apps", namespace=namespace)
        return await self._list(request, Deployment)

    async def pods(self, namespace: str, *, labels: Mapping[str, str]) -> list[Pod]:
        """The pods of a namespace that carry all of `labels`."""
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        path = f"/api/v1/namespaces/{namespace}/pods"
        request = Request(path=path, verbs=["list"], resource="pods", namespace=namespace)
        return await self._list(request, Pod, labelSelector=selector)

    async def lease(self, namespace: str, name: str) -> Lease | None:
        """The Lease of that name; None if there is none."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        request = Request(
            path=path, verbs=["get"], resource="leases", group="coordination.k8s.io", namespace=namespace, name=name
        )
        return await self._get(request, Lease)

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        """The ConfigMap of that name; None if there is none."""
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        return await self._get(
            Request(path=path, verbs=["get"], resource="configmaps", namespace=namespace, name=name), ConfigMap
        )

    async def log_tail(self, namespace: str, pod: str, *, container: str) -> str | None:
        """The end of a container's log, at most 5000 lines and 2 MiB; None if there is none."""
        request = Request(
            path=f"/api/v1/namespaces/{namespace}/pods/{pod}/log",
            verbs=["get"],
            resource="pods/log",
            namespace=namespace,
            name=pod,
        )
        body = await self._ask(request, container=container, tailLines=str(LOG_LINES), limitBytes=str(LOG_BYTES))
        return None if body is None else body.decode("utf-8", "replace")

    async def cluster_uid(self) -> str:
        """What tells this cluster from every other: the UID of the namespace kube-system."""
        request = Request(
            path="/api/v1/namespaces/kube-system", verbs=["get"], resource="namespaces", name="kube-system"
        )
        return (await self.read(request, Namespace)).metadata.uid

    async def server_version(self) -> str:
        """The version of Kubernetes, as `v1.35.4`."""
        request = Request(path="/version", verbs=["get"], resource="/version")
        return (await self.read(request, ServerVersion)).git_version

    async def may(self, verb: str, resource: str, *, group: str, namespace: str) -> bool:
        """Whether the identity of this connection may do that: the API server is asked in its name.

        No right is needed to ask, and none of ours is used. A token that is not valid is Unauthorized.
        """
        request = Request(
            path="/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            verbs=["create"],
            resource="selfsubjectaccessreviews",
            group="authorization.k8s.io",
        )
        attributes = {"verb": verb, "resource": resource, "group": group, "namespace": namespace}
        body = await self._ask(request, {"spec": {"resourceAttributes": attributes}})
        if body is None:
            raise self._refusals.unlike_kubernetes(request)
        return self._parse(request, body, AccessReview).status.allowed

    async def objects(self, request: Request, **params: str) -> AsyncIterator[dict[str, Any]]:
        """The objects of a list, page by page, as they are; none if there is no such list."""
        following: dict[str, str] = {}
        while True:
            body = await self._ask(request, limit=str(PAGE_SIZE), **params, **following)
            page = self._parse(request, body, RawPage) if body is not None else RawPage()
            for item in page.items or ():
                yield item
            if not page.metadata.continue_:
                return
            following = {"continue": page.metadata.continue_}

    async def document(self, request: Request, **params: str) -> dict[str, Any] | None:
        """An object as it is; None if there is none."""
        body = await self._ask(request, **params)
        return None if body is None else self._parse(request, body, RawObject).root

    async def read(self, request: Request, model: type[Model]) -> Model:
        """An object that every API server has."""
        found = await self._get(request, model)
        if found is None:
            raise self._refusals.unlike_kubernetes(request)
        return found

    async def stream(self, request: Request, sink: Callable[[bytes], None], **params: str) -> Refused | None:
        """Gives a body to `sink` while it comes, as long as it goes on; what `sink` raises must not be an OSError.

        Returns what it answers with 404 or 410 instead.
        """
        headers = {"Accept-Encoding": "identity"}  # a server in trouble has better things to do
        status, body = await self._exchange(request, "GET", headers, sink=sink, params=params, timeout=STREAMED)
        if status == 200:
            return None
        told = said(body)
        if status in (404, 410):
            return Refused(status, told.metadata.continue_)
        raise self._refusals.refusal(request, status, told.message)

    async def text(self, request: Request, **params: str) -> str | None:
        """A text, such as a log; None if there is none."""
        body = await self._ask(request, **params)
        return None if body is None else body.decode("utf-8", "replace")

    async def create(self, request: Request, content: Mapping[str, object]) -> dict[str, Any] | None:
        """Creates an object; None if there is no such place."""
        body = await self._ask(request, content)
        return None if body is None else self._parse(request, body, RawObject).root

    async def apply(self, request: Request, content: Mapping[str, object], *, field_manager: str) -> bool:
        """Server-side apply; what others have written of these fields is taken over. False: there is no such place."""
        body = await self._ask(
            request, content, "PATCH", "application/apply-patch+yaml", fieldManager=field_manager, force="true"
        )
        return body is not None

    async def delete(self, request: Request) -> None:
        """Deletes an object, and what it owns in the background; nothing happens if it is gone."""
        await self._ask(request, {"propagationPolicy": "Background"}, "DELETE")

    async def websocket(
        self, request: Request, *, protocol: str, **params: str
    ) -> aiohttp.ClientWebSocketResponse[bool] | None:
        """Opens a WebSocket of that subprotocol; None if there is nothing at that path."""
        with self._refusals.network_errors(request):
            try:
                socket: aiohttp.ClientWebSocketResponse[bool] = await self._session.ws_connect(
                    self._connection.server.rstrip("/") + request.path,
                    protocols=(protocol,),
                    params=params,
                    headers=self._authorization(),
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
                    **self._transport,
                )
                return socket
            except aiohttp.WSServerHandshakeError as error:
                if error.status == 404:
                    return None
                raise self._refusals.refusal(request, error.status, "the WebSocket is refused") from error

    async def _list(self, request: Request, model: type[Model], **params: str) -> list[Model]:
        found: list[Model] = []
        following: dict[str, str] = {}
        while True:
            body = await self._ask(request, limit=str(PAGE_SIZE), **params, **following)
            page = self._parse(request, body, Page[model]) if body is not None else Page[model]()  # type: ignore[valid-type]
            found += page.items or []
            if not page.metadata.continue_:
                return found
            following = {"continue": page.metadata.continue_}

    async def _get(self, request: Request, model: type[Model]) -> Model | None:
        body = await self._ask(request)
        return None if body is None else self._parse(request, body, model)

    async def _ask(
        self,
        request: Request,
        content: Mapping[str, object] | None = None,
        method: str | None = None,
        content_type: str = "application/json",
        /,
        **params: str,
    ) -> bytes | None:
        """Gets; with `content` posts it, unless `method` says something else. None for 404."""
        status, body = await self._exchange(
            request,
            method or ("GET" if content is None else "POST"),
            {"Content-Type": content_type} if content is not None else {},
            data=orjson.dumps(content) if content is not None else None,
            params=params,
        )
        if status == 404:
            return None
        if status not in (200, 201, 202):
            raise self._refusals.refusal(request, status, said(body).message)
        return body

    async def _exchange(
        self,
        request: Request,
        method: str,
        headers: Mapping[str, str],
        *,
        sink: Callable[[bytes], None] | None = None,
        **options: Any,
    ) -> tuple[int, bytes]:
        """The status and the body, which goes to `sink` if that is given and the status 200.

        A server that is busy (429) is asked again, but told only once to change something.
        """
        tries = BUSY_TRIES if method == "GET" else 1
        while True:
            with self._refusals.network_errors(request):
                async with self._session.request(
                    method,
                    self._connection.server.rstrip("/") + request.path,
                    headers=self._headers(request, headers),
                    allow_redirects=False,
                    **options,
                    **self._transport,
                ) as response:
                    if sink is not None and response.status == 200:
                        async for piece in response.content.iter_chunked(PIECE):
                            sink(piece)
                        return 200, b""
                    body = await response.read()
            tries -= 1
            if response.status != BUSY or not tries:
                return response.status, body
            await asyncio.sleep(busy_seconds(response.headers.get("Retry-After", "")))

    def _headers(self, request: Request, more: Mapping[str, str]) -> Mapping[str, str]:
        return {"Accept": request.accept, **self._authorization(), **more}

    def _authorization(self) -> dict[str, str]:
        token = self._connection.bearer_token()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _parse(self, request: Request, body: bytes, model: type[Model]) -> Model:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            raise self._refusals.unlike_kubernetes(request) from error
