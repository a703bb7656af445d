"""The responses about every archive of the corpus, from a storage that holds them all."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from kai_snapshot.runs.look import Stored
from kai_snapshot.stores.memory import MemoryStore
from support.served import Site, served
from support.simulated import CORPUS
from support.stored import FIRST, keep
from support.viewed import SCHEMAS

CASES = sorted(path.parent.name.partition("-")[0] for path in CORPUS.glob("*/snapshot.zip"))


@pytest.fixture(scope="module")
def stored() -> Iterator[tuple[Site, dict[str, str]]]:
    """The server, and the key of each case."""
    store = MemoryStore()
    keys = {case: keep(store, case, FIRST + timedelta(hours=hour)) for hour, case in enumerate(CASES)}
    with served(Stored(store)) as site:
        yield site, keys


@pytest.mark.parametrize("case", CASES)
def test_all_four_keep_the_contract(stored: tuple[Site, dict[str, str]], case: str) -> None:
    site, keys = stored
    for name, schema in SCHEMAS.items():
        answer = site.ask(f"/api/v1/visualizer/{name}?snapshot={keys[case]}")
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert answer.body.endswith(b"\n")
        schema.validate(answer.document)
    assert site.ask(f"/api/v1/visualizer/summary?snapshot={keys[case]}").document["source"]["capture"] == keys[case]
