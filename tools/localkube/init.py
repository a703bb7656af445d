"""The cluster's first process: in namespaces of its own it mounts, wires and starts everything, and reaps.

It is process 1 of the cluster. When it ends, for whatever reason, the kernel ends all the others and takes mounts and
network back, so that nothing of a cluster can be left behind. A component that ends takes the cluster with it, unless
a service manager would start it again: a cluster without one of its parts would only make tests fail in strange ways.
"""

import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from ssl import SSLContext, create_default_context

from localkube import components, forward, linux
from localkube.components import CONFIG, PKI, Component
from localkube.places import API_SERVER, CONTAINERD_SOCKET, HOME, LOCAL_VOLUMES, NODE_IP, SERVICE_CIDR, Cluster

_START_SECONDS = 120
_POLL_SECONDS = 0.05


class ComponentError(Exception):
    """A component that should run for ever did not, or never got ready."""


def start(cluster: Cluster, listener: socket.socket) -> None:
    """Start process 1 of `cluster` in the background; it serves the API on `listener`, a socket of the host."""
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        return
    try:
        _detach(cluster, listener)
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWNET)
        if init := os.fork():
            cluster.pid_file.write_text(str(init))
        else:
            _run(cluster, listener)
    except (ComponentError, OSError, subprocess.CalledProcessError) as e:
        (HOME / cluster.ended_file.name if HOME.exists() else cluster.ended_file).write_text(str(e))
    finally:
        os._exit(0)  # neither of the two may ever return into the caller's code


def _detach(cluster: Cluster, listener: socket.socket) -> None:
    """Keep nothing of the caller's but the socket: no terminal, no pipe that somebody waits for to close."""
    os.setsid()
    os.chdir("/")
    log = os.open(cluster.state / "log" / "init.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    kept = listener.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _run(cluster: Cluster, listener: socket.socket) -> None:
    snapshotter = _mount(cluster.state)
    _configure(cluster, snapshotter)
    _connect()
    supervisor = _Supervisor()
    supervisor.start(components.etcd())
    supervisor.start(components.containerd())
    supervisor.wait("etcd", lambda: _listens("127.0.0.1", 2379))
    supervisor.start(components.api_server())
    supervisor.wait("containerd", CONTAINERD_SOCKET.exists)
    load_image(HOME / "pause.tar")
    context = create_default_context(cafile=PKI / "ca.crt")
    supervisor.wait("kube-apiserver", lambda: _answers(f"{API_SERVER}/readyz", context))
    for component in (components.controller_manager(), components.scheduler(), components.kubelet(cluster)):
        supervisor.start(component)
    apply = [f"{HOME}/bin/kubectl", f"--kubeconfig={CONFIG}/admin.kubeconfig", "apply", "-f", f"{HOME}/addons.yaml"]
    subprocess.run(apply, check=True, env=components.ENVIRONMENT)
    supervisor.start(components.proxy())
    supervisor.start(components.coredns())
    threading.Thread(target=forward.serve, args=(listener, (NODE_IP, 6443)), daemon=True).start()
    supervisor.reap_for_ever()


def _mount(state: Path) -> str:
    """Give the components a /run, /var/lib and /var/log of their own; returns the snapshotter this disk carries."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)  # nothing from here on shows on the host
    linux.mount("proc", "/proc", "proc")
    # The state may lie in one of the directories that are about to be covered: hold it by a descriptor.
    held = Path(f"/proc/self/fd/{os.open(state, os.O_PATH | os.O_DIRECTORY)}")
    linux.mount("tmpfs", "/run", "tmpfs", data="mode=755")
    for source, target in (("", HOME), ("volumes", LOCAL_VOLUMES), ("lib", "/var/lib"), ("var-log", "/var/log")):
        Path(target).mkdir(exist_ok=True)
        linux.mount(held / source, target, flags=linux.MS_BIND)
    for setting, value in components.KERNEL_SETTINGS.items():
        shown = Path("/run", setting.replace("/", "."))
        shown.write_text(value)
        linux.mount(shown, Path("/proc/sys", setting), flags=linux.MS_BIND)
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_SHARED)  # between node and pods, as the kubelet expects
    return "overlayfs" if _overlay_works(Path("/var/lib/probe")) else "native"


def _overlay_works(directory: Path) -> bool:
    layers = {name: directory / name for name in ("lower", "upper", "work", "merged")}
    for layer in layers.values():
        layer.mkdir(parents=True)
    options = "lowerdir={lower},upperdir={upper},workdir={work}".format(**layers)
    try:
        linux.mount("overlay", layers["merged"], "overlay", data=options)
    except OSError:
        return False
    return True


def _configure(cluster: Cluster, snapshotter: str) -> None:
    for name, content in components.files(cluster, snapshotter=snapshotter).items():
        file = CONFIG / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


def _connect() -> None:
    """The whole network: an address for the node, and a way for its own processes to reach Services."""
    for arguments in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{NODE_IP}/32", "dev", "lo"),
        ("route", "add", SERVICE_CIDR, "dev", "lo", "src", NODE_IP),
    ):
        subprocess.run(["ip", *arguments], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def load_image(archive: Path) -> None:
    subprocess.run(["ctr", "--namespace=k8s.io", "images", "import", str(archive)], check=True)


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def _answers(url: str, context: SSLContext) -> bool:
    try:
        with urllib.request.urlopen(url, context=context, timeout=5):
            return True
    except OSError:
        return False


class _Supervisor:
    """Starts components, and notices when one ends."""

    def __init__(self) -> None:
        self._components: dict[int, Component] = {}

    def start(self, component: Component) -> None:
        print(time.strftime("%H:%M:%S"), "starts", component.name, flush=True)
        log = HOME / "log" / f"{component.name}.log"
        output = [
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        pid = os.posix_spawnp(component.argv[0], component.argv, components.ENVIRONMENT, file_actions=output)
        self._components[pid] = component

    def wait(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Until `is_ready`, or one of the components has ended."""
        deadline = time.monotonic() + _START_SECONDS
        while not is_ready():
            if time.monotonic() > deadline:
                raise ComponentError(f"{name} was not ready after {_START_SECONDS} seconds")
            self._reap(os.WNOHANG)
            time.sleep(_POLL_SECONDS)

    def reap_for_ever(self) -> None:
        while True:
            self._reap(0)

    def _reap(self, options: int) -> None:
        pid, status = os.waitpid(-1, options)
        component = self._components.pop(pid, None)
        if component is None:
            return
        ended = f"{component.name} ended with {os.waitstatus_to_exitcode(status)}"
        if not component.restarts:
            raise ComponentError(ended)
        print(time.strftime("%H:%M:%S"), ended, flush=True)
        self.start(component)
