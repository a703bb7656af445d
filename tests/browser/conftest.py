"""The pages in a real browser.

apt-get install chromium; npm pack axe-core
pytest tests/browser --axe axe.min.js
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.browser import Browser, Tab, browser


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pages")
    group.addoption("--chromium", default=shutil.which("chromium") or "chromium", help="the browser")
    group.addoption("--axe", type=Path, required=False, help="axe.min.js of axe-core")


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> Iterator[Browser]:
    with browser(Path(request.config.getoption("--chromium"))) as started:
        yield started


@pytest.fixture
def tab(chromium: Browser) -> Tab:
    """A new tab; nobody has complained yet."""
    chromium.events.clear()
    return chromium.tab()


@pytest.fixture(scope="session")
def axe(request: pytest.FixtureRequest) -> str:
    """What checks a page for people who read it with other means than their eyes, or with weak ones."""
    path: Path | None = request.config.getoption("--axe")
    assert path is not None, "name axe-core's axe.min.js with --axe"
    return path.read_text()
