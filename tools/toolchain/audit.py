"""Known vulnerabilities of the locked dependencies, by pip-audit: none, some, or nobody could be asked."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from toolchain.places import CHECKOUT

LOCKED = tuple(CHECKOUT / "requirements" / name for name in ("runtime.txt", "build.txt"))
"""What the image is made of, and made with."""
GOOD, VULNERABLE, UNKNOWN = 0, 1, 3


def main(arguments: Sequence[str]) -> int:
    """Prints what was found. `arguments` go to pip-audit. Returns 3 where the database could not be had."""
    files = [f"--requirement={path}" for path in LOCKED]
    command = [sys.executable, "-m", "pip_audit", *files, "--require-hashes", "--disable-pip", "--format=json"]
    command += ["--progress-spinner=off", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    code, text = verdict(done.stdout, done.stderr)
    print(text, file=sys.stderr if code else sys.stdout)
    return code


def verdict(said: str, complaints: str) -> tuple[int, str]:
    """The exit code and what to tell, from what pip-audit printed. It also exits with 0 where it learned nothing."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(said)["dependencies"]
    except ValueError:
        last = complaints.strip().rpartition("\n")[2] or "pip-audit said nothing"
        return UNKNOWN, f"not audited: the database of vulnerabilities could not be had: {last}"
    skipped = [each["name"] for each in dependencies if "skip_reason" in each]
    found = [_line(each, known) for each in dependencies for known in each.get("vulns", ())]
    if found:
        return VULNERABLE, "\n".join(found + _unknown(skipped, len(dependencies)))
    if skipped or not dependencies:
        return UNKNOWN, "\n".join(
            ["not audited: nothing is known of vulnerabilities", *_unknown(skipped, len(dependencies))]
        )
    return GOOD, f"{len(dependencies)} locked dependencies, no vulnerability known"


def _line(dependency: dict[str, Any], known: dict[str, Any]) -> str:
    fixed = ", ".join(known["fix_versions"]) or "no version yet"
    return f"{dependency['name']} {dependency['version']}: {known['id']}, fixed in {fixed}"


def _unknown(skipped: Sequence[str], of: int) -> list[str]:
    if not skipped:
        return []
    more = " ..." if len(skipped) > 3 else ""
    return [f"the database has no answer for {len(skipped)} of {of} dependencies: {', '.join(skipped[:3])}{more}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
