"""Deliver: what the transfer endpoint is in front of - archives out of the storage, logs and results into it."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO

from kai_snapshot.api.snapshotreplay import ResolvedSource, SnapshotReplay
from kai_snapshot.api.transfer import Instructions, Part
from kai_snapshot.cluster import REPLAYS
from kai_snapshot.errors import Reason, TerminalError, TransientError
from kai_snapshot.jobs.images import target_version
from kai_snapshot.reconcile.version import is_final
from kai_snapshot.runs import catalog
from kai_snapshot.runs.results import summarize
from kai_snapshot.runs.services import Services, store_for
from kai_snapshot.stores import Store, layout
from kai_snapshot.transfer.server import Upload


class Delivery:
    """The backend of the transfer endpoint. `on_result` is called with the part when its result is stored."""

    def __init__(self, services: Services, *, on_result: Callable[[Part], None]) -> None:
        self._services = services
        self._on_result = on_result
        self._commits = threading.Lock()
        """Two pods of one Job may be at work for a moment: who comes first is done before the other is heard."""

    def instructions(self, part: Part) -> Instructions:
        """What this Job is to do."""
        replay, source = self._open(part)
        version = replay.spec.versions[part.index]
        manifest = catalog.beside(self._store(replay, source), source.key) if source.healed else None
        return Instructions(
            version=version.name,
            target_version=target_version(version, captured_version=source.scheduler_version),
            image=replay.status.results[part.index].image,
            sha256=source.sha256,
            size_bytes=source.size_bytes,
            captured_version=source.scheduler_version,
            config=replay.spec.prepare.config,
            healed_config=manifest.config if manifest is not None and isinstance(manifest.config, dict) else None,
            verbosity=replay.spec.verbosity,
            limit_seconds=replay.spec.active_deadline_seconds,
        )

    def archive(self, part: Part) -> AbstractContextManager[BinaryIO]:
        """The archive that the instructions are about; one of another size would be cut off on its way, each time."""
        replay, source = self._open(part)
        store = self._store(replay, source)
        entry = store.stat(source.key)
        if entry is not None and entry.size != source.size_bytes:
            raise TerminalError(
                Reason.CHECKSUM_MISMATCH,
                f"{source.uri} has {entry.size} bytes, not {source.size_bytes} as when it was pinned: "
                "it was changed or damaged there. Nothing was replayed.",
            )
        return store.open(source.key)

    def put_log(self, part: Part, upload: Upload) -> None:
        """Stores the log; again until there is a result."""
        replay, source = self._open(part)
        store, folder = self._store(replay, source), _folder(part, source)
        with self._commits:
            if store.stat(folder.result(part.index)) is not None:
                raise TerminalError(Reason.RESULT_EXISTS, f"a result of {part} was handed in before, and its log stays")
            store.put(folder.log(part.index, part.attempt), upload.file)

    def put_result(self, part: Part, upload: Upload) -> None:
        """Commits the result. The same one again is fine."""
        replay, source = self._read(part)
        store = self._store(replay, source)
        key = _folder(part, source).result(part.index)
        with self._commits:
            if store.stat(key) is not None:
                if catalog.digest(store, key)[0] != upload.sha256:
                    raise TerminalError(Reason.RESULT_EXISTS, f"another {part} was handed in first and stays")
                return
            self._check_unfinished(replay, part)
            summarize(upload.file.read(), where=f"what was handed in as {part}")
            upload.file.seek(0)
            store.put(key, upload.file)
        self._on_result(part)

    def _open(self, part: Part) -> tuple[SnapshotReplay, ResolvedSource]:
        replay, source = self._read(part)
        self._check_unfinished(replay, part)
        return replay, source

    def _read(self, part: Part) -> tuple[SnapshotReplay, ResolvedSource]:
        """The replay the token is for, as it is now."""
        found = self._services.cluster.get(REPLAYS, part.namespace, part.name)
        if found is None or found["metadata"]["uid"] != part.uid:
            raise TerminalError(Reason.TRANSFER_REFUSED, f"the replay of {part} is gone")
        replay = SnapshotReplay.model_validate(found)
        if replay.status.resolved_source is None or part.index >= len(replay.status.results):
            raise TransientError(Reason.PROGRESSING, f"the archive of {part} is not pinned yet")
        return replay, replay.status.resolved_source

    def _check_unfinished(self, replay: SnapshotReplay, part: Part) -> None:
        result = replay.status.results[part.index]
        if is_final(result) or result.attempt != part.attempt:
            raise TerminalError(Reason.TRANSFER_REFUSED, f"{part} is finished or was given to another Job")

    def _store(self, replay: SnapshotReplay, source: ResolvedSource) -> Store:
        return store_for(self._services, replay.metadata.namespace, source.storage)


def _folder(part: Part, source: ResolvedSource) -> layout.ReplayFolder:
    return layout.replay_folder(source.key, part.name, uid=part.uid)
