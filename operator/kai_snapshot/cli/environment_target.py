"""Where `kai-snapshot environment` writes its documents, and how: standard output, files, ConfigMaps, a template."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from kai_snapshot.api.environmentdocument import FULL_API_VERSION, ApiVersion, EnvironmentDocument
from kai_snapshot.cli import output
from kai_snapshot.environment import configmap, text
from kai_snapshot.environment.assemble import require_gpu
from kai_snapshot.environment.template import render
from kai_snapshot.errors import Reason, SnapshotError, TerminalError
from kai_snapshot.runs.nodes import apply_config_maps
from kai_snapshot.source.kubeconfig import from_kubeconfig

_PANEL = "What to write, and where"
File = Annotated[
    str,
    typer.Option(
        "--file",
        "-f",
        metavar="TARGET",
        rich_help_panel=_PANEL,
        help="A file, a directory (DIRECTORY/ is made) for a file of each node, cm://NAMESPACE/NAME, or - for stdout.",
    ),
]
Form = Annotated[text.Form, typer.Option("--output", "-o", rich_help_panel=_PANEL, help="The form of the documents.")]
Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", help="The kubeconfig, as for kubectl.", rich_help_panel="Which cluster")
]
Context = Annotated[
    str | None, typer.Option("--context", help="The context in it, as for kubectl.", rich_help_panel="Which cluster")
]
Template = Annotated[
    Path | None,
    typer.Option(
        "--template",
        exists=True,
        dir_okay=False,
        rich_help_panel=_PANEL,
        help="A Jinja2 template to write with, in place of the form.",
    ),
]
Header = Annotated[
    ApiVersion,
    typer.Option("--api-version", rich_help_panel=_PANEL, help="The header; aicr v0.21 and later wants the newer."),
]
RequireGpu = Annotated[
    bool, typer.Option("--require-gpu", help="Exit status 1 if no GPU is found; the document is written all the same.")
]
MaxNodesPerEntry = Annotated[
    int,
    typer.Option(
        "--max-nodes-per-entry",
        min=0,
        metavar="N",
        rich_help_panel=_PANEL,
        help="Node names in each entry of NodeTopology, all with 0.",
    ),
]
DEFAULT_HEADER: ApiVersion = FULL_API_VERSION
STDOUT = "-"


@dataclass(frozen=True)
class Target:
    """Where, and how. Made before anything is collected: what is wrong with it is said at once."""

    where: str
    form: text.Form
    template: Path | None
    kubeconfig: Path | None
    context: str | None

    @classmethod
    def of(
        cls,
        file: str,
        form: text.Form,
        template: Path | None,
        kubeconfig: Path | None = None,
        context: str | None = None,
    ) -> "Target":
        """Raises typer.BadParameter, TerminalError(InvalidSpec)."""
        if file.startswith(configmap.SCHEME):
            configmap.parse(file)
            if template is not None:
                raise typer.BadParameter("--template writes text: to a file or to standard output, not to a ConfigMap")
        return cls(file, form, template, kubeconfig, context)

    def write(self, documents: Sequence[EnvironmentDocument]) -> None:
        """Writes them all. Raises SnapshotError, OSError."""
        if self.where.startswith(configmap.SCHEME):
            self._apply(documents)
        elif self.where.endswith("/") or (self.where != STDOUT and Path(self.where).is_dir()):
            by_name = _by_file_name(documents)
            Path(self.where).mkdir(parents=True, exist_ok=True)
            for name, each in by_name.items():
                ending = "txt" if self.template is not None else text.EXTENSION[self.form]
                Path(self.where, f"{name}.{ending}").write_bytes(self._content([each]))
        elif self.where == STDOUT:
            sys.stdout.buffer.write(self._content(documents))
            sys.stdout.buffer.flush()
        else:
            Path(self.where).write_bytes(self._content(documents))

    def _content(self, documents: Sequence[EnvironmentDocument]) -> bytes:
        if self.template is not None:
            template, where = self.template.read_text(encoding="utf-8"), str(self.template)
            return "".join(render(template, each, where=where) for each in documents).encode()
        return text.encode_all(documents, self.form)

    def _apply(self, documents: Sequence[EnvironmentDocument]) -> None:
        """One ConfigMap for each document: a node's may fill one."""
        namespace, name = configmap.parse(self.where)
        made = [
            configmap.config_map(
                each, self.form, namespace=namespace, name=name if len(documents) == 1 else f"{name}-{node}"
            )
            for node, each in _by_node(documents).items()
        ]
        connection = from_kubeconfig(self.kubeconfig, context=self.context)
        asyncio.run(apply_config_maps(connection, made))


def _by_file_name(documents: Sequence[EnvironmentDocument]) -> dict[str, EnvironmentDocument]:
    """By node. A document may come from anywhere, and its node's name must not lead to another directory."""
    found = _by_node(documents)
    for name in found:
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            raise TerminalError(
                Reason.INVALID_ENVIRONMENT, f"The node's name {name!r} in a document is no file's name."
            )
    return found


def _by_node(documents: Sequence[EnvironmentDocument]) -> dict[str, EnvironmentDocument]:
    """Raises TerminalError(InvalidSpec) where one would overwrite another."""
    found: dict[str, EnvironmentDocument] = {}
    for each in documents:
        name = each.source_node
        if name in found:
            raise TerminalError(Reason.INVALID_SPEC, f"There are two documents of the node {name}: write to one file.")
        found[name] = each
    return found


def finish(
    documents: Sequence[EnvironmentDocument],
    target: Target,
    *,
    require: bool = False,
    errors: Sequence[SnapshotError] = (),
) -> None:
    """Writes what was found, then says what was not. Raises typer.Exit with the exit code of the first failure."""
    if documents:
        target.write(documents)
    failures = list(errors)
    for each in documents if require else ():
        try:
            require_gpu(each)
        except SnapshotError as error:
            failures.append(error)
    for failure in failures:
        output.complain(failure)
    if failures:
        raise typer.Exit(output.exit_code(failures[0].reason))


def say_what_failed(documents: Sequence[EnvironmentDocument], *, debug: bool) -> None:
    """How the collectors ended: those that failed, all of them with `debug`."""
    for document in documents:
        for each in document.collectors:
            if debug or each.message:
                said = f": {each.message}" if each.message else ""
                line = f"{document.source_node}: {each.name} {each.status} after {each.duration_seconds:g} s{said}"
                typer.echo(line, err=True)
