"""Go's `%v`, and what is a reading."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.environment.readings import LONGEST, go_text, reading, without


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<nil>"), (True, "true"), (False, "false"), (7, "7"), ("a b", "a b"), (["a", "b"], "[a b]"), ([], "[]"),
        ((1, "a", [True]), "[1 a [true]]"), (b"\x01\xff", "[1 255]"), ({"b": 1, "a": None}, "map[a:<nil> b:1]"),
        ({}, "map[]"), (1.0, "1"), (0.1, "0.1"), (123456.0, "123456"), (1e6, "1e+06"), (12345678.5, "1.23456785e+07"),
        (1.5e-5, "1.5e-05"), (1e-4, "0.0001"),
        (-2.5e300, "-2.5e+300"), (0.0, "0"), (-0.0, "-0"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"),
    ],
)  # fmt: skip
def test_values_are_text_as_go_prints_them(value: object, text: str) -> None:
    assert go_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_can_be_had_back_from_its_text(number: float) -> None:
    assert float(go_text(number)) == number


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats() | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(nested)
def test_every_value_is_a_reading_that_json_can_hold(value: object) -> None:
    found = reading(value)
    assert isinstance(found, bool | int | float | str)
    assert not isinstance(found, float) or math.isfinite(found)
    assert not isinstance(found, str) or isinstance(value, str) or len(found) <= LONGEST


def test_what_is_nested_too_deep_is_cut() -> None:
    loop: list[object] = ["x"]
    loop += [loop, loop]
    assert len(go_text(loop)) == LONGEST


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("LoadCredential", {"a"}),
        ("*Credential*", {"a"}),
        ("Load*", {"a"}),
        ("*", set()),
        ("b", {"a", "LoadCredential"}),
    ],
)
def test_patterns_leave_out_keys(pattern: str, left: set[str]) -> None:
    assert set(without({"a": 1, "LoadCredential": 2}, [pattern])) == left
