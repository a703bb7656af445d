"""How much memory a process took at most."""

import sys
from collections.abc import Sequence

_LAUNCHER = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(child, 0)
print(used.ru_maxrss * 1024, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A small process between this one and the child: a process begins with the peak of the one that started it."""


def launched(command: Sequence[str]) -> list[str]:
    """The command, run so that the last thing on standard error is its largest resident set."""
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]


def peak(errors: bytes) -> int:
    """The largest resident set in bytes, from what a launched command left on standard error."""
    return int(errors.split()[-1])
