"""The cluster's certificate authority and the certificates of its components, made with openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from localkube.places import API_SERVICE_IP, NODE_IP, Cluster
from toolchain.places import ToolError

_DAYS = "3650"
# openssl's own default configuration would make every certificate an authority.
_CONFIG = "[req]\ndistinguished_name = dn\n[dn]\n"


@dataclass(frozen=True)
class Certificate:
    """A leaf: `file` is the base name of its .crt and .key, the rest goes into the certificate."""

    file: str
    common_name: str
    organization: str = ""
    server_names: str = ""

    @property
    def subject(self) -> str:
        return (f"/O={self.organization}" if self.organization else "") + f"/CN={self.common_name}"


def certificates(cluster: Cluster) -> tuple[Certificate, ...]:
    """What each component is known as to the others; the names are those that Kubernetes' RBAC defaults expect."""
    api_names = (
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,"
        f"DNS:localhost,IP:127.0.0.1,IP:{NODE_IP},IP:{API_SERVICE_IP}"
    )
    return (
        Certificate("apiserver", "kube-apiserver", server_names=api_names),
        Certificate("apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        Certificate("admin", "kubernetes-admin", "system:masters"),
        Certificate("controller-manager", "system:kube-controller-manager"),
        Certificate("scheduler", "system:kube-scheduler"),
        Certificate("proxy", "system:kube-proxy"),
        Certificate("coredns", "system:coredns"),
        Certificate("kubelet", f"system:node:{cluster.node}", "system:nodes", f"DNS:{cluster.node},IP:{NODE_IP}"),
    )


def make(directory: Path, cluster: Cluster) -> None:
    """Write ca, leaf and service account key files into `directory`."""
    directory.mkdir(mode=0o700)
    config = directory / "openssl.cnf"
    config.write_text(_CONFIG)
    _request(directory, "ca", "/CN=kubernetes", ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"])
    for leaf in certificates(cluster):
        usage = "clientAuth,serverAuth" if leaf.server_names else "clientAuth"
        extensions = ["basicConstraints=critical,CA:FALSE", f"extendedKeyUsage={usage}"]
        if leaf.server_names:
            extensions.append(f"subjectAltName={leaf.server_names}")
        issuer = ["-CA", str(directory / "ca.crt"), "-CAkey", str(directory / "ca.key")]
        _request(directory, leaf.file, leaf.subject, extensions, issuer)
    _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", str(directory / "sa.key"))


def _request(directory: Path, file: str, subject: str, extensions: list[str], issuer: list[str] | None = None) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    files = ["-keyout", str(directory / f"{file}.key"), "-out", str(directory / f"{file}.crt")]
    added = [argument for extension in extensions for argument in ("-addext", extension)]
    config = ["-config", str(directory / "openssl.cnf"), "-days", _DAYS, "-subj", subject]
    _openssl("req", "-x509", *key, *files, *config, *(issuer or []), *added)


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
