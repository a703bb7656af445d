"""How the tool is run in an image that has no shell: under the busybox that fetch puts beside the archive."""

from kai_snapshot.jobs.names import ARCHIVE, BUSYBOX, EXIT_CODE, STDERR, STDOUT, TIMES

APP = "/workspace/app"
"""The tool in every published image."""

_SCRIPT = f"""\
cd "$1" || exit 1
{{
  ./{BUSYBOX} time -v -o {TIMES} ./{BUSYBOX} timeout -s KILL "$4" \\
    "$2" --filename {ARCHIVE} --verbosity "$3" 2>&1 >{STDOUT}
  echo $? >{EXIT_CODE}
}} | ./{BUSYBOX} gzip >{STDERR}
exit 0
"""


def tool_command(work: str, app: str = APP, *, verbosity: int, limit_seconds: int) -> list[str]:
    """The command that runs `app` on the archive in the directory `work` for at most so long.

    It leaves stdout, stderr (gzip), times and exit code there, and itself exits 0 whatever the tool does, so that the
    pod goes on to report; only when all of it is killed (137) it does not get there. The log is squeezed on its way:
    at a high verbosity it is many GiB of text.
    """
    return [f"{work}/{BUSYBOX}", "sh", "-c", _SCRIPT, "replay", work, app, str(verbosity), str(limit_seconds)]
