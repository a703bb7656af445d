"""Checking archives: whole ones of every shape, and each way in which one can be bad."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_snapshot.api.inspection import Inspection
from kai_snapshot.archive import document as document_module
from kai_snapshot.archive.check import Checker, inspect
from kai_snapshot.archive.document import DocumentReader
from kai_snapshot.archive.limits import Limits
from kai_snapshot.errors import Reason, SnapshotError
from support import documents
from support.documents import Shape
from support.zips import LAYOUTS, archive, bomb

CORPUS = Path(__file__).parent.parent / "data" / "corpus"
ARCHIVES = sorted(CORPUS.glob("*/snapshot.zip"))
PARAMS = documents.OBJECTS["schedulerParams"]
SMALL: dict[str, Any] = {
    "config": {"actions": "allocate, reclaim", "tiers": [{"plugins": [{"name": "predicates"}]}]},
    "schedulerParams": {"schedulerName": "kai", "partitionParams": {"NodePoolLabelValue": "a"}},
    "rawObjects": {
        "pods": [{"metadata": {"name": 'a"}]\\'}, "n": [1, -2.5e3, True, None]}, {"metadata": {"name": "b →"}}, {}],
        "nodes": [{"metadata": {"name": "n-1"}}],
        "queues": [],
        "podGroups": None,
        "persistentVolumes": None,
    },
    "discovery": {"serverVersion": {"gitVersion": "v1.35.4"}, "resources": [{"groupVersion": "v1"}]},
}
SMALL_COUNTS = {"pods": 3, "nodes": 1, "queues": 0, "podGroups": 0, "persistentVolumes": 0}


def without(*keys: str) -> dict[str, Any]:
    """The small snapshot without some of its members."""
    return {key: value for key, value in SMALL.items() if key not in keys}


def text(document: object) -> bytes:
    """As the scheduler up to v0.14 writes it."""
    return orjson.dumps(document)


def raw(pods: str) -> bytes:
    """The small snapshot with other text in the list of pods."""
    return text(SMALL | {"rawObjects": {"pods": ["PODS"]}}).replace(b'"PODS"', pods.encode())


def check(data: bytes, limits: Limits = Limits()) -> Inspection:  # noqa: B008 - frozen
    """The finding about an archive in memory."""
    checker = Checker(limits)
    checker.feed(data)
    return checker.finish()


def reasons(finding: Inspection) -> list[Reason]:
    """Why it is not valid."""
    assert finding.valid == (not finding.problems)
    assert all(len(problem.message) < 1024 for problem in finding.problems)
    return [problem.reason for problem in finding.problems]


def counts(document: Any) -> dict[str, int]:
    """Objects in each list, counted by another parser."""
    return {name: len(objects or []) for name, objects in document["rawObjects"].items()}


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.parent.name)
def test_every_archive_of_the_corpus_is_read_as_another_parser_reads_it(path: Path) -> None:
    finding = inspect(path)
    document = json.loads(zipfile.ZipFile(path).read("snapshot.json"))
    assert finding.object_counts == counts(document)
    assert finding.top_level_keys == tuple(document)
    assert finding.size_bytes == path.stat().st_size
    assert finding.uncompressed_bytes == zipfile.ZipFile(path).getinfo("snapshot.json").file_size
    assert reasons(finding) == ([Reason.CONFIG_NULL] if "config-null" in str(path) else [])
    assert finding.config_present == (document["config"] is not None)


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_snapshot_is_valid_in_every_layout(layout: dict[str, Any], shape: Shape) -> None:
    data = b"".join(documents.document(pods=300, shape=shape))
    finding = check(archive(data, **layout))
    assert reasons(finding) == []
    assert finding.object_counts == counts(json.loads(data))
    assert finding.uncompressed_bytes == len(data)


WRITERS: dict[str, Callable[[Any], bytes]] = {
    "one line": text,
    "blanks after commas": lambda document: json.dumps(document).encode(),
    "pretty printed": lambda document: json.dumps(document, indent=2).encode(),
    "with tabs": lambda document: json.dumps(document, indent="\t").encode(),
    "with leading commas": lambda document: json.dumps(document, separators=("\n  , ", ":")).encode(),
    "with Windows line ends": lambda document: json.dumps(document, indent=1).replace("\n", "\r\n").encode() + b"\r\n",
    "escaped": lambda document: json.dumps(document, ensure_ascii=True).replace("/", "\\/").encode(),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_snapshot_is_valid_however_its_json_is_written(write: Callable[[Any], bytes]) -> None:
    large = json.loads(b"".join(documents.document(pods=400)))
    for document, expected in ((SMALL, SMALL_COUNTS), (large, counts(large))):
        finding = check(archive(write(document)))
        assert reasons(finding) == []
        assert finding.object_counts == expected


def test_the_finding_says_what_it_is_a_snapshot_of() -> None:
    finding = check(archive(text(SMALL)))
    assert finding.actions == ("allocate", "reclaim")
    assert (finding.scheduler_name, finding.node_pool, finding.kubernetes_version) == ("kai", "a", "v1.35.4")
    assert finding.plugins == ("predicates",)
    assert not finding.wants_usage_history
    assert finding.api_groups == ()
    assert finding.dump()["topLevelKeys"] == ["config", "schedulerParams", "rawObjects", "discovery"]


def test_plugins_of_all_tiers_are_named_and_what_has_no_name_is_passed_over() -> None:
    tiers = [{"plugins": [{"name": "b"}, {"name": "a"}]}, {"plugins": None}, {}, {"plugins": [{"name": 1}, {}, "c"]}, 2]
    config = {"tiers": tiers, "usageDBConfig": {"clientType": "prometheus"}}
    finding = check(archive(text(SMALL | {"config": config})))
    assert finding.plugins == ("b", "a")
    assert finding.wants_usage_history
    assert check(archive(text(SMALL | {"config": {"tiers": "none", "usageDBConfig": None}}))).plugins == ()


def test_api_groups_are_named_once_without_their_versions() -> None:
    resources = [{"groupVersion": name} for name in ("v1", "autoscaling/v1", "autoscaling/v2", "resource.k8s.io/v1")]
    finding = check(archive(text(SMALL | {"discovery": {"resources": [*resources, {}, 1]}})))
    assert finding.api_groups == ("autoscaling", "resource.k8s.io")


def claim(request: object) -> dict[str, Any]:
    """A ResourceClaim with that request."""
    return {"spec": {"devices": {"requests": [request]}}}


@pytest.mark.parametrize(
    ("lists", "form"),
    [
        ({"resourceClaims": [claim({"name": "gpu", "exactly": {"deviceClassName": "gpu"}})]}, "v1"),
        ({"resourceClaims": [claim({"name": "gpu", "deviceClassName": "gpu"})]}, "v1beta1"),
        ({"resourceClaims": [claim({"name": "gpu", "firstAvailable": []})]}, None),
        (
            {"resourceClaims": [{}, claim(None), claim({"firstAvailable": []}), claim({"exactly": {}})]},
            "v1",
        ),
        ({"resourceSlices": [{"spec": {"devices": [{"name": "gpu-0", "basic": {"attributes": {}}}]}}]}, "v1beta1"),
        ({"resourceSlices": [{"spec": {"devices": [{"name": "gpu-0", "capacity": {"memory": {}}}]}}]}, "v1"),
        ({"resourceSlices": [{"spec": {"devices": []}}, {"spec": {}}, {"spec": None}]}, None),
        ({"deviceClasses": [{"spec": {"devices": [{"basic": {}}]}}]}, None),
        ({}, None),
    ],
)
def test_resource_claims_and_slices_tell_their_form(lists: dict[str, Any], form: str | None) -> None:
    raw_objects = SMALL["rawObjects"] | lists
    assert check(archive(text(SMALL | {"rawObjects": raw_objects}))).dra_form == form


INVALID: dict[str, tuple[bytes, Reason, str]] = {
    "nothing": (b"", Reason.NOT_A_ZIP, "empty"),
    "an error page": (b"<html>404 page not found</html>", Reason.NOT_A_ZIP, "<html>"),
    "plain JSON": (text(SMALL), Reason.NOT_A_ZIP, "not a ZIP"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(100), Reason.NOT_A_ZIP, "not a ZIP"),
    "an archive of nothing": (b"PK\x05\x06" + bytes(18), Reason.INVALID_ARCHIVE, "empty"),
    "another name": (archive(text(SMALL), name="other.json"), Reason.INVALID_ARCHIVE, "'other.json'"),
    "a path": (archive(text(SMALL), name="../snapshot.json"), Reason.INVALID_ARCHIVE, "'../snapshot.json'"),
    "an absolute path": (archive(text(SMALL), name="/snapshot.json"), Reason.INVALID_ARCHIVE, "snapshot.json"),
    "two members": (archive(text(SMALL), more=("b",)), Reason.INVALID_ARCHIVE, "more than one"),
    "the same member twice": (archive(text(SMALL), more=("snapshot.json",)), Reason.INVALID_ARCHIVE, "more than one"),
    "bzip2": (archive(text(SMALL), method=zipfile.ZIP_BZIP2), Reason.INVALID_ARCHIVE, "method 12"),
    "encrypted": (
        archive(text(SMALL)).replace(b"PK\3\4\x14\0\0", b"PK\3\4\x14\0\1"),
        Reason.INVALID_ARCHIVE,
        "encrypted",
    ),
    "something behind it": (archive(text(SMALL)) + b"!", Reason.INVALID_ARCHIVE, "follows its end"),
    "another archive behind it": (archive(text(SMALL)) * 2, Reason.INVALID_ARCHIVE, "follows its end"),
    "something before it": (b"!" + archive(text(SMALL)), Reason.NOT_A_ZIP, "not a ZIP"),
    "no JSON": (archive(b"hello"), Reason.INVALID_JSON, "an object is missing"),
    "an empty document": (archive(b""), Reason.INVALID_JSON, "ends in the middle"),
    "a list": (archive(b"[]"), Reason.INVALID_JSON, "an object is missing"),
    "two documents": (archive(text(SMALL) * 2), Reason.INVALID_JSON, "follows the end"),
    "a NUL behind it": (archive(text(SMALL) + b"\0"), Reason.INVALID_JSON, "follows the end"),
    "not UTF-8": (archive(text(SMALL).replace(b"n-1", b"n\xff1")), Reason.INVALID_JSON, "UTF-8"),
    "a trailing comma": (archive(raw("{},")), Reason.INVALID_JSON, "a value is missing"),
    "a missing comma": (archive(raw("{} {}")), Reason.INVALID_JSON, "a comma or ]"),
    "a missing value": (archive(raw("{},,{}")), Reason.INVALID_JSON, "a value is missing"),
    "a line break in a string": (archive(raw('{"a":"\n"}')), Reason.INVALID_JSON, "damaged near byte"),
    "NaN": (archive(raw('{"a":NaN}')), Reason.INVALID_JSON, "damaged near byte"),
    "a key without quotes": (archive(text(SMALL).replace(b'"nodes"', b"nodes")), Reason.INVALID_JSON, "a key"),
    "a key without a colon": (archive(text(SMALL).replace(b'"nodes":', b'"nodes"')), Reason.INVALID_JSON, "a colon"),
    "a key that is not UTF-8": (archive(text(SMALL).replace(b'"nodes"', b'"n\xff"')), Reason.INVALID_JSON, "a key"),
    "config twice": (archive(b'{"config":{},' + text(SMALL)[1:]), Reason.INVALID_JSON, "`config` stands twice"),
    "pods twice": (archive(raw('{}],"pods":[')), Reason.INVALID_JSON, "`rawObjects.pods` stands twice"),
    "an escaped key twice": (archive(raw('{}],"p\\u006fds":[')), Reason.INVALID_JSON, "`rawObjects.pods`"),
    "no config": (archive(text(without("config"))), Reason.INCOMPLETE_SNAPSHOT, "`config` is missing"),
    "config is a list": (archive(text(SMALL | {"config": []})), Reason.INCOMPLETE_SNAPSHOT, "`config` is not"),
    "no parameters": (archive(text(without("schedulerParams"))), Reason.INCOMPLETE_SNAPSHOT, "`schedulerParams`"),
    "null parameters": (archive(text(SMALL | {"schedulerParams": None})), Reason.INCOMPLETE_SNAPSHOT, "`schedulerP"),
    "no objects": (archive(text(without("rawObjects"))), Reason.INCOMPLETE_SNAPSHOT, "`rawObjects` is missing"),
    "null objects": (archive(text(SMALL | {"rawObjects": None})), Reason.INCOMPLETE_SNAPSHOT, "`rawObjects` does"),
    "a list that is none": (archive(text(SMALL | {"rawObjects": {"pods": 1}})), Reason.INCOMPLETE_SNAPSHOT, "pods"),
    "a pod that is a number": (archive(raw("{},7")), Reason.INCOMPLETE_SNAPSHOT, "`rawObjects.pods`"),
    "no discovery": (archive(text(without("discovery"))), Reason.INCOMPLETE_SNAPSHOT, "`discovery` is missing"),
    "discovery first": (
        archive(text({"discovery": {}} | without("discovery"))),
        Reason.INCOMPLETE_SNAPSHOT,
        "`discovery` is not the last",
    ),
    "nested too deeply": (archive(raw("[" * 198 + "]" * 198)), Reason.ARCHIVE_TOO_LARGE, "200 objects and lists"),
    "nested without end": (archive(raw('{"a":' * 10**6)), Reason.ARCHIVE_TOO_LARGE, "200 objects and lists"),
    "an enormous string": (archive(raw('"' + "a" * 5_000_000 + '"')), Reason.ARCHIVE_TOO_LARGE, "4194304 bytes"),
    "an enormous number": (archive(raw("1" * 5_000_000)), Reason.ARCHIVE_TOO_LARGE, "4194304 bytes"),
    "an enormous object": (archive(raw("[" + "{}," * 300_000 + "{}]")), Reason.ARCHIVE_TOO_LARGE, "100000 parts"),
    "an enormous key": (archive(b'{"' + b"a" * 5_000_000), Reason.ARCHIVE_TOO_LARGE, "a key of more than"),
    "too many keys": (
        archive(text({str(number): 0 for number in range(2000)})),
        Reason.ARCHIVE_TOO_LARGE,
        "1000 members",
    ),
}


@pytest.mark.parametrize(("data", "reason", "message"), INVALID.values(), ids=INVALID)
def test_what_is_wrong_is_said(data: bytes, reason: Reason, message: str) -> None:
    finding = check(data)
    assert reasons(finding) == [reason]
    assert message in finding.problems[0].message


def test_nesting_up_to_the_limit_is_allowed() -> None:
    deep = '{"a":' * 197 + "1" + "}" * 197
    assert reasons(check(archive(raw(deep)))) == []


@pytest.mark.parametrize("config", [None, {}], ids=["null", "there"])
def test_a_null_config_is_a_problem_of_its_own(config: object) -> None:
    finding = check(archive(text(SMALL | {"config": config})))
    assert reasons(finding) == ([] if config is not None else [Reason.CONFIG_NULL])
    assert finding.config_present == (config is not None)
    assert finding.object_counts == SMALL_COUNTS


def test_a_snapshot_from_before_discovery_needs_none() -> None:
    old = without("discovery") | {"rawObjects": {"pods": [], "topologies": None}}
    assert reasons(check(archive(text(old)))) == []


def test_several_things_that_are_missing_are_all_named() -> None:
    finding = check(archive(b'{"rawObjects":{}}'))
    assert reasons(finding) == [Reason.INCOMPLETE_SNAPSHOT] * 2
    assert finding.object_counts == {}


def test_a_bad_document_in_a_damaged_archive_is_called_damage_first() -> None:
    data = archive(text(SMALL), method=zipfile.ZIP_STORED).replace(b"[", b"<")
    assert reasons(check(data)) == [Reason.INVALID_ARCHIVE, Reason.INVALID_JSON]


def test_a_zip_bomb_is_noticed_while_it_is_inflated() -> None:
    checker = Checker()
    data = bomb(80 << 20)
    for start in range(0, len(data), 4096):
        checker.feed(data[start : start + 4096])
        if checker.failed:
            break
    finding = checker.finish()
    assert reasons(finding) == [Reason.ARCHIVE_TOO_LARGE]
    assert "200 times" in finding.problems[0].message
    assert finding.uncompressed_bytes == 64 << 20


def test_the_size_is_limited_whatever_the_ratio() -> None:
    data = archive(text(SMALL), method=zipfile.ZIP_STORED)
    finding = check(data, Limits(uncompressed_bytes=200))
    assert reasons(finding) == [Reason.ARCHIVE_TOO_LARGE]


def test_a_download_can_stop_at_the_first_byte_that_is_wrong() -> None:
    checker = Checker()
    checker.feed(b"<html><head>")
    assert not checker.failed
    checker.feed(b"<title>")
    assert checker.failed
    assert checker.size_bytes == len("<html><head><title>")
    assert reasons(checker.finish()) == [Reason.NOT_A_ZIP]


def test_the_reason_stays_that_of_the_document_when_a_download_is_stopped_for_it() -> None:
    data = archive(b"[]", method=zipfile.ZIP_STORED)
    checker = Checker()
    position = 0
    while not checker.failed:
        checker.feed(data[position : position + 1])
        position += 1
    assert position < len(data)
    assert reasons(checker.finish()) == [Reason.INVALID_JSON]


def test_progress_is_told_in_bytes_of_the_file() -> None:
    told: list[int] = []
    inspect(ARCHIVES[0], progress=told.append)
    assert told == [ARCHIVES[0].stat().st_size]


def test_a_file_that_cannot_be_read_is_the_callers_affair(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        inspect(tmp_path / "none.zip")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_no_beginning_of_an_archive_is_valid(layout: dict[str, Any]) -> None:
    data = archive(text(SMALL), **layout)
    for length in range(len(data)):
        assert not check(data[:length]).valid, length


def test_no_beginning_of_a_document_is_valid_in_a_good_archive() -> None:
    data = text(SMALL)
    for length in range(len(data)):
        assert reasons(check(archive(data[:length]))) == [Reason.INVALID_JSON], length


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_flipped_bit_in_an_archive_is_found_or_harmless(layout: dict[str, Any]) -> None:
    data = archive(text(SMALL), **layout)
    for bit in range(len(data) * 8):
        finding = check(flipped(data, bit))
        assert finding.object_counts == SMALL_COUNTS or not finding.valid, bit


def test_a_flipped_bit_in_a_document_is_found_or_counted_as_another_parser_counts() -> None:
    data = text(SMALL)
    for bit in range(len(data) * 8):
        document = flipped(data, bit)
        finding = check(archive(document))
        if finding.valid:
            assert finding.object_counts == counts(json.loads(document)), bit


def flipped(data: bytes, bit: int) -> bytes:
    """The data with one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


