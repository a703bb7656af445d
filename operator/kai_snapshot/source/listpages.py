"""Lists of the API server, page by page, and of each page object by object while it comes in: memory stays flat.

A page of 500 ConfigMaps can be as large as 500 MiB: only the object that is being read is held.
"""

from collections.abc import Callable
from typing import Any, Final

from kai_snapshot.archive.document import DocumentReader, Path, Span, Visitor
from kai_snapshot.archive.limits import DEFAULT
from kai_snapshot.errors import Reason, SnapshotError, TerminalError, TransientError
from kai_snapshot.source.api import PAGE_SIZE, KubernetesApi
from kai_snapshot.source.request import Request

GONE: Final = 410
"""The API server keeps what a list was for five minutes: then the next page is of a later moment."""
NOT_FOUND: Final = 404

Take = Callable[[dict[str, Any]], None]


async def take_list(api: KubernetesApi, request: Request, take: Take, **params: str) -> tuple[str, ...] | None:
    """Gives every object of a list to `take`, and returns of which resource version the list is.

    Of several, if the API server had forgotten the first before the list was read: each object comes once, those
    behind that place as they are at the later version. None if there is no such list. Raises SnapshotError, and what
    `take` raises.
    """
    wanted = {key: value for key, value in params.items() if value}
    versions: list[str] = []
    following: dict[str, str] = {}
    while True:
        page = _Page(request, take)
        refused = await api.stream(request, page.feed, limit=str(PAGE_SIZE), **wanted, **following)
        if refused is None:
            page.finish()
            following = {"continue": page.following}
            versions += [page.version] if page.version not in versions else []
        elif refused.status == GONE and refused.following and refused.following != following.get("continue"):
            following = {"continue": refused.following}
        elif refused.status == NOT_FOUND and not versions:
            return None
        elif refused.status == NOT_FOUND:
            raise TransientError(
                Reason.API_UNREACHABLE,
                f"There is no such list any more in the middle of `{request}`: its kind was removed meanwhile, "
                "or a proxy answered for it. Try again: the next try asks anew, and leaves out a kind that is gone.",
            )
        else:
            raise TransientError(
                Reason.API_UNREACHABLE,
                f"The API server forgot the list in the middle of `{request}` and cannot go on. Try again.",
            )
        if not following["continue"]:
            return tuple(versions)


class _Page(Visitor):
    """One page. Its metadata may stand before or behind its objects."""

    def __init__(self, request: Request, take: Take) -> None:
        self.version = self.following = ""
        self._request = request
        self._take = take
        self._has_metadata = False
        self._reader = DocumentReader(self, DEFAULT.nesting, sections={()})

    def feed(self, data: bytes) -> None:
        """The next bytes of the page. Raises TransientError (APIUnreachable) if that is no list."""
        try:
            self._reader.feed(data)
        except TerminalError as error:
            if error.reason is not Reason.INVALID_JSON:
                raise
            raise self._no_list() from error

    def finish(self) -> None:
        """There are no more bytes. Raises as `feed` does."""
        self.feed(b"")
        if not self._has_metadata:
            raise self._no_list()

    def value(self, path: Path, value: object, span: Span) -> None:
        """The members but the objects; `items` comes here if it is null."""
        del span
        if path == ("metadata",) and isinstance(value, dict):
            self._has_metadata = True
            self.version = str(value.get("resourceVersion") or "")
            self.following = str(value.get("continue") or "")

    def element(self, path: Path, value: object, span: Span) -> None:
        """An object."""
        del span
        if path == ("items",) and isinstance(value, dict):
            self._take(value)

    def _no_list(self) -> SnapshotError:
        return TransientError(
            Reason.API_UNREACHABLE, f"What came for `{self._request}` is not a list of Kubernetes, or is cut off."
        )
