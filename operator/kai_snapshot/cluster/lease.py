"""One active operator: a Lease as the lock of the kubernetes package's leader election.

The package brings a lock over a ConfigMap; this is the same interface over coordination.k8s.io/v1, what every other
controller uses and `kubectl get leases` shows.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import urllib3
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.leaderelectionrecord import LeaderElectionRecord

from kai_snapshot.cluster import Cluster

LEASE: Final = "kai-snapshot-operator"
LEASE_SECONDS: Final = 30
RENEW_SECONDS: Final = 20
RETRY_SECONDS: Final = 4
TIMEOUT: Final = (3, 5)
"""Seconds to connect, and of silence: several tries fit into RENEW_SECONDS."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Refusal:
    """What `LeaderElection` wants to see of a failed look: a Status as JSON, and a word."""

    body: str
    reason: str


class LeaseLock:
    """The lock `LeaderElection` works with: get, create and update of an election record."""

    def __init__(self, cluster: Cluster, *, name: str, namespace: str, identity: str) -> None:
        self._api = cluster.coordination
        self.name = name
        self.namespace = namespace
        self.identity = identity
        self._lease: Any = None

    def get(self, name: str, namespace: str) -> tuple[bool, LeaderElectionRecord | _Refusal | None]:
        """(True, the record) or (False, why not)."""
        try:
            self._lease = self._api.read_namespaced_lease(name, namespace, _request_timeout=TIMEOUT)
        except ApiException as error:
            return False, _Refusal(json.dumps({"code": error.status}), str(error.reason))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            unavailable = HTTPStatus.SERVICE_UNAVAILABLE
            return False, _Refusal(json.dumps({"code": unavailable}), type(error).__name__)
        spec = self._lease.spec
        if not spec.holder_identity:
            return True, None  # released
        return True, LeaderElectionRecord(
            spec.holder_identity, str(spec.lease_duration_seconds), str(spec.acquire_time), str(spec.renew_time)
        )

    def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        """Takes a lock that does not exist yet."""
        now = datetime.now(UTC)
        spec = client.V1LeaseSpec(
            holder_identity=election_record.holder_identity,
            lease_duration_seconds=LEASE_SECONDS,
            acquire_time=now,
            renew_time=now,
            lease_transitions=0,
        )
        lease = client.V1Lease(metadata=client.V1ObjectMeta(name=name, namespace=namespace), spec=spec)
        return self._written(lambda: self._api.create_namespaced_lease(namespace, lease, _request_timeout=TIMEOUT))

    def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        """Takes or keeps the lock; fails if another took it since `get`."""
        now = datetime.now(UTC)
        spec = self._lease.spec
        if spec.holder_identity != updated_record.holder_identity:
            spec.acquire_time = now
            spec.lease_transitions = (spec.lease_transitions or 0) + 1
        spec.holder_identity = updated_record.holder_identity
        spec.lease_duration_seconds = LEASE_SECONDS
        spec.renew_time = now
        return self._written(
            lambda: self._api.replace_namespaced_lease(name, namespace, self._lease, _request_timeout=TIMEOUT)
        )

    def release(self) -> None:
        """Lets the next operator start at once."""
        held, record = self.get(self.name, self.namespace)
        if held and isinstance(record, LeaderElectionRecord) and record.holder_identity == self.identity:
            self._lease.spec.holder_identity = ""
            self._written(
                lambda: self._api.replace_namespaced_lease(
                    self.name, self.namespace, self._lease, _request_timeout=TIMEOUT
                )
            )

    def _written(self, write: Callable[[], Any]) -> bool:
        try:
            self._lease = write()
        except ApiException as error:
            logger.info("the Lease was not written: %s", error.reason)
            return False
        except (urllib3.exceptions.HTTPError, OSError) as error:
            logger.info("the Lease was not written: %s", type(error).__name__)
            return False
        return True


def elect(lock: LeaseLock, *, on_started: Callable[[], None], on_stopped: Callable[[], None]) -> None:
    """Campaigns in a thread of its own; the callbacks are called in threads."""
    campaign = leaderelection.LeaderElection(
        electionconfig.Config(
            lock,
            lease_duration=LEASE_SECONDS,
            renew_deadline=RENEW_SECONDS,
            retry_period=RETRY_SECONDS,
            onstarted_leading=on_started,
            onstopped_leading=lambda: None,  # `run` says it
        )
    )
    logging.getLogger("leaderelection").setLevel(logging.WARNING)  # it reports every renewal

    def run() -> None:
        try:
            campaign.run()
        finally:  # also when it breaks: who does not renew the Lease must not act
            on_stopped()

    threading.Thread(target=run, name="election", daemon=True).start()
