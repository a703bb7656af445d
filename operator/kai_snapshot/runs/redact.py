"""Redact an archive in a file: the redacted one, its table, and what is known of it afterwards."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from kai_snapshot.api.inspection import Inspection
from kai_snapshot.api.manifest import CaptureIdentity, Manifest, Redaction, SchedulerIdentity
from kai_snapshot.archive.check import inspect
from kai_snapshot.redaction.key import Key
from kai_snapshot.redaction.redact import Dropped, redact, redact_config
from kai_snapshot.redaction.table import new_table
from kai_snapshot.runs.spool import holding
from kai_snapshot.runs.taken import Taken
from kai_snapshot.stores import layout

_NOBODY: Final = CaptureIdentity(namespace="redacted", name="redacted")
_NAMED: Final = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Redacted:
    """A redacted archive."""

    inspection: Inspection
    config: object
    """The redacted configuration, if one had to stand beside the archive; else None."""
    dropped: Dropped
    """Fields that were left out because they are not known: a newer version of KAI may decide on them."""


def redact_archive(
    source: Path, target: Path, table: Path, key: Key, *, config: Mapping[str, Any] | None = None
) -> Redacted:
    """Writes the redacted archive and its table. Raises OSError, and TerminalError where an archive is not valid."""
    with new_table(table, key_id=key.id) as told:
        dropped = redact(source, target, key, told)
        changed = redact_config(config, key, told) if config is not None else None
    return Redacted(inspect(target), changed, dropped)


def redacted(taken: Taken, spool: Path, table: Path, key: Key) -> Taken:
    """A snapshot that was taken, redacted; the file it was in is gone. Raises SnapshotError: SpoolFull, SpoolFailed."""
    with holding(spool):
        made = redact_archive(taken.path, spool, table, key, config=taken.config)
        taken.path.unlink()
    if made.dropped:
        logger.warning("the redaction left out fields that it does not know: %s", named(made.dropped))
    config = made.config if isinstance(made.config, dict) else None
    return replace(taken, path=spool, inspection=made.inspection, config=config)


def redacted_manifest(manifest: Manifest, made: Redacted, key: Key) -> Manifest:
    """What may be handed out of a manifest with the redacted archive: not whose it is, nor where images are from."""
    inspection, built = made.inspection, manifest.built_from_api
    return manifest.model_copy(
        update={
            "archive": layout.archive_name(manifest.id, inspection.sha256),
            "capture": _NOBODY,
            "sha256": inspection.sha256,
            "size_bytes": inspection.size_bytes,
            "uncompressed_bytes": inspection.uncompressed_bytes,
            "object_counts": inspection.object_counts,
            "scheduler": SchedulerIdentity(version=manifest.scheduler.version),
            "kubernetes_version": inspection.kubernetes_version,
            "config": made.config,
            "built_from_api": built.model_copy(update={"because": None}) if built is not None else None,
            "environment": None,
            "redaction": Redaction(key_id=key.id),
        }
    )


def named(dropped: Dropped) -> str:
    """`pods.spec.new (12), ...`, for people."""
    texts = [f"{where} ({many})" for where, many in sorted(dropped.items())]
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
