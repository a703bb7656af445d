"""Writing an archive anew: what is changed, and that all else stays as the scheduler wrote it, to the byte."""

import json
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kai_snapshot.archive import rewrite as module
from kai_snapshot.archive.rewrite import rewrite
from kai_snapshot.archive.zipformat import BUILT_FROM_API
from kai_snapshot.errors import Reason, TerminalError
from support import documents
from support.zips import archive


def lines(document: Any) -> bytes:
    """As v0.15 and later write it."""

    def member(key: str, value: Any) -> str:
        if isinstance(value, list):
            elements = ",".join(json.dumps(each, separators=(",", ":")) + "\n" for each in value)
            return f'"{key}":[{elements}]'
        if key == "rawObjects":
            return f'"{key}":{{{",".join(member(*each) for each in value.items())}}}'
        return f'"{key}":{json.dumps(value)}\n'

    return f"{{{','.join(member(*each) for each in document.items())}}}".encode()


FORMS: dict[str, Callable[[Any], bytes]] = {
    "one line": lambda document: json.dumps(document, separators=(",", ":")).encode(),
    "a newline after each element": lines,
    "blanks after commas": lambda document: json.dumps(document).encode(),
    "pretty printed": lambda document: json.dumps(document, indent=2).encode(),
    "with leading commas": lambda document: json.dumps(document, separators=("\n  , ", ":")).encode(),
}


class Marks:
    """Does with an element what it says itself under `do`; what is `added` goes to the end of each list named."""

    done = False

    def __init__(self, added: dict[str, list[Any]] | None = None) -> None:
        self._added = added or {}
        self.finished = False

    def value(self, path: tuple[str, ...], value: object) -> bytes | None:
        return b'"new"' if value == "replace" else None

    def element(self, path: tuple[str, ...], value: Any) -> bytes | None:
        return {"remove": b"", "replace": b'{"is":"new"}'}.get(value["do"])

    def added(self, path: tuple[str, ...]) -> Sequence[bytes]:
        return [FORMS["one line"](value) for value in self._added.get(path[-1], ())]

    def finish(self) -> None:
        self.finished = True


def rewritten(data: bytes, editor: Marks, directory: Path) -> bytes:
    """The document that comes out."""
    (directory / "old.zip").write_bytes(archive(data))
    rewrite(directory / "old.zip", directory / "new.zip", editor)
    with zipfile.ZipFile(directory / "new.zip") as reader:
        return reader.read("snapshot.json")


def edited(document: Any, added: dict[str, list[Any]]) -> Any:
    """What should come out, in one step."""

    def of_list(name: str, values: list[Any] | None) -> list[Any] | None:
        kept = [
            {"is": "new"} if value["do"] == "replace" else value for value in values or () if value["do"] != "remove"
        ]
        new = kept + added.get(name, [])
        return None if values is None and not new else new

    raw = {name: of_list(name, values) for name, values in document["rawObjects"].items()}
    return {
        key: raw if key == "rawObjects" else "new" if value == "replace" else value for key, value in document.items()
    }


ELEMENTS = st.fixed_dictionaries(
    {"do": st.sampled_from(["keep", "remove", "replace"]), "text": st.text(',[]{}"\\\n', max_size=5)}
)
LISTS = st.dictionaries(st.sampled_from(["pods", "nodes", "queues"]), st.none() | st.lists(ELEMENTS, max_size=6))
DOCUMENTS = st.fixed_dictionaries(
    {"config": st.sampled_from(["keep", "replace"]), "rawObjects": LISTS, "discovery": st.just({"resources": None})}
)
ADDED = st.dictionaries(st.sampled_from(["pods", "nodes"]), st.lists(st.just({"do": "keep", "is": "more"}), max_size=2))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS, added=ADDED, block=st.integers(1, 200))
def test_changes_are_right_whatever_the_form_and_however_the_document_is_cut(
    form: Callable[[Any], bytes], document: Any, added: dict[str, list[Any]], block: int, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kai_snapshot.archive.zipstream.BLOCK", block)
        after = rewritten(form(document), Marks(added), tmp_path)
    expected = edited(document, added)
    assert json.loads(after) == expected
    assert list(json.loads(after)["rawObjects"]) == list(expected["rawObjects"])


@pytest.mark.parametrize("form", ["one line", "a newline after each element"])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS, added=ADDED)
def test_what_comes_out_has_the_form_of_what_went_in(
    form: str, document: Any, added: dict[str, list[Any]], tmp_path: Path
) -> None:
    for name, values in document["rawObjects"].items():  # what is left of a list shows its form
        assume(any(value["do"] != "remove" for value in values or ()) or not (values or added.get(name)))
    assert rewritten(FORMS[form](document), Marks(added), tmp_path) == FORMS[form](edited(document, added))


