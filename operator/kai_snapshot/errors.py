"""The reasons this project gives, one closed list, and the two errors that carry them.

A reason is what a person sees in a condition, an event, a metric label or the command's JSON; each has its section in
`docs/troubleshooting.md`. Errors never carry secrets or dumps of objects.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why something is as it is, in one word (PascalCase, as Kubernetes conditions want it)."""

    # progress and rest
    PROGRESSING = "Progressing"
    """Work is under way."""
    PROGRESSING_WITH_RETRY = "ProgressingWithRetry"
    """Work is under way after a failure that may heal by itself."""
    SCHEDULED = "Scheduled"
    """A scheduled capture is accepted and its next run is known."""
    SUSPENDED = "Suspended"
    """The object is suspended: nothing new is started."""
    SUCCEEDED = "Succeeded"
    """Done, and good."""
    SUCCEEDED_HEALED = "SucceededHealed"
    """Stored; the scheduler served `config: null`, the configuration was read from its ConfigMap into the manifest."""
    SUCCEEDED_FROM_API = "SucceededFromAPI"
    """Stored; the scheduler did not answer, the document was built from the API server's lists."""
    PARTIALLY_FAILED = "PartiallyFailed"
    """Some of the versions could be replayed, others not."""
    FAILED = "Failed"
    """Done, and not good."""
    WAITING_FOR_CAPTURE = "WaitingForCapture"
    """The capture named does not exist yet, or has no archive yet."""
    RESOLVED = "Resolved"
    """The archive to replay is found and pinned."""

    # the object
    INVALID_SPEC = "InvalidSpec"
    """The spec says something that cannot be done."""
    INVALID_SCHEDULE = "InvalidSchedule"
    """The cron expression cannot be read, or never fires."""
    UNKNOWN_TIME_ZONE = "UnknownTimeZone"
    """The time zone is not in the IANA database."""
    NAME_TAKEN = "NameTaken"
    """A Job or Secret of the name needed exists and belongs to something else."""
    DELETION_BLOCKED = "DeletionBlocked"
    """`deletionPolicy: Delete` cannot delete the archives at present."""
    MISSED_SCHEDULE = "MissedSchedule"
    """Runs were due while nothing could start them; at most the newest is made up for."""
    RUN_REQUEST_IGNORED = "RunRequestIgnored"
    """A run was requested of a one-shot capture, which runs once."""

    # a capture run
    CAPTURE_FAILING = "CaptureFailing"
    """`failureThreshold` runs in a row failed."""
    INTERRUPTED = "Interrupted"
    """The operator stopped while the run was under way, and no retry was left."""
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """It took longer than `activeDeadlineSeconds`."""
    OUT_OF_MEMORY = "OutOfMemory"
    """The capturing process needed more memory than it may have."""
    SPOOL_FULL = "SpoolFull"
    """Too little room on the operator's disk to hold the archive while it is checked."""
    SPOOL_FAILED = "SpoolFailed"
    """The directory that holds the archive while it is checked cannot be used."""
    INTERNAL_ERROR = "InternalError"
    """A fault in this program; the operator's log has the details."""

    # the scheduler and its endpoint
    API_UNREACHABLE = "APIUnreachable"
    """The Kubernetes API server cannot be reached, or failed."""
    FORBIDDEN = "Forbidden"
    """The Kubernetes API server refused: rights are missing."""
    UNAUTHORIZED = "Unauthorized"
    """The Kubernetes API server does not accept the credentials, or there are none to use."""
    INVALID_KUBECONFIG = "InvalidKubeconfig"
    """The kubeconfig cannot be read, or lacks what it names."""
    SCHEDULER_NOT_FOUND = "SchedulerNotFound"
    """No Deployment of that scheduler and shard in that namespace."""
    NO_SCHEDULER_POD = "NoSchedulerPod"
    """The scheduler's Deployment has no pod that is Ready."""
    NO_LEADER = "NoLeader"
    """The scheduler has several replicas and none holds the Lease."""
    NOT_LEADER = "NotLeader"
    """The pod answers `404 page not found`: a standby, or a leader before its first session."""
    PLUGIN_DISABLED = "PluginDisabled"
    """The pod answers `404 plugin not found`: the snapshot plugin is switched off."""
    SOURCE_UNREACHABLE = "SourceUnreachable"
    """The endpoint refuses the connection or cannot be forwarded to."""
    SOURCE_TIMEOUT = "SourceTimeout"
    """The endpoint was silent for longer than `source.timeoutSeconds`."""
    CONNECTION_CUT = "ConnectionCut"
    """The connection broke before the answer was complete."""
    HTTP_STATUS = "HTTPStatus"
    """The endpoint answered with a status that is neither 200 nor a known 404."""

    # the archive
    NOT_A_ZIP = "NotAZip"
    """What came is not a ZIP archive."""
    INVALID_ARCHIVE = "InvalidArchive"
    """A ZIP archive, but damaged or not of one member `snapshot.json`."""
    INVALID_JSON = "InvalidJSON"
    """`snapshot.json` is cut off or not JSON."""
    INCOMPLETE_SNAPSHOT = "IncompleteSnapshot"
    """`snapshot.json` lacks parts that every snapshot has."""
    ARCHIVE_TOO_LARGE = "ArchiveTooLarge"
    """The archive inflates beyond the limits of size, ratio or nesting."""
    CONFIG_NULL = "ConfigNull"
    """The snapshot says `"config": null`, and no configuration could be put in its place."""

    # storage
    CREDENTIALS_NOT_FOUND = "CredentialsNotFound"
    """The Secret, or a key in it, does not exist; or the operator's own identity may not be used here."""
    ACCESS_DENIED = "AccessDenied"
    """The storage refused the credentials."""
    BUCKET_NOT_FOUND = "BucketNotFound"
    """The bucket does not exist."""
    STORAGE_UNREACHABLE = "StorageUnreachable"
    """The storage cannot be reached, or failed."""
    TLS_VERIFICATION_FAILED = "TLSVerificationFailed"
    """The certificate of the storage, or of who answers as the transfer endpoint, is not trusted."""
    STORAGE_REFUSED = "StorageRefused"
    """The storage refused a request for another reason than its credentials, or holds what it should not."""
    NO_SPACE_LEFT = "NoSpaceLeft"
    """The volume is full."""
    CLAIM_NOT_MOUNTED = "ClaimNotMounted"
    """The claim is not mounted into the operator."""
    ARCHIVE_NOT_FOUND = "ArchiveNotFound"
    """The archive, or its manifest, is not in the storage."""
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    """The archive's SHA-256 is not the expected one."""
    KEY_TAKEN = "KeyTaken"
    """The storage location holds archives of another cluster or capture."""
    INVALID_MANIFEST = "InvalidManifest"
    """A manifest in the storage cannot be read."""

    # a replay
    CAPTURE_NOT_FOUND = "CaptureNotFound"
    """No capture, or no archive that fits, appeared within `startingDeadlineSeconds`."""
    REPLAY_FAILED = "ReplayFailed"
    """No version, or not every version, could be replayed."""
    EXPECTATIONS_MET = "ExpectationsMet"
    """The replay shows what `spec.expectations` wants."""
    EXPECTATIONS_NOT_MET = "ExpectationsNotMet"
    """The replay does not show what `spec.expectations` wants: the gate stays shut."""
    PLAN_LOST = "PlanLost"
    """The plan of a replay of many archives is not in the storage any more, or was changed there."""
    RESULT_LOST = "ResultLost"
    """The Job ended twice without handing in a result."""
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    """The Job's pod did not start within `startingDeadlineSeconds`."""
    TRANSFER_REFUSED = "TransferRefused"
    """The transfer endpoint refused: the token is not, or no longer, valid."""
    TRANSFER_BUSY = "TransferBusy"
    """The transfer endpoint has its hands full; the Job tries again."""
    TRANSFER_UNREACHABLE = "TransferUnreachable"
    """The Job could not reach the operator's transfer endpoint, or not for long enough."""
    TRANSFER_TOO_LARGE = "TransferTooLarge"
    """A log or result is larger than the transfer endpoint takes."""
    INVALID_RESULT = "InvalidResult"
    """A result in the storage, or handed in by a Job, cannot be read."""
    RESULT_EXISTS = "ResultExists"
    """A result was handed in before, by another pod or an earlier Job; that one counts."""
    INCOMPATIBLE_SNAPSHOT = "IncompatibleSnapshot"
    """The archive cannot be replayed with that version, or the version that made it is not known."""
    TOOL_NOT_FOUND = "ToolNotFound"
    """No such snapshot-tool binary or image, or no container engine to run one."""
    PATCH_FAILED = "PatchFailed"
    """A patch of a replay cannot be read, or does not fit what is in the archive."""

    # a redaction
    INVALID_KEY = "InvalidKey"
    """The key of a redaction is too short to be one."""
    INVALID_TABLE = "InvalidTable"
    """The table of a redaction cannot be read."""

    # the environment
    INVALID_ENVIRONMENT = "InvalidEnvironment"
    """An environment document cannot be read."""
    GPU_NOT_FOUND = "GPUNotFound"
    """A GPU is required, and the node has none, or its driver does not say so."""
    NODE_NOT_FOUND = "NodeNotFound"
    """No node fits the node selector, or the node that is named does not exist."""
    COLLECTION_FAILED = "CollectionFailed"
    """A node's pod ended, or could not start, without handing in what it found."""
    POD_FORBIDDEN = "PodForbidden"
    """The API server does not admit the pod: Pod Security, a quota or an admission policy forbids it."""
    CONFIG_MAP_TOO_LARGE = "ConfigMapTooLarge"
    """What is to be kept in a ConfigMap is larger than one may be."""
    INVALID_TEMPLATE = "InvalidTemplate"
    """A template cannot be read, or asks for something that is not there."""

    # the pages and the visualizer API
    PAGE_NOT_FOUND = "PageNotFound"
    """There is no page or document at that address."""
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    """The pages and the API are read only."""
    HOST_NOT_SERVED = "HostNotServed"
    """The request was made to a name that is not this server's."""
    ARCHIVE_REPLACED = "ArchiveReplaced"
    """What is looked at is not what the page was drawn from any more."""


ARCHIVE_REASONS = frozenset(
    {
        Reason.ARCHIVE_TOO_LARGE,
        Reason.CONFIG_NULL,
        Reason.INCOMPATIBLE_SNAPSHOT,
        Reason.INCOMPLETE_SNAPSHOT,
        Reason.INVALID_ARCHIVE,
        Reason.INVALID_JSON,
        Reason.NOT_A_ZIP,
    }
)
"""What can be wrong with an archive itself, wherever it is."""


class SnapshotError(Exception):
    """A failure a person can understand: `reason` in one word, `message` in a sentence or two that say what to do."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class TransientError(SnapshotError):
    """May heal by itself: try again later."""


class TerminalError(SnapshotError):
    """Stays until somebody changes something."""
