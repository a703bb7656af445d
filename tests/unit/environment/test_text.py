"""Documents as text: read back as AICR's readers read them, and read as leniently."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kai_snapshot.api.environmentdocument import (
    NEWER_API_VERSION,
    CollectorReport,
    CollectorStatus,
    EnvironmentDocument,
    Item,
    Measurement,
    Subtype,
)
from kai_snapshot.environment.text import (
    MOST_OBJECTS,
    MOST_VALUES,
    decode,
    decode_all,
    decode_json,
    encode,
    encode_all,
)
from kai_snapshot.errors import Reason, TerminalError
from support import aicr

SCHEMA = json.loads((Path(__file__).parents[2] / "data/environment/aicr-snapshot.schema.json").read_bytes())

NASTY = st.sampled_from(
    ["", "~", "null", "on", "off", "yes", "No", "true", "1e3", "0x1F", "0o17", "010", "089", "1_000", "12:30", ".5",
     "+1",
     "-0", ".inf", ".NaN", "=", "<<", "- a", "a: b", "# no", "'", '"', "2026-03-12T09:41:27Z", "2026-03-12", "\t",
     "a\nb", " a ", "!", "&a", "*a"]
)  # fmt: skip
texts = NASTY | st.text(st.characters(codec="utf-8"), max_size=20)
readings = (
    st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
subtypes = st.builds(
    Subtype,
    subtype=st.text("abc.-", min_size=1, max_size=8),
    data=st.dictionaries(texts, readings, max_size=5),
    context=st.dictionaries(texts, texts, max_size=2),
    items=st.lists(st.builds(Item, context=st.just({"a": "b"}), data=st.just({"c": 1})), max_size=2).map(tuple),
)
measurements = st.builds(
    Measurement,
    type=st.sampled_from(["K8s", "GPU", "OS", "SystemD", "NodeTopology"]),
    subtypes=st.lists(subtypes, max_size=2, unique_by=lambda each: each.subtype).map(tuple),
)
documents = st.builds(
    EnvironmentDocument,
    metadata=st.dictionaries(texts, texts, max_size=3),
    measurements=st.lists(measurements, max_size=4, unique_by=lambda each: each.type).map(tuple),
)


def document(*found: Measurement, **more: Any) -> EnvironmentDocument:
    metadata = {"source-node": "n", "timestamp": "2026-03-12T09:41:27Z", "version": "0.1.0"}
    return EnvironmentDocument(metadata=metadata, measurements=found, **more)


def values(of: EnvironmentDocument) -> aicr.Read:
    return {each.type: {part.subtype: dict(part.data) for part in each.subtypes} for each in of.measurements}


@given(documents)
def test_what_is_written_is_what_is_read(written: EnvironmentDocument) -> None:
    for form in ("yaml", "json"):
        assert decode(encode(written, form), where="here") == written


@given(documents)
def test_aicr_reads_what_is_written(written: EnvironmentDocument) -> None:
    for read in (aicr.read_yaml(encode(written, "yaml")), aicr.read_json(encode(written, "json"))):
        assert read == (written.metadata, values(written))
        for type_, parts in values(written).items():
            for name, data in parts.items():
                for key, value in data.items():
                    assert type(read[1][type_][name][key]) is type(value), "a number in quotes stays text"


@given(documents)
def test_equal_documents_are_equal_bytes(written: EnvironmentDocument) -> None:
    shuffled = written.model_copy(
        update={
            "metadata": dict(reversed(written.metadata.items())),
            "measurements": tuple(
                each.model_copy(
                    update={
                        "subtypes": tuple(
                            part.model_copy(update={"data": dict(reversed(part.data.items()))})
                            for part in each.subtypes
                        )
                    }
                )
                for each in written.measurements
            ),
        }
    )
    for form in ("yaml", "json", "table"):
        assert encode(shuffled, form) == encode(written, form)


def test_what_is_written_keeps_the_contract() -> None:
    written = document(
        Measurement(type="GPU", subtypes=(Subtype(subtype="smi", data={"gpu-count": 1}, context={"reason": "why"}),)),
        Measurement(type="OS", subtypes=(Subtype(subtype="kmod", data={"nvidia": True}),)),
        collectors=(CollectorReport(name="k8s", status=CollectorStatus.FAILED, duration_seconds=0.1, message="no"),),
    )
    for each in (written, written.with_header(NEWER_API_VERSION)):
        Draft202012Validator(SCHEMA).validate(json.loads(encode(each, "json")))
    assert json.loads(encode(written.with_header(NEWER_API_VERSION), "json"))["apiVersion"] == "aicr.run/v1"


def test_the_contract_is_a_contract() -> None:
    broken: list[dict[str, Any]] = [
        {**document(Measurement(type="OS")).dump(), "apiVersion": "v1"},
        document(Measurement(type="Else")).dump(),
        {**document().dump(), "measurements": []},
    ]
    nested = document(Measurement(type="OS", subtypes=(Subtype(subtype="a"),))).dump()
    nested["measurements"][0]["subtypes"][0]["data"] = {"a": {"b": 1}}
    for each in [*broken, nested]:
        assert not Draft202012Validator(SCHEMA).is_valid(each)


def test_a_document_without_header_and_with_unknown_parts_is_read() -> None:
    """As AICR's own test data is: neither kind nor header nor metadata, and subtypes that no collector writes."""
    read = decode(
        b"""
# a comment
measurements:
  - type: K8s
    later: 1
    subtypes:
      - subtype: server
        data: {version: v1.33.0}
      - subtype: helm
        data:
          gpu-operator.version: v25.10.1
          cert-manager.version: 1.17
  - type: Fabric
    subtypes: [{subtype: identity, data: {a: [1, b], c: {d: true}, e: null}, items: [{data: {f: 1}}]}]
  - type: OS
    subtypes: [{subtype: release, data: {ID: ubuntu, VERSION_ID: "24.04"}}]
  - type: OS
    subtypes: [{subtype: release, data: {ID: other}}]
fingerprint: {service: eks}
""",
        where="here",
    )
    assert (read.kind, read.api_version, read.metadata) == ("Snapshot", "", {})
    assert values(read)["K8s"]["helm"] == {"gpu-operator.version": "v25.10.1", "cert-manager.version": 1.17}
    assert values(read)["Fabric"]["identity"] == {"a": "[1 b]", "c": "map[d:true]", "e": "<nil>"}
    os = next(each for each in read.measurements if each.type == "OS")
    assert os.subtype("release") == Subtype(subtype="release", data={"ID": "ubuntu", "VERSION_ID": "24.04"})


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("on", "on"), ("yes", "yes"), ("True", True), ("12:30", "12:30"), ("1e3", 1000.0), ("0x1F", 31), ("0b101", 5),
        ("010", 8), ("0o17", 15), ("089", 89.0), ("1_000", 1000), ("570.158.01", "570.158.01"), ("12.8", 12.8),
        ("2026-03-12", "2026-03-12"), (".inf", "+Inf"), ("-.inf", "-Inf"), (".nan", "NaN"), ("~", "<nil>"),
        ("", "<nil>"),
        ("18446744073709551615", (1 << 64) - 1), ("18446744073709551616", float(1 << 64)), ("<<", "<<"),
    ],
)  # fmt: skip
def test_scalars_are_what_go_takes_them_for(plain: str, value: object) -> None:
    read = decode(
        f"measurements: [{{type: OS, subtypes: [{{subtype: a, data: {{k: {plain} }}}}]}}]".encode(), where="x"
    )
    found = read.measurements[0].subtypes[0].data["k"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"kind: Recipe\nmeasurements: []", "its kind is Recipe"),
        (b"kind: Snapshot", "`measurements` is not a list"),
        (b"- a\n- b", "it is no object"),
        (b"{", "neither JSON nor YAML"),
        (b"\xff\xfe\x00", "neither JSON nor YAML"),
        (b"", "0 documents"),
        (b"measurements: []\n---\nmeasurements: []", "2 documents"),
        (b"measurements: [1]", "not a measurement"),
        (b"measurements: [{type: OS, subtypes: [a]}]", "not a subtype"),
    ],
)
def test_what_is_no_document_is_told_so(content: bytes, says: str) -> None:
    with pytest.raises(TerminalError, match=r"node\.yaml is not an environment document") as caught:
        decode(content, where="node.yaml")
    assert caught.value.reason is Reason.INVALID_ENVIRONMENT
    assert says in caught.value.message


