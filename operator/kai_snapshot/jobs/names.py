"""What the operator, the pods and their containers must call the same: names, labels, files, exit codes."""

import hashlib
from collections.abc import Mapping
from typing import Final

from kai_snapshot.api.base import GROUP
from kai_snapshot.api.result import EngineName
from kai_snapshot.api.transfer import Profile

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
OPERATOR: Final = "kai-snapshot-operator"
COMPONENT: Final = "app.kubernetes.io/component"
REPLAY_COMPONENT: Final = "replay"
REPLAY: Final = f"{GROUP}/replay"
REPLAY_UID: Final = f"{GROUP}/replay-uid"
INDEX: Final = f"{GROUP}/index"
ATTEMPT: Final = f"{GROUP}/attempt"
JOB_SELECTOR: Final = f"{MANAGED_BY}={OPERATOR},{COMPONENT}={REPLAY_COMPONENT}"
"""Selects the Jobs and pods of all replays."""
ENVIRONMENT_COMPONENT: Final = "environment"
CAPTURE: Final = f"{GROUP}/capture"
CAPTURE_UID: Final = f"{GROUP}/capture-uid"
RUN: Final = f"{GROUP}/run"
NODE: Final = f"{GROUP}/node"
"""Annotation of a Job with the node it is about, whose name may be too long for a label."""
ENVIRONMENT_SELECTOR: Final = f"{MANAGED_BY}={OPERATOR},{COMPONENT}={ENVIRONMENT_COMPONENT}"
"""Selects the Jobs and pods of all environments."""
WATCHED: Final = f"{MANAGED_BY}={OPERATOR},{COMPONENT} in ({REPLAY_COMPONENT},{ENVIRONMENT_COMPONENT})"
"""Selects those of both."""
JOB_NAME: Final = "batch.kubernetes.io/job-name"
"""The label with the name of the Job a pod is of, put there by the Job controller."""
LIVE_PODS: Final = "status.phase!=Succeeded,status.phase!=Failed"
"""Field selector of the pods that are not over: of an Indexed Job, as many as may run at the same time."""
FAILED_PODS: Final = "status.phase=Failed"
FAILED_SHOWN: Final = 10
"""Failed pods of an Indexed Job that are looked at, to say what went wrong: there may be one for each archive."""

ACTIVE: Final = f"{GROUP}/active"
"""Label of the operator's pod that acts, by which the transfer endpoint's Service finds it: `true`."""

FETCH: Final = "fetch"
TOOL: Final = "snapshot-tool"
SIMULATOR: Final = "simulator"
ENGINE_OF: Final[Mapping[EngineName, str]] = {"SnapshotTool": TOOL, "Simulator": SIMULATOR}
"""The container that does the work: the one with that engine."""
REPORT: Final = "report"

NOBODY: Final = 65532
"""The user and group that our containers are, unless they have to be root."""
WORK: Final = "/replay"
"""Where the pod's shared directory is mounted."""
BUSYBOX: Final = "busybox"
INSTRUCTIONS: Final = "instructions.json"
ADAPTATIONS: Final = "adaptations.json"
DOWNLOAD: Final = "download.zip"
ARCHIVE: Final = "snapshot.zip"
STDOUT: Final = "stdout"
STDERR: Final = "stderr.gz"
TIMES: Final = "time"
EXIT_CODE: Final = "exit"
RESULT: Final = "result.json"
SETTLED: Final = "settled"
"""The file that says there is a result already, and nothing to run."""

TOKEN_FILE: Final = "/var/run/secrets/kai-snapshot/token"  # noqa: S105 - a path
TOKEN_KEY: Final = "token"  # noqa: S105 - a key's name
AUTHORITIES_FILE: Final = "/var/run/secrets/kai-snapshot/ca.crt"
"""Beside the token: whom a pod trusts to be the transfer endpoint."""
AUTHORITIES_KEY: Final = "ca.crt"
URL_VARIABLE: Final = "KAI_SNAPSHOT_TRANSFER_URL"
NODE_VARIABLE: Final = "KAI_SNAPSHOT_NODE_NAME"
COMPLETION_INDEX_VARIABLE: Final = "JOB_COMPLETION_INDEX"
"""Put into all containers of an Indexed Job by the Job controller: which archive of the plan the pod is about."""
RUN_VARIABLE: Final = "KAI_SNAPSHOT_RUN"
"""Which run it is, from 1, for the Simulator: each draws another order of jobs."""

HOPELESS: Final = 65
"""Exit code (EX_DATAERR) of fetch and report for a failure that another try would only repeat."""


def run_directory(run: int | str) -> str:
    """Where STDOUT, STDERR, TIMES and EXIT_CODE of the run with that number, from 1, lie; `$run` in the shell."""
    return f"run-{run}"


def profile(kind: Profile) -> str:
    """The file with a profile of the last run."""
    return f"{kind}.pprof"


def job_name(replay: str, index: int, attempt: int) -> str:
    """`<replay>-<index>`, from the second attempt on with `-a<attempt>`: a name is never used again."""
    return f"{replay}-{index}" if attempt == 1 else f"{replay}-{index}-a{attempt}"


def node_job_name(capture: str, *, uid: str, run: str, node: str) -> str:
    """The Job for a node beside the archive of a run: `<capture>-env-<hash>`, at most 63 characters, never twice."""
    digest = hashlib.sha256(f"{uid}/{run}/{node}".encode()).hexdigest()[:10]
    return f"{capture[:48].rstrip('-.')}-env-{digest}"


def secret_name(job: str) -> str:
    """The Secret with what the pods of that Job need at the transfer endpoint."""
    return f"{job}-token"
