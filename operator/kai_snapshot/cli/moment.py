"""A moment, as an option says it."""

from datetime import datetime

import typer


def moment(text: str) -> datetime:
    """A time in RFC 3339, with its zone. Raises typer.BadParameter."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no time with a zone, as 2026-11-22T10:15:00Z")
    return found