@pytest.mark.parametrize("collectors", ["3", "[a]", "{a: b}", "[{name: os, status: Lost}]"])
def test_collectors_that_are_not_ours_are_an_unknown_field(collectors: str) -> None:
    assert decode(f"measurements: []\ncollectors: {collectors}".encode(), where="x").collectors == ()


def test_what_refers_to_itself_ends() -> None:
    loop = b"measurements: [{type: OS, subtypes: [{subtype: a, data: {k: &a [x, *a, *a]}}]}]"
    text = decode(loop, where="here").measurements[0].subtypes[0].data["k"]
    assert isinstance(text, str)
    assert text.startswith("[x [x [x")
    assert len(text) <= 64 * 1024


def one(**subtype: Any) -> list[Any]:
    return [{"type": "OS", "subtypes": [{"subtype": "a", **subtype}]}]


@pytest.mark.parametrize(
    "measurements",
    [
        [{}] * MOST_OBJECTS,
        [{"type": "OS", "subtypes": [{}] * MOST_OBJECTS}],
        one(items=[{}] * MOST_OBJECTS),
        one(data={str(number): 1 for number in range(MOST_VALUES)}),
        one(data={"k": [[]] * MOST_VALUES}),
    ],
    ids=["measurements", "subtypes", "items", "readings", "nested"],
)
def test_of_what_a_pod_hands_over_no_more_is_made_than_a_node_has(
    measurements: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EnvironmentDocument, "model_validate", None)
    with pytest.raises(TerminalError, match=r"at most 2,000 objects and 50,000 values") as caught:
        decode_json(json.dumps({"measurements": measurements}).encode(), where="here")
    assert caught.value.reason is Reason.INVALID_ENVIRONMENT


def test_a_large_nodes_document_is_within_the_bounds() -> None:
    settings = {f"/proc/sys/kernel/sched_domain/cpu{number}": number for number in range(20_000)}
    gpus = tuple(Item(context={"index": str(index)}, data={"model": "B200"}) for index in range(72))
    units = tuple(Subtype(subtype=f"{number}.service", data={"Id": "x"}) for number in range(200))
    large = document(
        Measurement(type="GPU", subtypes=(Subtype(subtype="smi", items=gpus),)),
        Measurement(type="OS", subtypes=(Subtype(subtype="sysctl", data=settings),)),
        Measurement(type="SystemD", subtypes=units),
    )
    assert decode_json(encode(large, "json"), where="here") == large


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_several_documents_are_one_text(form: Any) -> None:
    several = [document(Measurement(type="OS")), document(Measurement(type="GPU"))]
    assert decode_all(encode_all(several, form), where="here") == several


def test_a_table_has_a_line_for_each_reading() -> None:
    written = document(
        Measurement(type="OS", subtypes=(Subtype(subtype="a", data={"k": "two\nlines", "flag": True, "number": 1.5}),))
    )
    assert encode(written, "table").decode().splitlines() == [
        "NODE          n",
        "OS.a.flag     true",
        "OS.a.k        two lines",
        "OS.a.number   1.5",
    ]
