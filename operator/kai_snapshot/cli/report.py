"""`kai-snapshot report`: what the scheduler saw, and what versions made of it, as one file to attach to a ticket."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from kai_snapshot.api.comparisondocument import ComparisonDocument
from kai_snapshot.api.decodedresult import DecodedResult
from kai_snapshot.cli import output
from kai_snapshot.cli.compared_files import named_results
from kai_snapshot.runs.look import GIVEN, InFile
from kai_snapshot.runs.replays import Replay, replay_of
from kai_snapshot.web.report import report as written


def report(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            dir_okay=False,
            metavar="ARCHIVE|RESULT...",
            help="A snapshot archive, results of it (result.json, or the output of `replay -o json`) or their "
            "comparison.json, or the archive and the results.",
        ),
    ],
    *,
    html: Annotated[Path, typer.Option("--html", metavar="FILE", dir_okay=False, help="Where to write it.")],
    why: Annotated[
        bool, typer.Option("--why", help="Have the simulator find out why jobs wait, and say it with each.")
    ] = False,
) -> None:
    """Write the pages about an archive, or results of it, into one HTML file, which needs nothing from elsewhere.

    With the archive, results show on its nodes what would change. It holds names, counts and scheduling facts: neither
    data of ConfigMaps nor environment variables.
    """
    documents = [path for path in files if _is_json(path)]
    archives = [path for path in files if path not in documents]
    if len(archives) > 1:
        raise typer.BadParameter("give one archive, and results of it")
    if why and not archives:
        raise typer.BadParameter("the simulator needs the archive", param_hint="--why")
    replay, results = _replay(documents)
    place = InFile(archives[0]) if archives else None
    views = place.see("") if place is not None else None
    waiting = {each.name: each for each in place.simulated("").waiting} if place is not None and why else None
    content = written(views, waiting, replay=replay, results=results).encode()
    html.write_bytes(content)
    typer.echo(f"{html}: {output.size(len(content))}")


def _replay(documents: list[Path]) -> tuple[Replay | None, dict[str, DecodedResult]]:
    """The results side by side; a comparison tells that without them."""
    if not documents:
        return None, {}
    if len(documents) == 1 and (comparison := _comparison(documents[0])) is not None:
        return Replay(documents[0].name, (), comparison), {}
    results = {name: result for name, _, result in named_results(documents)}
    return replay_of(GIVEN, results.items()), results


def _comparison(path: Path) -> ComparisonDocument | None:
    try:
        return ComparisonDocument.model_validate_json(path.read_bytes())
    except ValidationError:
        return None


def _is_json(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1] in (b"{", b"[")
