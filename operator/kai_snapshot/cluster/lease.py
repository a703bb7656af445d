"""One active operator: a Lease of coordination.k8s.io/v1, as all controllers have it and `kubectl get leases` shows it.

The election that the kubernetes package brings goes by a clock that can be set, tries for 20 s to win back what another
has, and may hang in a request for longer than the Lease is good for: docs/decisions/0023.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from kai_snapshot.cluster import Cluster
from kai_snapshot.election import LEASE_SECONDS, RETRY_SECONDS, Candidacy, Held, LostError

LEASE: Final = "kai-snapshot-operator"
TIMEOUT: Final = (3, 5)
"""Seconds to connect, and of silence: several tries fit into the time a holder has to renew."""
GUARD_SECONDS: Final = 1
_NONE: Final = Held(holder="", seconds=0, version="")

logger = logging.getLogger(__name__)


class LeaseLock:
    """The Lease of that name, for the process `identity`."""

    def __init__(self, cluster: Cluster, *, name: str, namespace: str, identity: str) -> None:
        self._api = cluster.coordination
        self._name, self._namespace = name, namespace
        self._identity = identity
        self._read: Any = None

    def read(self) -> Held | None:
        """The Lease; None if the API server does not answer."""
        try:
            self._read = self._api.read_namespaced_lease(self._name, self._namespace, _request_timeout=TIMEOUT)
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                self._read = None
                return _NONE
            logger.warning("the Lease %s cannot be read: %s", self._name, error.reason)
            return None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            logger.warning("the Lease %s cannot be read: %s", self._name, type(error).__name__)
            return None
        spec = self._read.spec = self._read.spec or client.V1LeaseSpec()
        return Held(
            holder=spec.holder_identity or "",
            seconds=spec.lease_duration_seconds or LEASE_SECONDS,
            version=self._read.metadata.resource_version,
        )

    def take(self, over: Held) -> bool:
        """Takes or renews it, as it was read last."""
        now = datetime.now(UTC)
        if self._read is None:
            spec = client.V1LeaseSpec(acquire_time=now, lease_transitions=0)
            metadata = client.V1ObjectMeta(name=self._name, namespace=self._namespace)
            lease = client.V1Lease(metadata=metadata, spec=spec)
        else:
            lease, spec = self._read, self._read.spec
        if over.holder != self._identity and self._read is not None:
            spec.acquire_time = now
            spec.lease_transitions = (spec.lease_transitions or 0) + 1
        spec.holder_identity = self._identity
        spec.lease_duration_seconds = LEASE_SECONDS
        spec.renew_time = now
        return self._write(lease)

    def release(self) -> None:
        """Gives it back if it is ours, so that the next operator starts at once."""
        held = self.read()
        if held is not None and held.holder == self._identity:
            self._read.spec.holder_identity = ""
            self._write(self._read)

    def _write(self, lease: Any) -> bool:
        try:
            if lease.metadata.resource_version is None:
                self._api.create_namespaced_lease(self._namespace, lease, _request_timeout=TIMEOUT)
            else:  # refused if it was changed since it was read
                self._api.replace_namespaced_lease(self._name, self._namespace, lease, _request_timeout=TIMEOUT)
        except ApiException as error:
            logger.info("the Lease %s was not written: %s", self._name, error.reason)
            return False
        except (urllib3.exceptions.HTTPError, OSError) as error:
            logger.info("the Lease %s was not written: %s", self._name, type(error).__name__)
            return False
        return True


class Election:
    """Campaigns in a thread of its own, from `start` on; the callbacks are called in threads.

    `on_lost` must end the process. It is called when another has the Lease, and when it could not be renewed in time,
    also if a request hangs.
    """

    def __init__(
        self, lock: LeaseLock, *, identity: str, on_started: Callable[[], None], on_lost: Callable[[], None]
    ) -> None:
        self._lock = lock
        self._candidacy = Candidacy(lock, identity, clock)
        self._on_started, self._on_lost = on_started, on_lost
        self._over = threading.Event()
        self._stepping = threading.Lock()

    @property
    def leads(self) -> bool:
        """Whether this process may act."""
        return self._candidacy.leads

    @property
    def stands_by(self) -> bool:
        """Whether another one acts, and this one follows it."""
        return self._candidacy.stands_by

    def start(self) -> None:
        """Begins."""
        for run in (self._campaign, self._guard):
            threading.Thread(target=run, name="election", daemon=True).start()

    def stop(self) -> None:
        """Ends the campaign, and gives the Lease back. Blocks for as long as a request may take."""
        self._over.set()
        with self._stepping:  # a renewal on its way would take it back
            self._lock.release()

    def _campaign(self) -> None:
        started = False
        try:
            while not self._over.is_set():
                with self._stepping:
                    if not self._over.is_set():
                        self._candidacy.step()
                if self.leads and not started:
                    started = True
                    self._on_started()
                self._over.wait(RETRY_SECONDS)
        except LostError as error:
            logger.error("the Lease %s is held by %s", LEASE, error)
        finally:  # also when it breaks: who does not renew the Lease must not act
            if not self._over.is_set():
                self._on_lost()

    def _guard(self) -> None:
        while not self._over.wait(GUARD_SECONDS):
            if self._candidacy.late:
                logger.error("the Lease %s was not renewed in time", LEASE)
                self._on_lost()
                return


def clock() -> float:
    """Seconds that nobody can set, and that go on while a machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
