"""What a page of the documentation tells its reader to do: the blocks of commands, and the files they need.

Run are blocks of `sh`, and the commands behind `$ ` in blocks of `console`, where the first line of what is shown below
them has to be among what they print, `...` being anything. A `yaml` block that begins with a comment that is a file's
name, `# quota.yaml`, is that file. Comments right before a block say what else there is to it:

    <!-- needs: docker -->         it is not run, for want of what NEEDS says
    <!-- until stopped -->         each of its lines serves something until it is stopped
    <!-- exit code: 1 -->          it ends so, for what it finds is bad
    <!-- given: incident.zip -->   files that the reader has by now; before a block, or alone
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RENDERED = ("docs/api.md", "docs/command-reference.md")
"""Pages that are made from the code, and tell nobody to do anything."""

NEEDS = {
    "bare": "a cluster without the operator: tests/e2e/test_chart.py has one",
    "docker": "a container engine, and a registry or the internet to push to and pull from",
    "kai": "KAI Scheduler itself: its kinds, or its operator",
    "node": "a shell on a node of the cluster",
    "nodes": "the nodes that the captured archive has",
    "terminal": "what is served in another terminal",
    "workshop": "a machine of its own: it builds a cluster, or tests this project",
}
"""Why a block is not run."""

_MARKER = re.compile(r"<!-- (?P<word>[a-z ]+?)(?:: (?P<value>.+?))? -->")
_FENCE = re.compile(r"```(\w*)")
_FILE = re.compile(r"# ([\w.-]+\.ya?ml)\n")


@dataclass(frozen=True)
class Command:
    """A piece of shell, and the first line that is shown of its output."""

    text: str
    shown: str | None = None


@dataclass(frozen=True)
class Block:
    """Commands that are run one after the other, in the same shell as those of the page before them."""

    page: str
    line: int
    """Where it begins."""
    commands: tuple[Command, ...]
    files: tuple[tuple[str, str], ...] = ()
    """Files that the page has shown since the block before, by name."""
    given: tuple[str, ...] = ()
    needs: str | None = None
    until_stopped: bool = False
    exit_code: int = 0

    @property
    def name(self) -> str:
        """As an editor opens it."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """The README and all pages that are written by hand."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in found if page_name(page) not in RENDERED]


def page_name(page: Path) -> str:
    """The page as it is called from the project's root."""
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order. Raises ValueError for a comment that is no marker, or says nothing known."""
    return list(_Reading(page).blocks())


class _Reading:
    def __init__(self, page: Path) -> None:
        self._page = page_name(page)
        self._lines = iter(enumerate(page.read_text().splitlines(keepends=True), 1))
        self._markers: dict[str, str] = {}
        self._files: list[tuple[str, str]] = []
        self._given: list[str] = []

    def blocks(self) -> Iterator[Block]:
        for number, line in self._lines:
            if fence := _FENCE.match(line):
                yield from self._block(fence[1], number)
            elif line.startswith("<!--"):
                self._mark(number, line.strip())
            elif line.strip() and self._markers:
                raise ValueError(f"{self._page}:{number}: there is no block right after {', '.join(self._markers)}")

    def _mark(self, number: int, line: str) -> None:
        found = _MARKER.fullmatch(line)
        word, value = (found["word"], found["value"] or "") if found else ("", "")
        if word == "given":
            self._given += value.split()
        elif (word, value) == ("until stopped", "") or (word == "needs" and value in NEEDS) or _is_code(word, value):
            self._markers[word] = value
        else:
            raise ValueError(f"{self._page}:{number}: {line} is no marker; those there are: support/docblocks.py")

    def _block(self, language: str, number: int) -> Iterator[Block]:
        text = self._text()
        markers, self._markers = self._markers, {}
        if language == "yaml" and (file := _FILE.match(text)):
            self._files.append((file[1], text))
        if language not in ("sh", "console"):
            if markers:
                raise ValueError(f"{self._page}:{number}: {', '.join(markers)} before a block without commands")
            return
        commands = (Command(text),) if language == "sh" else tuple(_shown(text))
        if commands:
            files, self._files = tuple(self._files), []
            given, self._given = tuple(self._given), []
            yield Block(
                self._page,
                number + 1,
                commands,
                files,
                given,
                needs=markers.get("needs"),
                until_stopped="until stopped" in markers,
                exit_code=int(markers.get("exit code", 0)),
            )

    def _text(self) -> str:
        text = ""
        for _, line in self._lines:
            if line.startswith("```"):
                return text
            text += line
        raise ValueError(f"{self._page}: a block does not end")


def _is_code(word: str, value: str) -> bool:
    return word == "exit code" and value.isdecimal()


def _shown(text: str) -> Iterator[Command]:
    """The commands of a terminal's session."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, output = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        shown = next((line for line in output.splitlines() if line.strip() not in ("", "...")), None)
        yield Command(command, shown)


def lines(text: str) -> list[str]:
    """The commands of a piece of shell, one a line, without comments."""
    joined = text.replace("\\\n", " ").splitlines()
    return [line for line in (re.sub(r"(^|\s+)#.*", "", line).strip() for line in joined) if line]
