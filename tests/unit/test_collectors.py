"""Looking at a machine: each collector alone, and what becomes of the others if one fails or hangs."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_snapshot.api.environmentdocument import DEFAULT_UNITS, CollectorStatus, EnvironmentDocument, Measurement
from kai_snapshot.collectors import Running, gpu, of_node, system, systemd
from kai_snapshot.collectors.host import CollectorError, Host, node_name
from kai_snapshot.environment.diff import diff
from kai_snapshot.environment.units import object_path, unit
from kai_snapshot.runs.environment import Look, collect
from support.systemd import Systemd, listening

BUSYBOX = shutil.which("busybox")
DATA = Path(__file__).parents[1] / "data/environment"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host's root, with what a Linux has in /proc, /sys and /etc."""
    files = {
        "proc/cmdline": "BOOT_IMAGE=/vmlinuz root=/dev/sda1 iommu=pt\n",
        "proc/modules": "nvidia 1 0 - Live 0x0\n",
        "proc/sys/vm/swappiness": "60\n",
        "proc/sys/kernel/random/boot_id": "1\n",
        "proc/sys/net/core/somaxconn": "4096\n",
        "sys/bus/pci/devices/0000:19:00.0/vendor": "0x10de\n",
        "sys/bus/pci/devices/0000:19:00.0/device": "0x2330\n",
        "sys/bus/pci/devices/0000:19:00.0/class": "0x030200\n",
        "usr/lib/os-release": 'ID=ubuntu\nVERSION_ID="24.04"\n',
    }
    for name, content in files.items():
        path = tmp_path / "host" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "host"


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a script in the place of nvidia-smi."""

    def put(script: str) -> None:
        programs = tmp_path / "bin"
        programs.mkdir()
        (programs / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    return put


def parts(measurement: Measurement) -> dict[str, dict[str, object]]:
    return {each.subtype: dict(each.data) for each in measurement.subtypes}


class TestSystem:
    def test_a_mounted_host_is_read_under_its_own_names(self, root: Path) -> None:
        assert parts(system.collect(Host.mounted(root))) == {
            "grub": {"BOOT_IMAGE": "/vmlinuz", "iommu": "pt"},
            "sysctl": {"/proc/sys/vm/swappiness": "60", "/proc/sys/kernel/random/boot_id": "1"},
            "kmod": {"nvidia": True},
            "release": {"ID": "ubuntu", "VERSION_ID": "24.04"},
        }

    def test_etc_counts_before_usr_and_its_links_stay_on_the_host(self, root: Path) -> None:
        (root / "etc").mkdir()
        (root / "etc/os-release").symlink_to("/usr/lib/os-release")
        assert parts(system.collect(Host.mounted(root)))["release"]["ID"] == "ubuntu"
        (root / "etc/os-release").unlink()
        (root / "etc/os-release").write_text("ID=debian\n")
        assert parts(system.collect(Host.mounted(root)))["release"] == {"ID": "debian"}

    def test_links_that_lead_around_in_circles_lead_nowhere(self, root: Path) -> None:
        (root / "etc").mkdir()
        (root / "etc/os-release").symlink_to("os-release")
        assert parts(system.collect(Host.mounted(root)))["release"]["ID"] == "ubuntu"

    def test_a_container_does_not_take_its_own_distribution_for_the_hosts(self, root: Path) -> None:
        host = Host(None, root / "proc", root / "sys")
        assert set(parts(system.collect(host))) == {"grub", "sysctl", "kmod"}

    def test_a_host_without_a_distribution_is_told(self, root: Path) -> None:
        (root / "usr/lib/os-release").unlink()
        with pytest.raises(CollectorError, match="no os-release"):
            system.collect(Host.mounted(root))

    def test_links_and_what_may_not_be_read_are_no_settings(self, root: Path) -> None:
        (root / "proc/sys/vm/link").symlink_to("swappiness")
        (root / "proc/sys/vm/binary").write_bytes(b"\xff")
        assert "/proc/sys/vm/link" not in parts(system.collect(Host.mounted(root)))["sysctl"]

    def test_a_pods_own_name_is_not_the_nodes(self, root: Path) -> None:
        """The kernel answers these for whoever asks: a pod reads its own name, whose end is random."""

        def document(host: Host, pod: str) -> EnvironmentDocument:
            (root / "proc/sys/kernel/hostname").write_text(f"{pod}\n")
            (root / "proc/sys/kernel/domainname").write_text(f"{pod}.example\n")
            return EnvironmentDocument(metadata={"source-node": "n"}, measurements=(system.collect(host),))

        for host in (Host(None, root / "proc", root / "sys"), Host.mounted(root)):
            one, other = document(host, "env-1-x7k2p"), document(host, "env-2-b94qz")
            assert one == other
            assert diff(one, other).changes == ()

    def test_a_machines_own_name_is_kept(self) -> None:
        assert parts(system.collect(Host()))["sysctl"]["/proc/sys/kernel/hostname"] == socket.gethostname()

    def test_a_kernel_without_modules_has_none(self, root: Path) -> None:
        (root / "proc/modules").unlink()
        assert parts(system.collect(Host.mounted(root)))["kmod"] == {}


class TestGpu:
    def look(self, root: Path) -> Measurement:
        return gpu.collect(Host.mounted(root), timeout_seconds=5)

    @pytest.mark.parametrize(("name", "count"), [("0", 0), ("1", 1), ("8", 8), ("mig", 2)])
    def test_the_driver_is_asked(self, root: Path, nvidia_smi: Callable[[str], None], name: str, count: int) -> None:
        nvidia_smi(f'[ "$*" = "-q -x" ] && cat {DATA}/nvidia-smi-{name}.xml')
        found = parts(self.look(root))
        assert found["smi"]["gpu-count"] == count
        assert (found["hardware"]["gpu-count"], found["hardware"]["driver-loaded"]) == (1, True)

    @pytest.mark.parametrize(
        ("script", "says"),
        [
            ('echo "couldn\'t communicate with the NVIDIA driver"; exit 9', "status 9: couldn't communicate"),
            ("echo broken >&2; exit 1", "status 1: broken"),
            (f"head -c 900 {DATA}/nvidia-smi-1.xml", "no XML"),
            ("exec sleep 60", "did not answer within 0.3 s"),
        ],
        ids=["no driver", "it fails", "broken XML", "it hangs"],
    )
    def test_a_driver_in_trouble_does_not_hide_the_gpus(
        self, root: Path, nvidia_smi: Callable[[str], None], script: str, says: str
    ) -> None:
        nvidia_smi(script)
        found = gpu.collect(Host.mounted(root), timeout_seconds=0.3 if "sleep" in script else 5)
        smi = found.subtype("smi")
        assert smi is not None
        assert smi.data == {"gpu-count": 0}
        assert says in smi.context["reason"]
        assert smi.lacks == smi.context["reason"]
        assert parts(found)["hardware"]["gpu-count"] == 1

    def test_no_driver_and_no_bus_is_no_gpu(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        found = gpu.collect(Host(root, root / "proc", root / "nothing"), timeout_seconds=5)
        smi = found.subtype("smi")
        assert smi is not None
        assert smi.context == {"reason": "nvidia-smi is not installed"}
        assert smi.lacks is None, "that is how it is"
        assert parts(found)["hardware"] == {
            "gpu-present": False, "gpu-count": 0, "driver-loaded": True, "detection-source": "sysfs",
        }  # fmt: skip

    @pytest.mark.skipif(os.geteuid() != 0 or BUSYBOX is None, reason="takes root and busybox-static")
    @pytest.mark.parametrize("driver_root", ["", "run/nvidia/driver"], ids=["the host's", "the GPU operator's"])
    def test_the_hosts_program_runs_in_the_hosts_root(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, driver_root: str
    ) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        assert BUSYBOX is not None
        programs = root / driver_root / "usr/bin"
        programs.mkdir(parents=True, exist_ok=True)
        (programs / "nvidia-smi").write_text('#!/usr/bin/sh\n[ "$*" = "-q -x" ] && cat /printed\n')
        (programs / "nvidia-smi").chmod(0o755)
        for name in ("sh", "cat"):
            shutil.copy(BUSYBOX, programs / name)
        shutil.copy(DATA / "nvidia-smi-8.xml", root / driver_root / "printed")
        assert parts(self.look(root))["smi"]["gpu-count"] == 8

    def test_a_host_that_may_not_be_entered_is_told(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the right to, or as here because its program is none."""
        monkeypatch.setenv("PATH", "/nowhere")
        (root / "usr/bin").mkdir()
        (root / "usr/bin/nvidia-smi").touch()
        smi = self.look(root).subtype("smi")
        assert smi is not None
        assert smi.data == {"gpu-count": 0}
        assert f"nvidia-smi ended with status 1: {root}" in smi.context["reason"]


