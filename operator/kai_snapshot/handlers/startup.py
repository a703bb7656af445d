"""Start and end of the operator: kopf's settings, the election, and what runs while this operator is the active one."""

import asyncio
import itertools
import logging
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from typing import Any, Final

import kopf

from kai_snapshot.cluster import REPLAYS, AlreadyExistsError, Cluster, connect
from kai_snapshot.cluster.lease import LEASE, Election, LeaseLock
from kai_snapshot.errors import SnapshotError
from kai_snapshot.handlers.events import watch_ours
from kai_snapshot.handlers.threads import Threads
from kai_snapshot.handlers.workers import ENVIRONMENTS, Key, Workers
from kai_snapshot.jobs import names
from kai_snapshot.metrics import Metrics
from kai_snapshot.runs import certificates
from kai_snapshot.runs.children import captures, environments, sweep
from kai_snapshot.runs.deliver import Delivery
from kai_snapshot.runs.deliver_environment import EnvironmentDelivery
from kai_snapshot.runs.services import Services, now
from kai_snapshot.settings import Settings, read
from kai_snapshot.source import in_cluster
from kai_snapshot.transfer.certificates import Certificates
from kai_snapshot.transfer.listen import Listener
from kai_snapshot.transfer.presented import Presented
from kai_snapshot.transfer.server import application
from kai_snapshot.transfer.tokens import Tokens

SIGNING_KEY: Final = "kai-snapshot-signing-key"
RENEWAL_SECONDS: Final = 3600
"""How often it is seen whether the endpoint's certificate is due."""
QUIET_SECONDS: Final = 15
"""How long the Lease waits, when the operator ends, for what is being written."""

logger = logging.getLogger(__name__)


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Configures kopf, and campaigns to be the active operator. Events are queued meanwhile."""
    settings.scanning.disabled = True  # needs rights in the whole cluster; namespaces and kinds served do not change
    settings.posting.enabled = False  # log lines are no events; ours are posted deliberately
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 30
    settings.watching.chunk_size = 250
    settings.queueing.idle_timeout = 0.1  # until then kopf keeps the object: a name is all that we want of it
    settings.networking.error_backoffs = Patience()
    watch_ours(settings)
    threads = Threads()
    asyncio.get_running_loop().set_default_executor(threads)
    for chatty in ("kopf.objects", "aiohttp.access"):  # a line for each event, and for each probe
        logging.getLogger(chatty).setLevel(logging.WARNING)
    memo.workers = Workers()
    try:
        memo.active = await asyncio.to_thread(Active, read(os.environ), memo.workers, threads)
    except SnapshotError as error:
        raise kopf.PermanentError(str(error)) from error  # ends here; the kubelet tries again
    memo.active.campaign()


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Ends what runs, and lets the next operator start at once."""
    if "active" in memo:  # not, if the start failed
        await memo.active.stop()


class Patience:
    """Seconds between tries of kopf's requests, without an end.

    kopf would give up after a minute and end the operator: a namespace that was deleted with the Role in it must not
    keep all others waiting. Where the whole API server is away, the Lease is lost and ends the operator earlier.
    """

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1, 1, 2, 3, 5, 8, 13, 21), itertools.repeat(30))


