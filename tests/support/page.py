"""Pages, read as a browser would."""

from collections.abc import Iterator, Sequence
from html.parser import HTMLParser

from support.served import Answer, Site


class Page(HTMLParser):
    """A page's elements and its text."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(answer.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> Iterator[str]:
        """Where it leads, and what it loads."""
        for _, attributes in self.elements:
            for name in ("href", "src", "action", "data-nodes", "data-page"):
                if (target := attributes.get(name)) is not None:
                    yield target

    def all(self, tag: str) -> Sequence[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(site: Site, path: str) -> Page:
    answer = site.ask(path)
    assert answer.status == 200, answer.body
    return Page(answer)
