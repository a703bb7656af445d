"""The pages in a real browser: `make browser`."""

import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from support.browser import Browser, Tab, browser


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("pages").addoption("--chromium", default=shutil.which("chromium"), help="another browser")


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> Iterator[Browser]:
    path: str | None = request.config.getoption("--chromium")
    assert path is not None, "there is no chromium on the PATH: run `make browser`, which installs it first"
    with browser(Path(path)) as started:
        yield started


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Tab]:
    """A new tab; nobody has complained yet."""
    chromium.events.clear()
    tab = chromium.tab()
    yield tab
    tab.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core: what checks a page for people who read it with other means than their eyes, or with weak ones."""
    return (files("axe_playwright_python") / "axe.min.js").read_text()