class Active:
    """What there is only once: the workers, the children and the transfer endpoint."""

    def __init__(self, settings: Settings, workers: Workers, threads: Threads) -> None:
        self._settings = settings
        self._workers = workers
        self._threads = threads
        self._cluster = connect()
        self._cluster.check_kinds()
        self._cluster.label_pod(settings.namespace, settings.pod_name, {names.ACTIVE: None})  # of an earlier start
        self._election: Election | None = None
        self._endpoint: Listener | None = None
        self._ends = False
        self._leading: asyncio.Task[None] | None = None
        self._renewals: asyncio.Task[None] | None = None
        self._metrics = Metrics()

    def campaign(self) -> None:
        """Waits for the Lease in a thread; then starts here."""
        loop = asyncio.get_running_loop()

        def lead() -> None:
            loop.call_soon_threadsafe(self._begin)

        identity = self._settings.pod_name
        self._election = election = Election(
            LeaseLock(self._cluster, name=LEASE, namespace=self._settings.namespace, identity=identity),
            identity=identity,
            on_started=lead,
            on_lost=_exit_at_once,
        )
        self._metrics.leads(LEASE, lambda: election.leads)
        self._metrics.serve(self._settings.metrics_port, ready=self._ready)
        election.start()

    def _ready(self) -> bool:
        """Whether it acts, or would if the one that acts ended."""
        return self._endpoint is not None or (self._election is not None and self._election.stands_by)

    def _begin(self) -> None:
        if not self._ends:
            self._leading = asyncio.create_task(self._lead())

    async def _lead(self) -> None:
        try:
            sweep(self._settings.spool_dir)
            services = await asyncio.to_thread(self._services)
            wake = self._waker(asyncio.get_running_loop())
            replays = Delivery(services, on_result=lambda part: wake(Key(REPLAYS, part.namespace, part.name)))
            environments = EnvironmentDelivery(
                services, on_document=lambda part: wake(Key(ENVIRONMENTS, part.namespace, part.name))
            )
            app = application(services.tokens, replays, environments, spool=self._settings.spool_dir)
            self._endpoint = await Listener.start(app, services.presented.context, port=self._settings.transfer_port)
            await asyncio.to_thread(_route_here, self._cluster, self._settings)
            self._renewals = asyncio.create_task(self._renew(services.presented))
            self._workers.start(services)
        except Exception:  # half an operator is none: say why, and let the kubelet start another
            logger.exception("the operator cannot start")
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            logger.info("active as %s", services.identity)

    async def _renew(self, presented: Presented) -> None:
        """Replaces the endpoint's certificates in time."""
        while True:
            self._metrics.certificate_served(presented.certificates.serving.ends)
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                presented.change(await asyncio.to_thread(self._certificates, presented.certificates))
            except SnapshotError as error:
                logger.warning("the transfer endpoint's certificate is not renewed: %s", error.message)
            except Exception:  # a fault of ours must not end the renewals: the certificate would run out unseen
                logger.exception("the transfer endpoint's certificate is not renewed")

    def _certificates(self, served: Certificates | None = None) -> Certificates:
        return certificates.keep(self._cluster, self._settings, now=now(), served=served)

    def _services(self) -> Services:
        return Services(
            settings=self._settings,
            cluster=self._cluster,
            children=captures(concurrent=self._settings.concurrent_captures),
            environments=environments(),
            metrics=self._metrics,
            tokens=Tokens(_signing_key(self._cluster, self._settings.namespace)),
            presented=Presented(self._certificates()),
            connection=in_cluster(os.environ),
            image=self._cluster.image_of(self._settings.namespace, self._settings.pod_name),
            identity=f"{self._settings.pod_name}_{secrets.token_hex(4)}",
            cluster_uid=self._cluster.cluster_uid(),
        )

    def _waker(self, loop: asyncio.AbstractEventLoop) -> Callable[[Key], None]:
        """Looks at an object, from any thread."""

        def wake(key: Key) -> None:
            loop.call_soon_threadsafe(self._workers.add, key)

        return wake

    async def stop(self) -> None:
        """Ends everything in order. The Lease is given back once nothing is written any more."""
        self._ends = True
        for task in (self._leading, self._renewals):
            if task is not None:
                task.cancel()
        if self._leading is not None:
            await asyncio.gather(self._leading, return_exceptions=True)
        if self._endpoint is not None:
            await self._endpoint.close()
        await self._workers.stop()
        if not await self._threads.quiet(QUIET_SECONDS):
            logger.error("ending at once, without giving the Lease back: something is still being written")
            os._exit(1)
        if self._election is not None:
            await asyncio.to_thread(self._election.stop)


def _exit_at_once() -> None:
    """The Lease is lost, so another operator is about to act: children die with this process."""
    logger.error("ending at once: another operator may act now")
    os._exit(1)


def _route_here(cluster: Cluster, settings: Settings) -> None:
    """Has the Service of the transfer endpoint lead to this pod, and to no other one."""
    for pod in cluster.pods(settings.namespace, f"{names.ACTIVE}=true"):
        if pod["metadata"]["name"] != settings.pod_name:
            cluster.label_pod(settings.namespace, pod["metadata"]["name"], {names.ACTIVE: None})
    cluster.label_pod(settings.namespace, settings.pod_name, {names.ACTIVE: "true"})


def _signing_key(cluster: Cluster, namespace: str) -> bytes:
    """The key that signs tokens, from a Secret that is made with the first start."""
    for _ in range(2):
        data = cluster.secret_data(namespace, SIGNING_KEY)
        if data is not None:
            return data["key"]
        fresh = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SIGNING_KEY, "namespace": namespace},
            "stringData": {"key": secrets.token_hex(32)},
        }
        try:
            cluster.create_secret(fresh)
        except AlreadyExistsError:
            continue
    data = cluster.secret_data(namespace, SIGNING_KEY)
    assert data is not None
    return data["key"]
