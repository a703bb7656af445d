"""An audit that learned nothing does not pass."""

import json
from typing import Any

import pytest

from toolchain.audit import GOOD, UNKNOWN, VULNERABLE, verdict

FINE = {"name": "h11", "version": "0.16.0", "vulns": []}
SKIPPED = {"name": "yarl", "skip_reason": "Dependency not found on PyPI and could not be audited: yarl (1.25.1)"}
HOLED = {"name": "jinja2", "version": "3.1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.6"], "aliases": []}]}
TRACEBACK = "Traceback (most recent call last):\n  File x\nrequests.exceptions.ConnectionError: no such host"


@pytest.mark.parametrize(
    ("dependencies", "code", "says"),
    [
        pytest.param([FINE], GOOD, "1 locked dependencies, no vulnerability known", id="all is well"),
        pytest.param([FINE, HOLED], VULNERABLE, "jinja2 3.1.0: PYSEC-1, fixed in 3.1.6", id="one is known"),
        pytest.param([FINE, SKIPPED], UNKNOWN, "no answer for 1 of 2 dependencies: yarl", id="one is not known of"),
        pytest.param([SKIPPED] * 5, UNKNOWN, "yarl, yarl, yarl ...", id="none is known of"),
        pytest.param([HOLED, SKIPPED], VULNERABLE, "no answer for 1 of 2", id="both are told"),
        pytest.param([], UNKNOWN, "not audited", id="nothing was asked"),
    ],
)
def test_it_says_what_is_known(dependencies: list[dict[str, Any]], code: int, says: str) -> None:
    found, text = verdict(json.dumps({"dependencies": dependencies, "fixes": []}), "")
    assert (found, says in text) == (code, True), text


@pytest.mark.parametrize("said", ["", "no JSON"])
def test_where_nobody_answers_it_says_so(said: str) -> None:
    why = "requests.exceptions.ConnectionError: no such host"
    told = f"not audited: the database of vulnerabilities could not be had: {why}"
    assert verdict(said, TRACEBACK) == (UNKNOWN, told)
