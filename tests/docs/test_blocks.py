"""Every command of README.md and docs/ does what it says, against a real cluster: `make test-docs`.

The blocks of a page run in their order. Those that need what is not here are skipped, and say what that is.
"""

import pytest

from support.docblocks import NEEDS, Block, blocks, page_name, pages
from support.reader import Reader

FIRST = ("docs/getting-started.md",)  # which begins with a cluster without the operator
LAST = ("docs/operations.md",)  # which ends with taking the operator away


def in_order() -> list[Block]:
    known = {page_name(page): page for page in pages()}
    between = (name for name in known if name not in FIRST + LAST)
    return [block for name in (*FIRST, *between, *LAST) for block in blocks(known[name])]


@pytest.mark.parametrize("block", in_order(), ids=lambda block: block.name)
def test_a_block_does_what_it_says(block: Block, request: pytest.FixtureRequest) -> None:
    if block.needs is not None:
        pytest.skip(f"{block.name} needs {NEEDS[block.needs]}")
    reader: Reader = request.getfixturevalue("reader")
    reader.read(block)
