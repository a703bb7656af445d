"""All commands of `kai-snapshot`, put together."""

import typer

from kai_snapshot.cli import job

app = typer.Typer(name="kai-snapshot", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
app.add_typer(job.app)


@app.callback()
def about() -> None:
    """Keeps snapshots of the KAI Scheduler and replays them with any version of its snapshot-tool."""
