"""What the operator works with, put together once at its start."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from kai_snapshot.api.problem import Problem
from kai_snapshot.api.storage import Storage
from kai_snapshot.cluster import Cluster
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.metrics import Metrics
from kai_snapshot.runs.children import Children
from kai_snapshot.runs.environmentplans import EnvironmentPlans
from kai_snapshot.runs.locks import Locks
from kai_snapshot.runs.request import Answer, CaptureAnswer
from kai_snapshot.settings import Settings
from kai_snapshot.source import ApiConnection
from kai_snapshot.stores import S3Credentials, Store, check_mounted, open_store
from kai_snapshot.transfer.presented import Presented
from kai_snapshot.transfer.tokens import Tokens


@dataclass(frozen=True)
class Services:
    """The adapters, and who we are."""

    settings: Settings
    cluster: Cluster
    children: Children[CaptureAnswer]
    environments: Children[Answer]
    metrics: Metrics
    tokens: Tokens
    presented: Presented
    connection: ApiConnection
    """How a capturing process reaches the API server."""
    image: str
    """The operator's own image; replay Jobs run it to fetch and to report, others to record what a node is."""
    identity: str
    """Names this process: a successor in the same pod is another."""
    cluster_uid: str
    """UID of the namespace kube-system."""
    locks: Locks = field(default_factory=Locks)
    """Of results, of what is known of nodes, and of the manifests of a capture."""
    plans: EnvironmentPlans = field(default_factory=EnvironmentPlans)


def now() -> datetime:
    """The operator's clock, whole seconds as in a status."""
    return datetime.now(UTC).replace(microsecond=0)


def storage_problem(settings: Settings, namespace: str, storage: Storage) -> Problem | None:
    """Why this storage cannot be used from this namespace as the operator is installed; nothing is asked of it."""
    try:
        _check_allowed(settings, namespace, storage)
    except SnapshotError as error:
        return Problem.of(error)
    return None


def _check_allowed(settings: Settings, namespace: str, storage: Storage) -> None:
    if storage.pvc is not None:
        if namespace != settings.namespace:
            raise TerminalError(
                Reason.CLAIM_NOT_MOUNTED,
                f"a claim can only be used in the operator's own namespace {settings.namespace}, where it is mounted: "
                f"create the object there, or use s3",
            )
        check_mounted(settings.claims_dir / storage.pvc.claim_name)
    if storage.s3 is None or storage.s3.credentials_secret_ref is not None:
        return
    if storage.s3.endpoint is not None:
        raise TerminalError(
            Reason.CREDENTIALS_NOT_FOUND,
            "a custom endpoint never gets the operator's own identity: give storage.s3.credentialsSecretRef",
        )
    if namespace not in settings.identity_namespaces:
        raise TerminalError(
            Reason.CREDENTIALS_NOT_FOUND,
            f"the operator's own identity is not for namespace {namespace}: give storage.s3.credentialsSecretRef, "
            "or add the namespace to the operator's setting KAI_SNAPSHOT_IDENTITY_NAMESPACES",
        )
    if settings.identity_buckets and storage.s3.bucket not in settings.identity_buckets:
        raise TerminalError(
            Reason.CREDENTIALS_NOT_FOUND,
            f"the operator's own identity is not for bucket {storage.s3.bucket}: give storage.s3.credentialsSecretRef, "
            "or add the bucket to the operator's setting KAI_SNAPSHOT_IDENTITY_BUCKETS",
        )


def check_privileged(settings: Settings, namespace: str) -> None:
    """Whether captures of this namespace may see the host. Pod Security decides as well, but it admits by default.

    Raises TerminalError(PodForbidden).
    """
    if namespace not in settings.privileged_namespaces:
        raise TerminalError(
            Reason.POD_FORBIDDEN,
            f"environment.privileged is not for namespace {namespace}, whose captures would be root on every node: "
            "set it to false, or add the namespace to the operator's setting KAI_SNAPSHOT_PRIVILEGED_NAMESPACES",
        )


def secrets_of(cluster: Cluster, namespace: str, storage: Storage) -> tuple[S3Credentials | None, bytes | None]:
    """The keys and the authority that the storage names. Raises SnapshotError: CredentialsNotFound, ..."""
    if storage.s3 is None:
        return None, None
    credentials, ca = None, None
    if (keys := storage.s3.credentials_secret_ref) is not None:
        data = cluster.secret_data(namespace, keys.name)
        if data is None:
            raise TerminalError(
                Reason.CREDENTIALS_NOT_FOUND,
                f"Secret {namespace}/{keys.name} does not exist: "
                "create it with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        credentials = S3Credentials.from_secret(data, name=f"{namespace}/{keys.name}")
    if (authority := storage.s3.ca_secret_ref) is not None:
        ca = (cluster.secret_data(namespace, authority.name) or {}).get(authority.key)
        if ca is None:
            raise TerminalError(
                Reason.CREDENTIALS_NOT_FOUND,
                f"Secret {namespace}/{authority.name} with the key {authority.key} does not exist: "
                "create it with the endpoint's certificate authority in PEM",
            )
    return credentials, ca


def store_for(services: Services, namespace: str, storage: Storage) -> Store:
    """The storage an object names, opened with what it may use. Raises SnapshotError."""
    _check_allowed(services.settings, namespace, storage)
    credentials, ca = secrets_of(services.cluster, namespace, storage)
    return open_store(storage, credentials=credentials, ca=ca, claims_root=services.settings.claims_dir)
