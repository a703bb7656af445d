"""ZIP archives as tests need them: of any bytes, in each of the layouts writers use, and damaged ones."""

import io
import warnings
import zipfile
import zlib
from typing import Any


class Unseekable(io.BytesIO):
    """A stream, such as an HTTP answer: a writer cannot go back, so it puts sizes and checksum behind the member."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError("not seekable")


def archive(
    document: bytes,
    *,
    name: str = "snapshot.json",
    method: int = zipfile.ZIP_DEFLATED,
    streamed: bool = False,
    zip64: bool = False,
    comment: bytes = b"",
    more: tuple[str, ...] = (),
) -> bytes:
    """An archive of one member; `more` names others that are put behind it."""
    out = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as writer:
        with writer.open(name, "w", force_zip64=zip64) as member:
            member.write(document)
        for other in more:
            with warnings.catch_warnings(action="ignore"):  # of the same name again
                writer.writestr(other, b"{}")
        writer.comment = comment
    return out.getvalue()


LAYOUTS: dict[str, dict[str, Any]] = {
    "deflated": {},
    "deflated, sizes behind": {"streamed": True},
    "deflated, zip64": {"zip64": True},
    "deflated, sizes behind, zip64": {"streamed": True, "zip64": True},
    "stored": {"method": zipfile.ZIP_STORED},
    "stored, sizes behind": {"method": zipfile.ZIP_STORED, "streamed": True},
    "with a comment": {"comment": b"kept by somebody"},
}


def bomb(size: int) -> bytes:
    """An archive whose document is `size` blanks: about a thousandth of that."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    start = b'{"config":{},'
    block = b" " * 65536
    checksum, packed = zlib.crc32(start), [deflate.compress(start)]
    for _ in range(size // len(block)):
        checksum = zlib.crc32(block, checksum)
        packed.append(deflate.compress(block))
    data = b"".join([*packed, deflate.flush()])
    empty = archive(b"")
    header = empty[:14] + checksum.to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return header + (len(start) + size).to_bytes(4, "little") + empty[26:43] + data
