"""Pseudonyms: they sort as the names do, differ where these differ, and depend on the key and the name alone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.errors import Reason, TerminalError
from kai_snapshot.redaction.key import Key
from kai_snapshot.redaction.pseudonyms import PSEUDONYM, Pseudonyms
from support.redactable import KEY, OTHER

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-."
NAMES = st.text(ALPHABET, min_size=1, max_size=63)
ALIKE = st.builds(lambda start, end: start + end, st.sampled_from(["train-", "train-resnet-", "d", "default"]), NAMES)
ANY = st.text(min_size=1, max_size=100)
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
PODS_OF_ONE_JOB = [f"a-team-of-some-department-trains-a-model-of-a-long-name-worker-{i:03}" for i in range(30)]


def ignored(pseudonym: str, name: str) -> None:
    del pseudonym, name


def made(key: Key = KEY) -> Pseudonyms:
    return Pseudonyms(key, ignored)


@given(st.lists(NAMES | ALIKE | ANY, min_size=2, max_size=20))
def test_pseudonyms_sort_as_names_do_byte_by_byte(names: list[str]) -> None:
    pseudonyms = made()
    by_name = sorted(set(names), key=lambda name: name.encode("utf-8", "surrogatepass"))
    replaced = [pseudonyms.name(name) for name in by_name]
    assert replaced == sorted(replaced)
    assert len(set(replaced)) == len(replaced)


@given(st.lists(st.text(ALPHABET, min_size=1, max_size=35), min_size=2, max_size=20))
def test_so_do_those_of_values_of_labels_that_are_not_long(values: list[str]) -> None:
    pseudonyms = made()
    replaced = [pseudonyms.label(value) for value in sorted(set(values))]
    assert replaced == sorted(replaced)


@given(st.lists(NAMES | ANY, min_size=2, max_size=20, unique=True))
def test_values_of_labels_differ_where_they_differed(values: list[str]) -> None:
    pseudonyms = made()
    assert len({pseudonyms.label(value) for value in values}) == len(values)


@given(st.lists(st.uuids().map(str), min_size=2, max_size=20, unique=True))
def test_so_do_those_of_uids(uids: list[str]) -> None:
    pseudonyms = made()
    replaced = [pseudonyms.uid(uid) for uid in sorted(uids)]
    assert replaced == sorted(replaced)
    assert len(set(replaced)) == len(replaced)
    assert all(PSEUDONYM.fullmatch(each) for each in replaced)


def test_uids_that_are_no_uuids_are_names() -> None:
    pseudonyms = made()
    assert pseudonyms.uid("job-17") == pseudonyms.name("job-17")


@given(NAMES | ANY)
def test_a_pseudonym_depends_on_nothing_that_came_before(name: str) -> None:
    used = made()
    for other in (name[: len(name) // 2] + "x", "train-0", name + name, name):
        used.name(other)
        used.label(other)
    assert (used.name(name), used.label(name)) == (made().name(name), made().label(name))


@given(NAMES | ANY)
def test_it_has_the_form_of_a_name_and_of_the_value_of_a_label(name: str) -> None:
    pseudonyms = made()
    replaced = pseudonyms.name(name)
    assert len(replaced) <= 253
    assert name == "default" or all(DNS_LABEL.fullmatch(part) for part in replaced.split("."))
    assert name == "default" or DNS_LABEL.fullmatch(pseudonyms.label(name))


@given(NAMES | ANY)
def test_it_is_found_in_any_text(name: str) -> None:
    pseudonyms = made()
    for make in (pseudonyms.name, pseudonyms.label, pseudonyms.text, pseudonyms.resource, pseudonyms.device_class):
        if (replaced := make(name)) != name:
            assert PSEUDONYM.findall(f"pod <{replaced}/{replaced}>, x={replaced}.{replaced}.") == [replaced] * 4


@given(st.text(ALPHABET, min_size=1, max_size=35))
def test_a_name_and_the_value_of_a_label_are_the_same_if_they_were(name: str) -> None:
    assert made().name(name) == made().label(name)


@given(NAMES)
def test_another_key_makes_other_pseudonyms(name: str) -> None:
    mine, theirs = made(), made(OTHER)
    assert name == "default" or mine.name(name) != theirs.name(name)
    assert mine.text(name) != theirs.text(name)


def test_the_pods_of_a_job_with_a_long_name_keep_their_order() -> None:
    pseudonyms = made()
    replaced = [pseudonyms.name(name) for name in PODS_OF_ONE_JOB]
    assert replaced == sorted(replaced)


def test_default_stays_between_those_before_and_after_it() -> None:
    pseudonyms = made()
    assert pseudonyms.name("defaul") < pseudonyms.name("default") == "default" < pseudonyms.name("default-")


def test_nothing_stays_nothing() -> None:
    pseudonyms = made()
    assert (pseudonyms.name(""), pseudonyms.label(""), pseudonyms.text("")) == ("", "", "")


def test_the_length_of_a_pseudonym_is_one_of_few() -> None:
    pseudonyms = made()
    assert {len(pseudonyms.name("research-queue"[:length])) for length in range(1, 15)} == {17, 33}


@pytest.mark.parametrize("secret", [b"", b"31 bytes are one too few........"[:31], b"\n" * 40])
def test_a_key_that_is_too_short_is_refused(secret: bytes) -> None:
    with pytest.raises(TerminalError, match="head -c 32") as refused:
        Key(secret, where="key.txt")
    assert refused.value.reason is Reason.INVALID_KEY


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_key_of_random_bytes_may_end_as_a_line_does(end: bytes) -> None:
    secret = b"k" * (32 - len(end)) + end
    assert Key(secret, where="").id == Key(secret + b"\n", where="").id != Key(b"k" * 32, where="").id


def test_the_end_of_a_line_does_not_make_another_key() -> None:
    assert Key(b"k" * 32, where="").id == Key(b"k" * 32 + b"\r\n", where="").id != Key(b"l" * 32, where="").id