SMALL = {"config": "keep", "rawObjects": {"pods": [{"do": "keep"}, {"do": "keep"}]}, "discovery": {"resources": []}}


def test_what_is_not_changed_is_copied(tmp_path: Path) -> None:
    editor = Marks()
    rewritten(FORMS["one line"](SMALL), editor, tmp_path)
    assert (tmp_path / "new.zip").read_bytes() == (tmp_path / "old.zip").read_bytes()
    assert editor.finished


@pytest.mark.parametrize(("config", "copied"), [("keep", True), ("replace", False)])
def test_nothing_is_looked_at_once_nothing_more_can_change(
    config: str, copied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kai_snapshot.archive.zipstream.BLOCK", 20)

    class OnlyTheConfiguration(Marks):
        def value(self, path: tuple[str, ...], value: object) -> bytes | None:
            self.done = True
            return super().value(path, value)

    data = FORMS["one line"](SMALL | {"config": config}) + b"and this is no JSON"
    after = rewritten(data, OnlyTheConfiguration(), tmp_path)
    assert after == data.replace(b'"replace"', b'"new"')
    assert ((tmp_path / "new.zip").read_bytes() == (tmp_path / "old.zip").read_bytes()) == copied


def test_the_same_request_gives_the_same_bytes(tmp_path: Path) -> None:
    data = FORMS["one line"](SMALL | {"config": "replace"})
    rewritten(data, Marks(), tmp_path)
    first = (tmp_path / "new.zip").read_bytes()
    rewritten(data, Marks(), tmp_path)
    assert (tmp_path / "new.zip").read_bytes() == first


@pytest.mark.parametrize(("comment", "kept"), [(BUILT_FROM_API, BUILT_FROM_API), (b"of acme", b"")])
def test_that_no_scheduler_served_it_is_still_said_and_nothing_else_is(
    comment: bytes, kept: bytes, tmp_path: Path
) -> None:
    (tmp_path / "old.zip").write_bytes(archive(FORMS["one line"](SMALL | {"config": "replace"}), comment=comment))
    rewrite(tmp_path / "old.zip", tmp_path / "new.zip", Marks())
    with zipfile.ZipFile(tmp_path / "new.zip") as reader:
        assert reader.comment == kept


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"config":"replace","rawObjects":{"pods":[{"do":"replace"},{', Reason.INVALID_JSON),
        (b'{"config":"replace","rawObjects":' + b" " * (module.HELD_BYTES + 10**6), Reason.ARCHIVE_TOO_LARGE),
    ],
    ids=["cut", "nothing but blanks"],
)
def test_of_an_archive_that_is_not_valid_nothing_is_left(data: bytes, reason: Reason, tmp_path: Path) -> None:
    with pytest.raises(TerminalError) as caught:
        rewritten(data, Marks(), tmp_path)
    assert caught.value.reason is reason
    assert not (tmp_path / "new.zip").exists()


def test_the_document_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    class EachPod(Marks):
        def element(self, path: tuple[str, ...], value: Any) -> bytes | None:
            return json.dumps(value).encode() if path[-1] == "pods" else None

    written = documents.write_archive(tmp_path / "old.zip", pods=3000)
    tracemalloc.start()
    rewrite(tmp_path / "old.zip", tmp_path / "new.zip", EachPod())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < written.size / 4
