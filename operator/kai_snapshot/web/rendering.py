"""Templates into text: every value escaped, whatever is missing an error."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from kai_snapshot.api.base import rfc3339

STATIC: Final = Path(__file__).parent / "static"


def render_page(template: str, status: int = 200, **content: Any) -> Response:
    """A page as an answer, which no cache keeps."""
    return HTMLResponse(render(template, **content), status, headers={"Cache-Control": "no-store"})


def render(template: str, **content: Any) -> str:
    """A page."""
    return _TEMPLATES.get_template(template).render(content)


def _number(value: float | None) -> str:
    """Without what is too fine to matter; a dash for nothing known."""
    if value is None:
        return "-"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _moment(value: datetime) -> str:
    return rfc3339(value).replace("T", " ")


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(STATIC.parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(number=_number, moment=_moment)
