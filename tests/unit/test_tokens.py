"""Tokens of the transfer endpoint: read back what was signed, refuse all else."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.transfer import NodePart, Part
from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.transfer.tokens import MAX_AGE, Tokens

PART = Part(uid="0b4c", namespace="kai-snapshots", name="why-pending", index=3, attempt=2)
KEY = bytes(range(32))
WEEK = MAX_AGE.total_seconds()


def refusal(tokens: Tokens, token: str) -> TerminalError:
    with pytest.raises(TerminalError) as caught:
        tokens.read(token)
    assert caught.value.reason is Reason.TRANSFER_REFUSED
    return caught.value


def test_a_token_reads_back_as_the_part_it_was_issued_for() -> None:
    assert Tokens(KEY).read(Tokens(KEY).issue(PART)) == PART


def test_a_token_of_a_node_is_none_of_a_replay_nor_the_other_way_round() -> None:
    node = NodePart(uid="0b4c", namespace="kai-snapshots", name="hourly", run="20261122T101500Z", node="gpu-1")
    tokens = Tokens(KEY)
    assert tokens.read_node(tokens.issue(node)) == node
    refusal(tokens, tokens.issue(node))
    with pytest.raises(TerminalError):
        tokens.read_node(tokens.issue(PART))


def test_a_token_of_another_key_is_refused() -> None:
    refusal(Tokens(KEY), Tokens(bytes(32)).issue(PART))


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_token_with_another_payload_is_refused(place: int, change: int) -> None:
    payload, _, signature = Tokens(KEY).issue(PART).rpartition(".")
    changed = bytearray(payload.encode())
    changed[place % len(changed)] ^= change
    refusal(Tokens(KEY), f"{changed.decode('latin-1')}.{signature}")


@given(st.text())
def test_no_text_is_a_token_by_chance(text: str) -> None:
    refusal(Tokens(KEY), text)


@pytest.mark.parametrize(
    ("age", "good"),
    [(0, True), (WEEK, True), (WEEK + 1, False), (-3600, True)],
    ids=["new", "a week", "older", "signed by a clock that was ahead"],
)
def test_a_token_is_good_for_a_week(age: float, good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    token = Tokens(KEY).issue(PART)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: int(now) + age)
    if good:
        assert Tokens(KEY).read(token) == PART
    else:
        assert "7 days" in refusal(Tokens(KEY), token).message


def test_a_token_fits_into_a_header() -> None:
    token = Tokens(KEY).issue(PART)
    assert token.isascii()
    assert token.isprintable()
    assert " " not in token


def test_a_short_key_is_refused() -> None:
    with pytest.raises(TerminalError, match="16 bytes"):
        Tokens(bytes(16))
