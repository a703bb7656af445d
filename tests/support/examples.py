"""What the documentation shows, as tests try it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """The code of a page in one of these languages."""
    return (text for language, text in FENCE.findall(page.read_text()) if language in languages)


def examples() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in YAML, with the place it stands at."""
    for page in PAGES:
        for text in blocks(page, "yaml"):
            yield from ((page.name, document) for document in yaml.safe_load_all(text) if "kind" in document)
    for path in sorted((ROOT / "manifests" / "samples").glob("*.yaml")):
        yield from ((path.name, document) for document in yaml.safe_load_all(path.read_text()))
