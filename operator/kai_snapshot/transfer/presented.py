"""What the transfer endpoint presents to its clients, and what these are to trust; both change while it serves."""

import os
import ssl
from typing import Final

from kai_snapshot.transfer.certificates import Certificates

VERSION: Final = ssl.TLSVersion.TLSv1_3
"""The oldest that is spoken: both ends are ours."""


class Presented:
    """The certificates in use."""

    def __init__(self, certificates: Certificates) -> None:
        self.context: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        """For the server; what is changed holds for the next connection."""
        self.context.minimum_version = VERSION
        self.certificates = certificates
        self._load(certificates)

    @property
    def authorities(self) -> str:
        """For Jobs that are made now; PEM."""
        return self.certificates.authorities

    def change(self, certificates: Certificates) -> None:
        """Uses these from now on. Connections that are open go on."""
        if self.certificates.serving != certificates.serving:
            self._load(certificates)
        self.certificates = certificates

    def _load(self, certificates: Certificates) -> None:
        """By way of a file in memory: `ssl` takes files alone, and the key is to be on no disk."""
        serving = certificates.serving
        with os.fdopen(os.memfd_create("certificate"), "w") as file:
            file.write(serving.certificate + serving.key)
            file.flush()
            self.context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


def client_context(authorities: str) -> ssl.SSLContext:
    """For a client that trusts these authorities (PEM) and no others."""
    context = ssl.create_default_context(cadata=authorities)
    context.minimum_version = VERSION
    return context
