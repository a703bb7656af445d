"""What the operator, the pods and their containers must call the same: names, labels, files, exit codes."""

from typing import Final

from kai_snapshot.api.base import GROUP

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

FETCH: Final = "fetch"
TOOL: Final = "snapshot-tool"
REPORT: Final = "report"

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

TOKEN_FILE: Final = "/var/run/secrets/kai-snapshot/token"  # noqa: S105 - a path
TOKEN_KEY: Final = "token"  # noqa: S105 - a key's name
URL_VARIABLE: Final = "KAI_SNAPSHOT_TRANSFER_URL"

HOPELESS: Final = 65
"""Exit code (EX_DATAERR) of fetch and report for a failure that another try would only repeat."""


def job_name(replay: str, index: int, attempt: int) -> str:
    """`<replay>-<index>`, from the second attempt on with `-a<attempt>`: a name is never used again."""
    return f"{replay}-{index}" if attempt == 1 else f"{replay}-{index}-a{attempt}"


def secret_name(job: str) -> str:
    """The Secret with the token of that Job."""
    return f"{job}-token"
