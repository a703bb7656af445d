"""What kernel and distribution write, as readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.environment.system import LARGEST_FILE, command_line, module_names, modules, os_release, sysctl


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("BOOT_IMAGE=/vmlinuz root=UUID=1 ro quiet\n", {"BOOT_IMAGE": "/vmlinuz", "ro": "", "quiet": ""}),
        ("console=tty0 console=ttyS0", {"console": "ttyS0"}),
        ("a=b=c  d=", {"a": "b=c", "d": ""}),
        ("rootflags=x install.password=s3cret api_token=t", {"rootflags": "x"}),
        ("", {}),
    ],
    ids=["flags are empty, root is left out", "the last counts", "the first = counts", "no secrets", "nothing"],
)
def test_the_command_line(text: str, data: dict[str, str]) -> None:
    assert command_line(text).data == data


words = st.text(st.characters(codec="ascii", exclude_characters=" =#\n", categories=("L", "N", "P")), min_size=1)


@given(st.dictionaries(words, words, max_size=6))
def test_every_parameter_is_had_back(parameters: dict[str, str]) -> None:
    text = " ".join(f"{key}={value}" for key, value in parameters.items())
    kept = command_line(f"{text}\n").data
    assert kept == {key: value for key, value in parameters.items() if key in kept}
    assert all(
        any(word in key for word in ("root", "pass", "secret", "token")) for key in parameters.keys() - kept.keys()
    )


def test_modules_are_named() -> None:
    text = "nvidia 1 0 - Live 0x0\nib_core 2 1 rdma, Live 0x0 (OE)\n\n"
    assert modules(text).data == {"nvidia": True, "ib_core": True}
    assert module_names(text) == {"nvidia", "ib_core"}


def test_os_release_loses_its_quotes_comments_and_empty_fields() -> None:
    text = '# made\nNAME="Ubuntu"\nID=ubuntu\nVERSION_ID=\'24.04\'\nVARIANT=\nBROKEN\nURL="https://a/?b=c"\n'
    assert os_release(text).data == {
        "NAME": "Ubuntu", "ID": "ubuntu", "VERSION_ID": "24.04", "URL": "https://a/?b=c",
    }  # fmt: skip


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), words.filter(lambda each: each.strip("\"'")), max_size=6
    )
)
def test_every_field_of_os_release_is_had_back(fields: dict[str, str]) -> None:
    text = "\n".join(f'{key}="{value}"' for key, value in fields.items())
    assert os_release(text).data == {key: value.strip("\"'") for key, value in fields.items()}


@pytest.mark.parametrize(
    ("content", "data"),
    [
        (b"60\n", {"/proc/sys/x": "60"}),
        (b"1\t2\t3\n", {"/proc/sys/x": "1\t2\t3"}),
        (b"", {"/proc/sys/x": ""}),
        (b"a 1\nb 2 3\n", {"/proc/sys/x/a": "1", "/proc/sys/x/b": "2 3"}),
        (b"a 1\nb\n", {"/proc/sys/x": "a 1\nb"}),
        (b"# note\n\n  7 \n", {"/proc/sys/x": "7"}),
        (b"\xff", {}),
        (b"1" * (LARGEST_FILE + 1), {}),
    ],
    ids=["one value", "a row", "nothing", "a table", "no table", "comments", "not UTF-8", "too large"],
)
def test_settings(content: bytes, data: dict[str, str]) -> None:
    assert sysctl([("/proc/sys/x", content)]).data == data


def test_the_state_of_a_drive_is_no_setting() -> None:
    assert sysctl([("/proc/sys/dev/cdrom/info", b"CD-ROM\n"), ("/proc/sys/vm/swappiness", b"60\n")]).data == {
        "/proc/sys/vm/swappiness": "60"
    }


@given(st.dictionaries(st.from_regex(r"/proc/sys/[a-z]{1,6}", fullmatch=True), st.binary(max_size=40), max_size=5))
def test_any_file_is_readings_of_its_own(files: dict[str, bytes]) -> None:
    for key, value in sysctl(files.items()).data.items():
        assert isinstance(value, str)
        assert any(key == path or key.startswith(f"{path}/") for path in files)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    for parse in (command_line, modules, os_release):
        parse(text)