SPLITS = st.lists(st.integers(1, 400), min_size=1, max_size=10)
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy


def pieces(data: bytes, lengths: list[int]) -> list[bytes]:
    """The data cut into pieces of these lengths, over and over."""
    cut: list[bytes] = []
    position = 0
    while position < len(data):
        cut.append(data[position : position + lengths[len(cut) % len(lengths)]])
        position += len(cut[-1])
    return cut


CASES = [archive(text(SMALL), **layout) for layout in LAYOUTS.values()] + [
    data for data, _, _ in INVALID.values() if len(data) < 600
]


@patient
@given(data=st.sampled_from(CASES), lengths=SPLITS)
def test_the_finding_does_not_depend_on_how_the_archive_is_cut(data: bytes, lengths: list[int]) -> None:
    checker = Checker()
    for piece in pieces(data, lengths):
        checker.feed(piece)
    assert checker.finish() == check(data)


class Recorder(document_module.Visitor):
    """Keeps what a document is said to hold."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []

    def key(self, path: document_module.Path) -> None:
        self.said.append(path)

    def value(self, path: document_module.Path, value: object, span: tuple[int, int]) -> None:
        self.said.append((path, value, span))

    def element(self, path: document_module.Path, value: object, span: tuple[int, int]) -> None:
        self.said.append((path, value, span))

    def end(self, path: document_module.Path, offset: int) -> None:
        self.said.append((path, offset))


def recorded(blocks: list[bytes]) -> list[tuple[Any, ...]] | Reason:
    """What the blocks are said to hold, or why they cannot be read."""
    recorder = Recorder()
    reader = DocumentReader(recorder, Limits().nesting)
    try:
        for block in blocks:
            reader.feed(block)
        reader.finish()
    except SnapshotError as error:
        return error.reason
    return recorder.said


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    # no lone surrogates: Go does not write them
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab{}[]\\",\n', max_size=3), inner, max_size=4),
    max_leaves=12,
)
LISTS = st.dictionaries(st.sampled_from(["pods", "nodes", "queues"]), st.none() | st.lists(JSON, max_size=6))
DOCUMENTS = st.fixed_dictionaries({"config": JSON, "rawObjects": LISTS, "discovery": JSON, 'odd "key\\': JSON})


@patient
@given(document=DOCUMENTS, write=st.sampled_from(list(WRITERS.values())[:-1]), lengths=SPLITS)
def test_a_document_is_read_whatever_it_holds_and_however_it_is_cut(
    document: Any, write: Callable[[Any], bytes], lengths: list[int]
) -> None:
    data = write(document)
    said = recorded(pieces(data, lengths))
    assert said == recorded([data])
    assert not isinstance(said, Reason)
    values = [entry for entry in said if len(entry) == 3]
    assert all(value == json.loads(data[start:stop]) for _, value, (start, stop) in values)
    assert next(value for path, value, _ in values if path == ("config",)) == document["config"]
    for name, objects in document["rawObjects"].items():
        path = ("rawObjects", name)
        assert [entry[1] for entry in values if entry[0] == path] == ([None] if objects is None else objects)
        assert [data[entry[1]] for entry in said if entry[0] == path and len(entry) == 2] == (
            [] if objects is None else [ord("]")]
        )


@patient
@given(data=st.binary(max_size=200))
def test_no_bytes_are_ever_too_much_for_it(data: bytes) -> None:
    assert not check(data).valid
    assert not check(archive(data)).valid


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    peaks = []
    for pods in (1_000, 10_000):
        documents.write_archive(tmp_path / "big.zip", pods=pods)
        script = (
            "import resource, sys; from pathlib import Path; from kai_snapshot.archive.check import inspect;"
            "assert inspect(Path(sys.argv[1])).valid; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, tmp_path / "big.zip"], check=True, capture_output=True, text=True
        )
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 8 * 1024, "KiB"
