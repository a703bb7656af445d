"""Each block of commands in the documentation is run by `make test-docs`, or says why not."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from support.docblocks import NEEDS, Block, Command, blocks, lines, pages
from support.edited import edited
from support.given import making

ALL = [block for page in pages() for block in blocks(page)]
NOT_RUN = {"bare": 1, "docker": 12, "kai": 4, "node": 1, "nodes": 2, "terminal": 1, "workshop": 1}
"""How many blocks are not run: one more is a promise less, and should be wanted."""


def page(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "page.md"
    path.write_text(text)
    return path


def test_every_block_is_run_or_says_why_not() -> None:
    assert Counter(block.needs for block in ALL if block.needs) == NOT_RUN
    assert set(NOT_RUN) == set(NEEDS)


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.name)
def test_what_a_block_is_given_is_known_and_what_it_says_is_shell(block: Block) -> None:
    for script in (*map(making, block.given), *(command.text for command in block.commands)):
        done = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), script


def test_a_block_has_the_comments_and_files_before_it(tmp_path: Path) -> None:
    text = (
        "<!-- given: a.zip=01-gang out/ -->\n\nText.\n\n```yaml\n# quota.yaml\n- a\n```\n\n"
        "<!-- exit code: 1 -->\n```sh\na --b\n```\n\n```json\n{}\n```\n\n"
        "<!-- needs: kai -->\n<!-- until stopped -->\n```sh\nc\n```\n"
    )
    first, second = blocks(page(tmp_path, text))
    assert first == Block(
        "page.md",
        12,
        (Command("a --b\n"),),
        files=(("quota.yaml", "# quota.yaml\n- a\n"),),
        given=("a.zip=01-gang", "out/"),
        exit_code=1,
    )
    assert second == Block("page.md", 22, (Command("c\n"),), needs="kai", until_stopped=True)


def test_commands_and_what_they_print_are_told_apart(tmp_path: Path) -> None:
    text = "```console\n$ a \\\n    --b\n...\nNAME   READY\nx      True\n$ c\n$ d\n\n  e\n```\n"
    (block,) = blocks(page(tmp_path, text))
    assert block.commands == (Command("a \\\n    --b\n", "NAME   READY"), Command("c\n"), Command("d\n", "  e"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<!-- needs: patience -->\n```sh\na\n```\n", "page.md:1: <!-- needs: patience --> is no marker"),
        ("<!-- TODO -->\n", "page.md:1: <!-- TODO --> is no marker"),
        ("<!-- needs: kai -->\nText.\n```sh\na\n```\n", "page.md:2: there is no block right after needs"),
        ("<!-- needs: kai -->\n```yaml\na: b\n```\n", "page.md:2: needs before a block without commands"),
        ("```sh\na\n", "page.md: a block does not end"),
    ],
)
def test_a_comment_that_says_nothing_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        blocks(page(tmp_path, text))


def test_lines_are_joined_and_comments_are_left_out() -> None:
    assert lines("# at first\na --b   # why\nc \\\n  d#e\n\n") == ["a --b", "c    d#e"]


def test_an_example_gets_the_server_of_the_stage_and_stays_else_as_it_is() -> None:
    example = "kind: SnapshotReplay\nspec: {source: {archive: {key: k, storage: {s3: {bucket: b, region: r}}}}}\n"
    assert "bucket: b\n" in edited(example)
    assert "endpoint: http://s3.stage.svc:7070\n" in edited(example)
    assert "region: r" not in edited(example)
    patches = "# quota.yaml\n- target: {kind: Queue}\n"
    assert edited(patches) == patches
