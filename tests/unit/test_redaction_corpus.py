"""Redaction on the corpus: what is decided stays, and what names is gone."""

import re
from pathlib import Path

import orjson
import pytest

from kai_snapshot.archive.check import inspect
from support.redactable import KEY, Object, content, decided, redacted, strings
from support.simulated import CORPUS, MINI

ARCHIVES = [*sorted(CORPUS.glob("*/snapshot.zip")), *sorted(MINI.glob("*.zip"))]
WORDS = frozenset({"default", "true", "false", "linux", "amd64", "cpu", "kai-scheduler"})
"""Names and values that are words of Kubernetes and KAI as well, which stay where they are these."""


def called(path: Path) -> str:
    return path.stem if path.parent == MINI else path.parent.name


def names(document: Object) -> set[str]:
    """Names, namespaces, UIDs and images of objects, and values of their labels."""
    found: set[str] = set()
    for of_kind in document["rawObjects"].values():
        for each in of_kind or ():
            metadata = each["metadata"]
            found |= {metadata["name"], metadata.get("namespace", ""), metadata.get("uid", "")}
            found |= {
                value for key, value in (metadata.get("labels") or {}).items() if not key.startswith("nvidia.com/")
            }
            found |= {container.get("image", "") for container in each.get("spec", {}).get("containers") or ()}
    return {name for name in found - WORDS if not re.fullmatch(r"|-?[0-9]+|scaling-pod|kai-resource-reservation", name)}


def test_the_whole_corpus_is_looked_at() -> None:
    assert len(ARCHIVES) == 170


@pytest.mark.parametrize("archive", ARCHIVES, ids=called)
def test_the_simulator_decides_the_same_and_says_the_same_once_translated(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "redacted.zip"
    _, table = redacted(archive, target)
    assert decided(target, table) == decided(archive)


@pytest.mark.parametrize("archive", ARCHIVES, ids=called)
def test_no_name_is_left_and_nothing_is_unknown(archive: Path, tmp_path: Path) -> None:
    target = tmp_path / "redacted.zip"
    dropped, table = redacted(archive, target)
    original, changed = content(archive), content(target)
    assert dropped == {}
    assert names(original) & set(strings(changed)) == set()
    long = {name for name in names(original) if len(name) > 6 and not name.isalpha()}
    text = orjson.dumps(changed).decode()
    assert [name for name in long if name in text] == []
    assert set(table.values()) >= names(original) - {"default"}
    assert {kind: len(each or ()) for kind, each in changed["rawObjects"].items()} == {
        kind: len(each or ()) for kind, each in original["rawObjects"].items()
    }


def test_the_same_archive_and_key_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    for target in (first, second):
        redacted(ARCHIVES[0], target, KEY)
    assert first.read_bytes() == second.read_bytes()
    assert inspect(first).valid


def test_two_archives_of_a_cluster_still_match(tmp_path: Path) -> None:
    tables = [
        redacted(CORPUS / case / "snapshot.zip", tmp_path / "r.zip")[1] for case in ("19-live", "20-live-bindrequests")
    ]
    common = set(tables[0].values()) & set(tables[1].values())
    assert len(common) > 20
    ours, theirs = ({name: pseudonym for pseudonym, name in table.items()} for table in tables)
    assert {name: ours[name] for name in common} == {name: theirs[name] for name in common}
