"""How an engine is run in a replay's pod: under the busybox that fetch puts beside the archive.

The tool's image has no shell, and the Simulator is run in the same way.
"""

from typing import Final

from kai_snapshot import kaiversions
from kai_snapshot.api.transfer import Profile
from kai_snapshot.jobs import names
from kai_snapshot.jobs.names import ARCHIVE, BUSYBOX, EXIT_CODE, RUN_VARIABLE, SETTLED, STDERR, STDOUT, TIMES

APP: Final = "/workspace/app"
"""The tool in every published image."""

_PROFILES: Final = {"--cpuprofile": Profile.CPU, "--memprofile": Profile.MEMORY}

_RUN: Final = names.run_directory("$run")
_SCRIPT: Final = f"""\
cd "$1" || exit 1
[ -e {SETTLED} ] && exit 0
limit=$2 repetitions=$3 last=$4 more= run=0
shift 4
while [ $run -lt $repetitions ]; do
  run=$((run + 1))
  [ $run -lt $repetitions ] || more=$last
  ./{BUSYBOX} mkdir -p {_RUN}
  {{
    {RUN_VARIABLE}=$run ./{BUSYBOX} time -v -o {_RUN}/{TIMES} ./{BUSYBOX} timeout -s KILL $limit \\
      "$@" $more 2>&1 >{_RUN}/{STDOUT}
    echo $? >{_RUN}/{EXIT_CODE}
  }} | ./{BUSYBOX} gzip >{_RUN}/{STDERR}
  ./{BUSYBOX} grep -q "^Command terminated by signal" {_RUN}/{TIMES} && break
done
exit 0
"""


def tool_command(
    work: str, app: str = APP, *, verbosity: int, limit_seconds: int, repetitions: int, profiles: list[str]
) -> list[str]:
    """The command that runs `app` on the archive in the directory `work`, so often, each time for at most so long.

    Each run leaves stdout, stderr (gzip), times and exit code in a directory of its own, and the last also `profiles`,
    as `profile_arguments` gives them. The log is squeezed on its way: at a high verbosity it is many GiB of text.

    A run that a signal ended is the last: it would reach its deadline, or run out of memory, again. Whatever the tool
    does, the command itself exits 0, so that the pod goes on to report; only when all of it is killed (137) it does
    not get there.
    """
    engine = [app, "--filename", ARCHIVE, "--verbosity", str(verbosity)]
    return _command(work, engine, limit_seconds=limit_seconds, repetitions=repetitions, last=profiles)


def simulator_command(work: str, *, limit_seconds: int, repetitions: int) -> list[str]:
    """The same for the Simulator, which says what came of a run on stdout."""
    engine = ["kai-snapshot", "job", "simulate", "."]
    return _command(work, engine, limit_seconds=limit_seconds, repetitions=repetitions, last=[])


def _command(work: str, engine: list[str], *, limit_seconds: int, repetitions: int, last: list[str]) -> list[str]:
    """`last` are arguments for the last run."""
    words = [str(limit_seconds), str(repetitions), " ".join(last)]
    return [f"{work}/{BUSYBOX}", "sh", "-c", _SCRIPT, "replay", work, *words, *engine]


def profile_arguments(version: str, directory: str = "") -> list[str]:
    """What makes the tool of that version write all profiles that it can, as `names.profile`, in the directory."""
    prefix = f"{directory}/" if directory else ""
    flags = kaiversions.profile_flags(version)
    return [word for flag in flags for word in (flag, f"{prefix}{names.profile(_PROFILES[flag])}")]
