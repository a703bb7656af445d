"""Writes what a decision said: the status if it changed, and events."""

import asyncio
import logging

from kai_snapshot.cluster import Object
from kai_snapshot.errors import SnapshotError
from kai_snapshot.reconcile.plan import Announce
from kai_snapshot.runs.services import Services, now

logger = logging.getLogger(__name__)


async def write_status(
    services: Services, plural: str, resource: Object, status: Object, *, read: Object | None = None
) -> Object:
    """Replaces the status unless it is the same, and returns the object as it is then.

    `read` is the status as this operator understands it, without fields it does not know and with those that an older
    one did not write: an upgrade, or a step back, is no reason to write to every object there is.
    Raises ConflictError if the object changed since it was read.
    """
    if status in (resource.get("status"), read):
        return resource
    return await asyncio.to_thread(services.cluster.replace_status, plural, resource, status)


async def announce(services: Services, plural: str, resource: Object, event: Announce) -> None:
    """Posts an event. It is news, not state: one that cannot be posted is logged."""
    try:
        await asyncio.to_thread(
            services.cluster.post_event,
            plural,
            resource,
            type_=event.type,
            reason=event.reason,
            message=event.message,
            now=now(),
        )
    except SnapshotError as error:
        logger.warning("event %s not posted: %s", event.reason, error)
