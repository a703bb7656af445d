"""Whether an archive is a whole snapshot: while it is downloaded (`Checker`), or from a file (`inspect`).

Status 200 and a good ZIP prove nothing: from v0.15 on the scheduler streams, and closes the ZIP even after an error.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from kai_snapshot.api.inspection import Inspection
from kai_snapshot.api.problem import Problem
from kai_snapshot.archive import limits as limits_of
from kai_snapshot.archive.content import Content
from kai_snapshot.archive.document import DocumentReader
from kai_snapshot.archive.zipformat import BUILT_FROM_API
from kai_snapshot.archive.zipstream import ZipStream
from kai_snapshot.errors import SnapshotError

CHUNK = 1 << 20


def inspect(
    path: Path, *, limits: limits_of.Limits = limits_of.DEFAULT, progress: Callable[[int], None] | None = None
) -> Inspection:
    """The finding about an archive in a file. Raises OSError if the file cannot be read, and nothing else.

    `progress` is told the bytes read so far.
    """
    checker = Checker(limits)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            checker.feed(chunk)
            if progress is not None:
                progress(checker.size_bytes)
    return checker.finish()


class Checker:
    """Checks an archive while it comes in, in flat memory: hashes, inflates and reads every value of the document.

    Neither `feed` nor `finish` raises: what is wrong stands in the finding, and that does not depend on how the archive
    is cut into chunks.
    """

    def __init__(self, limits: limits_of.Limits = limits_of.DEFAULT) -> None:
        self.size_bytes = 0
        """Bytes fed so far."""
        self._hash = hashlib.sha256()
        self._content = Content()
        self._document = DocumentReader(self._content, limits.nesting)
        self._zip = ZipStream(self._read, limits)
        self._zip_problem: Problem | None = None
        self._json_problem: Problem | None = None

    @property
    def failed(self) -> bool:
        """Nothing that follows can make it valid: who downloads it may stop."""
        return bool(self._zip_problem or self._json_problem)

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the archive, as many as there are."""
        self._hash.update(chunk)
        self.size_bytes += len(chunk)
        if not self._zip_problem:
            self._zip_problem = _problem(lambda: self._zip.feed(chunk))

    def finish(self) -> Inspection:
        """The finding: the archive has no more bytes, or its reader has seen enough."""
        if not self.failed:
            self._zip_problem = _problem(self._zip.finish)
        if not self.failed:
            self._json_problem = _problem(self._document.finish)
        content = self._content
        fatal = [problem for problem in (self._zip_problem, self._json_problem) if problem]
        problems = fatal or content.problems()
        return Inspection(
            valid=not problems,
            problems=tuple(problems),
            sha256=self._hash.hexdigest(),
            size_bytes=self.size_bytes,
            uncompressed_bytes=self._zip.uncompressed,
            top_level_keys=tuple(content.keys),
            object_counts=content.counts,
            built_from_api=self._zip.comment == BUILT_FROM_API,
            config_present=content.config is not None,
            actions=content.actions,
            plugins=content.plugins,
            wants_usage_history=content.wants_usage_history,
            dra_form=content.dra_form,
            api_groups=tuple(content.api_groups),
            scheduler_name=content.scheduler_name,
            node_pool=content.node_pool,
            kubernetes_version=content.kubernetes_version,
        )

    def _read(self, block: bytes) -> None:
        # behind a bad document the ZIP is still read: its checksum tells whether the scheduler or the way is to blame
        if not self._json_problem:
            self._json_problem = _problem(lambda: self._document.feed(block))


def _problem(step: Callable[[], None]) -> Problem | None:
    try:
        step()
    except SnapshotError as error:
        return Problem.of(error)
    return None
