"""An environment document through somebody's own template: Jinja2 in its sandbox."""

from typing import Final

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kai_snapshot.api.environmentdocument import EnvironmentDocument, Reading
from kai_snapshot.environment.readings import go_text
from kai_snapshot.environment.text import flat
from kai_snapshot.errors import Reason, TerminalError

_ERRORS: Final = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What the expressions in a template may raise."""


def render(template: str, document: EnvironmentDocument, *, where: str) -> str:
    """The template with `kind`, `apiVersion`, `metadata` and `measurements` as the document has them, and
    `reading("OS.release.ID")` for one reading, empty if there is none. A reading prints as Go prints it.

    Raises TerminalError(InvalidTemplate), which names `where`.
    """
    readings: dict[str, Reading] = dict(flat(document))

    def reading(path: str, default: Reading = "") -> Reading:
        return readings.get(path, default)

    try:
        return _SANDBOX.from_string(template).render(**document.dump(), reading=reading)
    except _ERRORS as error:
        line = getattr(error, "lineno", None)
        at = f"line {line} of {where}" if line else where
        raise TerminalError(Reason.INVALID_TEMPLATE, f"The template fails at {at}: {error}.") from error


def _printed(value: object) -> object:
    """`true` and not `True`."""
    return go_text(value) if isinstance(value, bool | float) else value


_SANDBOX: Final = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_printed
)
