"""Names and addresses of a cluster: on the host, and inside the namespaces it lives in."""

import re
from dataclasses import dataclass
from pathlib import Path

from toolchain.places import CACHE, ToolError

CLUSTERS = CACHE / "clusters"

# Every cluster has a network of its own with no way in or out, so all of them use the same addresses.
NODE_IP = "10.250.0.1"
POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_SERVICE_IP = "10.96.0.10"
API_SERVER = f"https://{NODE_IP}:6443"

# As the components see them: /run, /var/lib and /var/log are the cluster's own there.
HOME = Path("/run/localkube")
CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
LOCAL_VOLUMES = Path("/run/local-volumes")
PAUSE_IMAGE = "localkube.local/pause:1"


@dataclass(frozen=True)
class Cluster:
    """A cluster's name, and what follows from it."""

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", self.name):
            raise ToolError(
                f"'{self.name}' is not a cluster name: at most 40 lower case letters, digits and '-', "
                "a letter or digit first and last"
            )

    @property
    def state(self) -> Path:
        """Everything of the cluster that is on a disk of the host."""
        return CLUSTERS / self.name

    @property
    def node(self) -> str:
        return f"{self.name}-control-plane"

    @property
    def context(self) -> str:
        """The name of context, cluster and user in a kubeconfig; kind's, so that nothing has to care."""
        return f"kind-{self.name}"

    @property
    def cgroup(self) -> str:
        return f"localkube-{self.name}"

    @property
    def pid_file(self) -> Path:
        return self.state / "init.pid"

    @property
    def audit_log(self) -> Path:
        """A line of JSON for each request of a pod to the API server."""
        return self.state / "log" / "audit.log"

    @property
    def ended_file(self) -> Path:
        """Written by the cluster's first process when a component ended and took the cluster with it."""
        return self.state / "ended"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"
