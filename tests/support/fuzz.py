"""How much is fuzzed: few and always the same examples with the unit tests, many and ever new ones in tests/long."""

import os
from collections.abc import Callable
from typing import Final, TypeVar

from hypothesis import HealthCheck, settings

EXAMPLES: Final = os.environ.get("KAI_SNAPSHOT_FUZZ_EXAMPLES", "")
"""Of a property; by default what takes a second or two."""
MOST: Final = 400
F = TypeVar("F", bound=Callable[..., object])

HOSTILE_TEXT: Final = (
    "",
    " ",
    "\n",
    "a\nb",
    "\r\n\r\n",
    "\0",
    "a\0b",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "\u202egnp.exe\u202c",
    "\u2066x",
    "\ufeff",
    "\ud7ff\ue000",
    "e\u0301" * 40,
    "٣",
    "İ",
    "a" * 253,
    "a" * 254,
    "-",
    "." * 63,
    "../../etc/passwd",
    "..",
    "/",
    "\\",
    "%2e%2e%2f",
    "$(reboot)",
    "`id`",
    "; rm -rf /",
    "|",
    "&&",
    "${jndi:ldap://x}",
    "'",
    '"',
    "\\'",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}",
    "{%raw%}",
    "%s%n%x",
    '",le="+Inf"} 1\nup',
    "=cmd|' /C calc'!A0",
    "--flag",
    "null",
    "true",
    "NaN",
    "1e999",
    "-1",
    "9" * 400,
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-02-30T25:61:61Z",
)
"""What some reader along the way may take for more than text."""


def fuzzed(examples: int) -> Callable[[F], F]:
    """Settings of a property: so many examples, always the same. Or new ones, and as many more as the environment says.

    That names the number for a property that otherwise has `MOST`; one whose examples take longer has fewer either way.
    """
    few = not EXAMPLES
    return settings(
        max_examples=examples if few else max(int(EXAMPLES) * examples // MOST, 1),
        derandomize=few,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
