"""Options that say what is done to an archive before it is replayed or simulated."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from kai_snapshot.api.manifest import Manifest
from kai_snapshot.archive.prepare import Preparation
from kai_snapshot.cli.patchfile import read_patches

Archive = Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="ARCHIVE", help="A snapshot archive.")]
ManifestFile = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        exists=True,
        dir_okay=False,
        help="The archive's manifest: when and by which version it was made, a healed config.",
    ),
]
Config = Annotated[
    Literal["TargetDefaults", "Verbatim"],
    typer.Option("--config", help="Add plugins that are new defaults in the version; or leave the configuration."),
]
Clock = Annotated[
    Literal["Shift", "Verbatim"],
    typer.Option("--clock", help="Move all times by the archive's age, so that ages are as captured; or do not."),
]
PatchFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--patch",
        exists=True,
        dir_okay=False,
        metavar="FILE",
        help="Change objects first: a YAML list like prepare.patches of a SnapshotReplay.",
    ),
]


def preparation(
    about: Manifest | None,
    *,
    config: Literal["TargetDefaults", "Verbatim"],
    clock: Literal["Shift", "Verbatim"] = "Shift",
    patch: list[Path] | None,
) -> Preparation:
    """What the options say. Raises OSError and typer.BadParameter."""
    return Preparation(
        config=config,
        clock=clock,
        patches=read_patches(patch or ()),
        healed_config=about.config if about is not None and isinstance(about.config, dict) else None,
        captured_version=captured_version(about),
        captured_at=about.captured_at if about is not None else None,
    )


def read_manifest(path: Path | None) -> Manifest | None:
    """The manifest in a file, if one was given. Raises OSError, and TerminalError(InvalidManifest)."""
    return Manifest.decode(path.read_bytes(), where=str(path)) if path is not None else None


def captured_version(about: Manifest | None) -> str:
    """The version that made the archive; empty if unknown."""
    return (about.scheduler.version if about is not None else None) or ""
