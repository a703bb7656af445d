"""Files with patches to a snapshot, as a SnapshotReplay has them under `prepare.patches`."""

from collections.abc import Iterable
from pathlib import Path

import typer
from pydantic import TypeAdapter, ValidationError

from kai_snapshot.api.preparation import Patch
from kai_snapshot.archive.patchtext import read_value

_PATCHES = TypeAdapter(tuple[Patch, ...])


def read_patches(files: Iterable[Path]) -> tuple[Patch, ...]:
    """The patches of all files, in their order. Raises OSError and typer.BadParameter."""
    return tuple(patch for file in files for patch in _read(file))


def _read(file: Path) -> tuple[Patch, ...]:
    try:
        return _PATCHES.validate_python(read_value(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = f": {'.'.join(map(str, first['loc']))}: {first['msg']}" if first["loc"] else ""
        message = f"{file} is no list of patches, each with a target and a patch{where}"
        raise typer.BadParameter(message) from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is not UTF-8") from error
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {error}") from error
