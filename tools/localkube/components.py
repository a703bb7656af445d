"""What each component of the cluster is told: its command line and its configuration files. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from localkube.places import (
    API_SERVER,
    CONTAINERD_SOCKET,
    DNS_SERVICE_IP,
    HOME,
    NODE_IP,
    PAUSE_IMAGE,
    POD_CIDR,
    SERVICE_CIDR,
    Cluster,
)

PKI = HOME / "pki"
CONFIG = HOME / "config"
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/run"}
"""No proxy settings of the host: everything these processes talk to is in the cluster's own network."""

_AUDIT_POLICY = "audit-policy.json"

KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What a kubelet insists on, by its path below /proc/sys. They are the host's and not ours to change, so the kubelet is
shown files that say so already."""


@dataclass(frozen=True)
class Component:
    """A process of the cluster: its name, which names its log too, and its command line."""

    name: str
    argv: tuple[str, ...]
    restarts: bool = False
    """Whether it is started again when it ends, as a machine's service manager does."""


def etcd() -> Component:
    """In memory: a cluster does not outlive its processes, and nothing waits for a disk."""
    client = "http://127.0.0.1:2379"
    places = ("--data-dir=/run/etcd", f"--listen-client-urls={client}", f"--advertise-client-urls={client}")
    return Component("etcd", ("etcd", *places, "--logger=zap", "--log-level=warn"))


def containerd() -> Component:
    """Pods outlive it: each has a shim."""
    return Component("containerd", ("containerd", f"--config={CONFIG}/containerd.toml"), restarts=True)


def api_server() -> Component:
    return _kubernetes(
        "kube-apiserver",
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={NODE_IP}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={PKI}/ca.crt",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
        f"--kubelet-certificate-authority={PKI}/ca.crt",
        f"--kubelet-client-certificate={PKI}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={PKI}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={PKI}/sa.key",
        f"--service-account-signing-key-file={PKI}/sa.key",
        f"--audit-policy-file={CONFIG}/{_AUDIT_POLICY}",
        f"--audit-log-path={HOME}/log/audit.log",
    )


def controller_manager() -> Component:
    kubeconfig = f"{CONFIG}/controller-manager.kubeconfig"
    return _kubernetes(
        "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={PKI}/sa.key",
        f"--root-ca-file={PKI}/ca.crt",
        "--node-monitor-grace-period=2m",  # a busy machine is not a lost node
    )


def scheduler() -> Component:
    kubeconfig = f"{CONFIG}/scheduler.kubeconfig"
    return _kubernetes(
        "kube-scheduler",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
    )


def kubelet(cluster: Cluster) -> Component:
    return _kubernetes(
        "kubelet",
        f"--config={CONFIG}/kubelet.json",
        f"--kubeconfig={CONFIG}/kubelet.kubeconfig",
        f"--hostname-override={cluster.node}",
        f"--node-ip={NODE_IP}",
    )


def proxy() -> Component:
    return _kubernetes("kube-proxy", f"--config={CONFIG}/proxy.json")


def coredns() -> Component:
    return Component("coredns", (f"{HOME}/bin/coredns", "-conf", f"{CONFIG}/Corefile"))


def _kubernetes(name: str, *flags: str) -> Component:
    return Component(name, (f"{HOME}/bin/{name}", *flags))


def files(cluster: Cluster, *, snapshotter: str) -> Mapping[str, str]:
    """The configuration files, by name below the configuration directory."""
    users = ("controller-manager", "scheduler", "proxy", "kubelet", "coredns", "admin")
    return {
        **{f"{user}.kubeconfig": _kubeconfig(user) for user in users},
        "containerd.toml": _containerd_config(snapshotter),
        "kubelet.json": json.dumps(_kubelet_config(cluster), indent=1),
        "proxy.json": json.dumps(_proxy_config(cluster), indent=1),
        "Corefile": _corefile(),
        _AUDIT_POLICY: json.dumps(_audit_policy(), indent=1),
        "cni/10-localkube.conflist": json.dumps(_cni_config(), indent=1),
    }


def _kubeconfig(user: str) -> str:
    """For use inside the cluster's namespaces: names the files instead of holding them."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": API_SERVER, "certificate-authority": f"{PKI}/ca.crt"}}],
        "users": [
            {"name": "u", "user": {"client-certificate": f"{PKI}/{user}.crt", "client-key": f"{PKI}/{user}.key"}}
        ],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return json.dumps(document, indent=1)


def _containerd_config(snapshotter: str) -> str:
    return f"""version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]  # it would make /opt/containerd on the host

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true  # runc fails without CAP_SYS_RESOURCE otherwise

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{CONFIG}/cni"

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
"""


def _kubelet_config(cluster: Cluster) -> Mapping[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{PKI}/ca.crt"}},
        "tlsCertFile": f"{PKI}/kubelet.crt",
        "tlsPrivateKeyFile": f"{PKI}/kubelet.key",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cluster.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "clusterDNS": [DNS_SERVICE_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "staticPodPath": "",
        # The disk is the host's as well, and how full it is none of this node's business.
        "evictionHard": {"imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%"},
        "imageGCHighThresholdPercent": 100,
    }


def _proxy_config(cluster: Cluster) -> Mapping[str, object]:
    unlimited = {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{CONFIG}/proxy.kubeconfig"},
        "hostnameOverride": cluster.node,
        "mode": "iptables",
        "clusterCIDR": POD_CIDR,
        "oomScoreAdj": 0,
        "conntrack": unlimited,
    }


def _audit_policy() -> Mapping[str, object]:
    """What pods asked for, and whether they may; of the cluster's own components nothing."""
    own = {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]}
    pods = {"level": "Metadata", "userGroups": ["system:serviceaccounts"]}
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
        "rules": [own, pods, {"level": "None"}],
    }


def _corefile() -> str:
    return f""".:53 {{
    bind {NODE_IP}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {CONFIG}/coredns.kubeconfig
        ttl 5
    }}
}}
"""


def _cni_config() -> Mapping[str, object]:
    """Point to point, as in kind: a bridge would need br_netfilter for Services whose pod is on the same node."""
    everywhere = [{"dst": "0.0.0.0/0"}]
    addresses = {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": POD_CIDR}]], "routes": everywhere}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "localkube", "plugins": [{"type": "ptp", "ipam": addresses}, ports]}
