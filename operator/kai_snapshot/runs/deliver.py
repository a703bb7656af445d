"""Deliver: what the transfer endpoint is in front of - archives out of the storage, logs and results into it."""

from collections.abc import Callable
from dataclasses import dataclass

from kai_snapshot.api.replayplan import PlannedArchive
from kai_snapshot.api.snapshotreplay import SnapshotReplay
from kai_snapshot.api.transfer import Instructions, Part, Profile
from kai_snapshot.cluster import REPLAYS
from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.jobs.images import target_version
from kai_snapshot.reconcile.version import is_final
from kai_snapshot.runs import catalog
from kai_snapshot.runs.replayplan import Plans, archive_of
from kai_snapshot.runs.results import summarize
from kai_snapshot.runs.services import Services, store_for
from kai_snapshot.stores import Store, layout, location
from kai_snapshot.transfer.backend import Download, Upload


class Delivery:
    """The backend of the transfer endpoint. `on_result` is called with the part when its result is stored."""

    def __init__(self, services: Services, *, on_result: Callable[[Part], None]) -> None:
        self._services = services
        self._on_result = on_result
        self._plans = Plans()

    def instructions(self, part: Part) -> Instructions:
        """What this pod is to do."""
        found = self._open(part)
        spec, archive = found.replay.spec, found.archive
        version = spec.planned_versions[part.index]
        manifest = catalog.beside(found.store, archive.key) if archive.healed else None
        return Instructions(
            version=version.name,
            target_version=target_version(version, captured_version=archive.scheduler_version),
            engine=spec.engine,
            image=found.replay.status.results[part.index].image,
            archive_id=archive.id,
            sha256=archive.sha256,
            size_bytes=archive.size_bytes,
            captured_version=archive.scheduler_version,
            captured_at=archive.captured_at,
            prepare=spec.prepare,
            healed_config=manifest.config if manifest is not None and isinstance(manifest.config, dict) else None,
            verbosity=spec.verbosity,
            limit_seconds=spec.active_deadline_seconds,
            repetitions=spec.repetitions,
        )

    def archive(self, part: Part) -> Download:
        """The archive that the instructions are about; one of another size would be cut off on its way, each time."""
        found = self._open(part)
        archive = found.archive
        entry = found.store.stat(archive.key)
        if entry is not None and entry.size != archive.size_bytes:
            raise TerminalError(
                Reason.CHECKSUM_MISMATCH,
                f"{found.uri} has {entry.size} bytes, not {archive.size_bytes} as when it was pinned: "
                "it was changed or damaged there. Nothing was replayed.",
            )
        return Download(found.store.open(archive.key), archive.sha256, archive.size_bytes)

    def put_log(self, part: Part, upload: Upload) -> None:
        """Stores the log; again until there is a result.

        If two pods of one Job overlap, for the node of the first was cut off, the log beside the first result is that
        which came last before it, and so perhaps the other pod's: of the same version on the same archive.
        """
        self._put_before_result(part, upload, lambda folder: folder.log(part.index, part.attempt))

    def put_profile(self, part: Part, upload: Upload, profile: Profile) -> None:
        """Stores a profile; again until there is a result."""
        self._put_before_result(part, upload, lambda folder: folder.profile(part.index, part.attempt, profile))

    def put_result(self, part: Part, upload: Upload) -> None:
        """Commits the result. The same one again is fine."""
        with self._services.locks.of(part.result):
            found = self._read(part)
            key = found.folder.result(part.index)
            if found.store.stat(key) is not None:
                if catalog.digest(found.store, key)[0] != upload.sha256:
                    raise TerminalError(Reason.RESULT_EXISTS, f"another {part} was handed in first and stays")
                return
            _check_unfinished(found.replay, part)
            summarize(upload.file.read(), where=f"what was handed in as {part}")
            upload.file.seek(0)
            found.store.put(key, upload.file)
        self._on_result(part)

    def _put_before_result(self, part: Part, upload: Upload, key: Callable[[layout.ReplayFolder], str]) -> None:
        with self._services.locks.of(part.result):
            found = self._open(part)
            found.store.put(key(found.folder), upload.file)

    def _open(self, part: Part) -> "_Found":
        """What a part is about that has no result yet."""
        found = self._read(part)
        if found.store.stat(found.folder.result(part.index)) is not None:
            raise TerminalError(Reason.RESULT_EXISTS, f"a result of {part} was handed in before, and stays")
        _check_unfinished(found.replay, part)
        return found

    def _read(self, part: Part) -> "_Found":
        """What the token is for, as it is now."""
        resource = self._services.cluster.get(REPLAYS, part.namespace, part.name)
        if resource is None or resource["metadata"]["uid"] != part.uid:
            raise TerminalError(Reason.TRANSFER_REFUSED, f"the replay of {part} is gone")
        replay = SnapshotReplay.model_validate(resource)
        source = replay.status.resolved_source
        if source is None or part.index >= len(replay.status.results):
            raise TransientError(Reason.PROGRESSING, f"the archive of {part} is not pinned yet")
        store = store_for(self._services, replay.metadata.namespace, source.storage)
        home = layout.replay_folder(source.key, part.name, uid=part.uid)
        plan = self._plans.load(store, home, digest=source.archives.digest) if source.archives is not None else None
        archive = archive_of(source, plan, part.archive)
        return _Found(replay, store, home.of(part.archive), archive, location(source.storage, archive.key))


@dataclass(frozen=True)
class _Found:
    """What a part is about."""

    replay: SnapshotReplay
    store: Store
    folder: layout.ReplayFolder
    archive: PlannedArchive
    uri: str
    """Where the archive is."""


def _check_unfinished(replay: SnapshotReplay, part: Part) -> None:
    result = replay.status.results[part.index]
    if is_final(result) or result.attempt != part.attempt:
        raise TerminalError(Reason.TRANSFER_REFUSED, f"{part} is finished or was given to another Job")
