"""Opens a TCP connection to a port in a pod through the API server, over a WebSocket.

The protocol is the kubelet's `v4.channel.k8s.io`: one byte before the payload of each frame names the channel, 0 for
data and 1 for an error text, and the first frame of each channel carries the number of the port, two bytes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from kai_snapshot.errors import Reason, TransientError
from kai_snapshot.source.api import KubernetesApi
from kai_snapshot.source.request import Request
from kai_snapshot.source.text import one_line

PROTOCOL = "v4.channel.k8s.io"
DATA = 0
ERROR = 1


class ForwardedPort:
    """A connection to a port in a pod, as endpoint.ByteStream."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool], *, name: str) -> None:
        self._socket = socket
        self._name = name
        self._unannounced = {DATA, ERROR}
        self._carried_data = False

    async def read(self) -> bytes:
        """The next bytes; none at the end of the connection.

        Raises TransientError: SourceUnreachable if the port cannot be reached, ConnectionCut if it could before.
        """
        while True:
            message = await self._socket.receive()
            if message.type is not aiohttp.WSMsgType.BINARY:
                return b""
            frame: bytes = message.data
            channel = frame[0] if frame else DATA
            if channel in self._unannounced:
                self._unannounced.remove(channel)
            elif channel == ERROR:
                raise self._error(frame[1:])
            elif len(frame) > 1:
                self._carried_data = True
                return frame[1:]

    async def write(self, data: bytes) -> None:
        """Sends all of `data`."""
        try:
            await self._socket.send_bytes(bytes([DATA]) + data)
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(
                Reason.SOURCE_UNREACHABLE, f"The connection to {self._name} is closed: {one_line(str(error))}."
            ) from error

    def _error(self, text: bytes) -> TransientError:
        said = one_line(text.decode("utf-8", "replace"), limit=400)
        if self._carried_data:
            return TransientError(Reason.CONNECTION_CUT, f"The connection to {self._name} broke: {said}.")
        if "connection refused" in said:
            return TransientError(
                Reason.SOURCE_UNREACHABLE,
                f"Nothing listens at {self._name}: the scheduler is starting, or its plugin server has another port "
                "(--plugin-server-port, source.scheduler.port).",
            )
        return TransientError(Reason.SOURCE_UNREACHABLE, f"{self._name} cannot be reached: {said}.")


@asynccontextmanager
async def forward(api: KubernetesApi, *, namespace: str, pod: str, port: int) -> AsyncIterator[ForwardedPort]:
    """A connection to a port on a pod's loopback address.

    Raises SnapshotError: those of KubernetesApi; TransientError (NoSchedulerPod) if the pod is gone.
    """
    request = Request(
        path=f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward",
        verbs=["create", "get"],
        resource="pods/portforward",
        namespace=namespace,
        name=pod,
    )
    socket = await api.websocket(request, protocol=PROTOCOL, ports=str(port))
    if socket is None:
        raise TransientError(Reason.NO_SCHEDULER_POD, f"The pod {namespace}/{pod} is gone: try again.")
    async with socket:
        yield ForwardedPort(socket, name=f"pod {namespace}/{pod}, port {port}")