KUBELET = object_path("kubelet.service")


@pytest.fixture
def sockets(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Paths of sockets have to be short."""
    monkeypatch.chdir(root)
    return Path()


class TestSystemd:
    def look(self, *units: str, timeout_seconds: float = 5) -> Measurement:
        return systemd.collect(Host(Path()), units, timeout_seconds=timeout_seconds)

    @pytest.mark.parametrize(
        ("path", "hellos"),
        [("run/systemd/private", 0), ("run/dbus/system_bus_socket", 1)],
        ids=["at its own socket", "over the bus"],
    )
    def test_a_unit_says_what_it_is(self, sockets: Path, path: str, hellos: int) -> None:
        properties = {
            "ActiveState": ("s", "active"),
            "CPUAccounting": ("b", True),
            "LimitNOFILE": ("t", (1 << 64) - 1),
            "MainPID": ("u", 1423),
            "ExecMainStatus": ("i", -1),
            "Names": ("as", ["kubelet.service", "k.service"]),
            "Environment": ("as", ["HTTPS_PROXY=http://u:p@proxy"]),
            "LoadCredential": ("a(ss)", [("a", "b")]),
            "Id": ("s", "kubelet.service"),
        }
        with listening(Systemd({KUBELET: properties}), sockets / path) as server:
            found = self.look("kubelet.service")
        assert parts(found)["kubelet.service"] == {
            "ActiveState": "active", "CPUAccounting": True, "LimitNOFILE": (1 << 64) - 1, "MainPID": "1423",
            "ExecMainStatus": "-1", "Names": "[kubelet.service k.service]",
        }  # fmt: skip
        assert server.hellos == hellos

    def test_a_socket_that_lets_nobody_in_leaves_the_other(self, sockets: Path) -> None:
        known = {KUBELET: {"LoadState": ("s", "loaded")}}
        with (
            listening(Systemd(refuses=True), sockets / "run/systemd/private"),
            listening(Systemd(known), sockets / "run/dbus/system_bus_socket"),
        ):
            assert parts(self.look("kubelet.service"))["kubelet.service"] == {"LoadState": "loaded"}

    def test_a_systemd_that_is_silent_is_given_up(self, sockets: Path) -> None:
        with (
            listening(Systemd(silent=True), sockets / "run/systemd/private"),
            pytest.raises(CollectorError, match=r"does not say what kubelet\.service is"),
        ):
            self.look("kubelet.service", timeout_seconds=0.2)

    def test_a_systemd_that_forgets_a_question_is_reminded(self, sockets: Path) -> None:
        known = Systemd({KUBELET: {"LoadState": ("s", "loaded")}}, forgets=True)
        with listening(known, sockets / "run/systemd/private"):
            assert parts(self.look("kubelet.service"))["kubelet.service"] == {"LoadState": "loaded"}

    def test_an_error_is_told(self, sockets: Path) -> None:
        with (
            listening(Systemd(), sockets / "run/systemd/private"),
            pytest.raises(CollectorError, match="no such unit"),
        ):
            self.look("kubelet.service")

    def test_where_no_systemd_runs_it_is_told(self, sockets: Path) -> None:
        with pytest.raises(CollectorError, match="no systemd runs here"):
            self.look("kubelet.service")

    def test_without_the_host_it_is_told_what_it_takes(self) -> None:
        with pytest.raises(CollectorError, match="--privileged"):
            systemd.collect(Host(None), DEFAULT_UNITS, timeout_seconds=1)

    @pytest.mark.parametrize(
        ("name", "path"),
        [
            ("kubelet.service", "kubelet_2eservice"),
            ("9p.mount", "_39p_2emount"),
            ("a-b@c:é", "a_2db_40c_3a_c3_a9"),
            ("", "_"),
        ],
    )
    def test_the_path_of_a_unit(self, name: str, path: str) -> None:
        assert object_path(name) == f"/org/freedesktop/systemd1/unit/{path}"


@given(st.text())
def test_a_path_has_letters_digits_and_underscores_only(name: str) -> None:
    last = object_path(name).rpartition("/")[2]
    assert last.isascii()
    assert last.replace("_", "a").isalnum()


signatures = {
    "s": st.text(), "b": st.booleans(), "d": st.floats(), "y": st.integers(0, 255),
    "t": st.integers(0, (1 << 64) - 1), "x": st.integers(-(1 << 63), (1 << 63) - 1),
    "u": st.integers(0, (1 << 32) - 1), "i": st.integers(-(1 << 31), (1 << 31) - 1),
    "as": st.lists(st.text()), "a(ss)": st.lists(st.tuples(st.text(), st.text())), "ay": st.binary(),
    "a{sv}": st.dictionaries(st.text(), st.tuples(st.just("s"), st.text())),
    "(uo)": st.tuples(st.integers(0, 9), st.text()),
}  # fmt: skip
values = st.sampled_from(sorted(signatures)).flatmap(lambda each: st.tuples(st.just(each), signatures[each]))


@given(st.dictionaries(st.text(), values, max_size=5))
def test_every_value_of_the_bus_is_a_reading_of_its_kind(properties: dict[str, tuple[str, object]]) -> None:
    for key, found in unit("a.service", properties).data.items():
        signature, value = properties[key]
        if signature in "bsxt":
            assert (type(found), found) == (type(value), value)
        elif signature != "d":
            assert isinstance(found, str), "all else is text, as Go prints it"


class TestSideBySide:
    def test_a_collector_that_hangs_is_cut_off_and_the_rest_arrives(
        self, root: Path, nvidia_smi: Callable[[str], None]
    ) -> None:
        """A FIFO nobody writes to is read for ever, in the kernel, and no signal of ours is for that thread."""
        nvidia_smi(f"cat {DATA}/nvidia-smi-1.xml")
        os.mkfifo(root / "proc/sys/vm/hangs")
        started = time.monotonic()
        found = collect(Look(host=Host.mounted(root), timeout_seconds=0.5), {"NODE_NAME": "n"})
        assert time.monotonic() - started < 10
        reports = {each.name: each for each in found.collectors}
        assert reports["os"].status is CollectorStatus.TIMED_OUT
        assert reports["os"].message == "it took longer than 0.5 s"
        assert reports["gpu"].status is CollectorStatus.SUCCEEDED
        assert [each.type for each in found.measurements] == ["GPU"]

    def test_the_process_ends_though_a_collector_does_not(self, root: Path) -> None:
        os.mkfifo(root / "proc/sys/vm/hangs")
        script = (
            "from pathlib import Path\n"
            "from kai_snapshot.collectors.host import Host\n"
            "from kai_snapshot.runs.environment import Look, collect\n"
            f"print(len(collect(Look(host=Host.mounted(Path({str(root)!r})), timeout_seconds=0.5), {{}}).collectors))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == "3\n"

    def test_one_that_fails_is_reported_and_the_rest_arrives(self, root: Path) -> None:
        (root / "proc/cmdline").write_bytes(b"\xff")
        found = collect(Look(host=Host.mounted(root)), {"NODE_NAME": "n"})
        statuses = {each.name: (each.status, each.message) for each in found.collectors}
        assert statuses["os"] == (CollectorStatus.FAILED, f"{root}/proc/cmdline is not UTF-8")
        assert statuses["gpu"] == (CollectorStatus.SUCCEEDED, None)
        assert statuses["systemd"][0] is CollectorStatus.FAILED
        assert found.source_node == "n"

    def test_what_a_collector_has_no_answer_to_is_told(self, root: Path, nvidia_smi: Callable[[str], None]) -> None:
        nvidia_smi("echo broken >&2; exit 1")
        document = collect(Look(host=Host.mounted(root)), {"NODE_NAME": "n"})
        report = next(each for each in document.collectors if each.name == "gpu")
        assert (report.status, report.message) == (CollectorStatus.SUCCEEDED, "nvidia-smi ended with status 1: broken")

    def test_what_the_system_refuses_is_told_without_numbers(self) -> None:
        def refused() -> Measurement:
            raise PermissionError(13, "Permission denied", "/proc/x")

        (outcome,) = Running({"os": refused}, timeout_seconds=5).outcomes()
        assert outcome.report.message == "/proc/x: Permission denied"

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_fault_of_ours_is_one_collectors_failure(self) -> None:
        def faulty() -> Measurement:
            raise KeyError("x")

        faulty_one, other = Running({"a": faulty, "b": lambda: Measurement(type="OS")}, timeout_seconds=5).outcomes()
        assert faulty_one.report.status is CollectorStatus.FAILED
        assert other.report.status is CollectorStatus.SUCCEEDED

    def test_they_run_at_the_same_time(self) -> None:
        meeting = threading.Barrier(2, timeout=5)

        def meets() -> Measurement:
            meeting.wait()
            return Measurement(type="OS")

        outcomes = list(Running({"a": meets, "b": meets}, timeout_seconds=5).outcomes())
        assert all(each.report.status is CollectorStatus.SUCCEEDED for each in outcomes)

    def test_their_names_are_those_of_aicrs_metrics(self) -> None:
        assert set(of_node(Host(), units=DEFAULT_UNITS)) == {"gpu", "os", "systemd"}


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"NODE_NAME": "a", "KUBERNETES_NODE_NAME": "b", "HOSTNAME": "c"}, "a"),
        ({"NODE_NAME": "", "KUBERNETES_NODE_NAME": "b", "HOSTNAME": "c"}, "b"),
        ({"HOSTNAME": "c"}, "c"),
        ({}, ""),
    ],
)
def test_the_name_of_the_node(environment: dict[str, str], name: str) -> None:
    assert node_name(environment) == name


def test_this_machine_has_an_environment() -> None:
    found = collect(Look(), os.environ)
    assert isinstance(found, EnvironmentDocument)
    assert {"GPU", "OS"} <= {each.type for each in found.measurements}
    assert found.source_node
