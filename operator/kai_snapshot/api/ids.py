"""How a run, and with it the archive it stores, is named: by the moment it was due."""

import hashlib
import re
from datetime import UTC, datetime

ID = r"^[0-9]{8}T[0-9]{6}Z(-[0-9a-f]{8})?$"
"""A run's id: `20261122T101500Z`, for a requested run with a hash of the request behind it. Ids sort by time."""

_MOMENT = "%Y%m%dT%H%M%SZ"


def run_id(moment: datetime, request: str | None = None) -> str:
    """The id of the run that was due at `moment` (aware), or requested then by the annotation's value `request`."""
    slot = moment.astimezone(UTC).strftime(_MOMENT)
    return slot if request is None else f"{slot}-{hashlib.sha256(request.encode()).hexdigest()[:8]}"


def is_run_id(text: str) -> bool:
    """Whether it is an id, and of a moment that exists."""
    if re.fullmatch(ID, text) is None:
        return False
    try:
        run_time(text)
    except ValueError:
        return False
    return True


def run_time(id_: str) -> datetime:
    """The moment in an id, in UTC. Raises ValueError on what is not an id."""
    return datetime.strptime(id_[:16], _MOMENT).replace(tzinfo=UTC)
