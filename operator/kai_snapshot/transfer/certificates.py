"""The certificates of the transfer endpoint: the operator makes them itself, and replaces them before they end.

Each has an authority of its own, which signs nothing else: its key is forgotten at once. A Job gets the authorities to
trust when it is made and keeps them to its end; so the next certificate is made, and its authority handed out, long
before it is served, and no Job ever meets one that it does not know.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kai_snapshot.transfer.tokens import MAX_AGE

LIFETIME: Final = timedelta(days=90)
RENEWAL: Final = timedelta(days=30)
"""The next one is made when the one that is served has so long left."""
HANDOVER: Final = MAX_AGE + timedelta(days=1)
"""It is served so long after it was made: the Jobs that do not know it have ended, for their tokens have."""
SKEW: Final = timedelta(hours=1)
"""By how much the clocks of the nodes may differ."""
_NOT_OURS: Final = (
    KeyError,
    ValueError,
    TypeError,  # a key that wants a password
    InvalidSignature,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
)
"""What comes of reading a Secret that somebody has written into."""


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key and its authority, in PEM."""

    authority: str
    certificate: str
    key: str = field(repr=False)

    @property
    def made(self) -> datetime:
        """When it was made."""
        return self._parsed.not_valid_before_utc + SKEW

    @property
    def ends(self) -> datetime:
        """When it is good no more."""
        return self._parsed.not_valid_after_utc

    def serves(self, host: str, at: datetime) -> bool:
        """Whether a client that asks for `host` takes it at that time, with a clock that is wrong by `SKEW` at most."""
        names = self._parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return _name(host) in names and self.made <= at + SKEW and at + SKEW < self.ends

    @property
    def _parsed(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate.encode())


@dataclass(frozen=True)
class Certificates:
    """What is served, and what will be."""

    serving: Certificate
    following: Certificate | None = None

    @property
    def authorities(self) -> str:
        """Those that a Job is to trust that is made now; PEM."""
        return self.serving.authority + (self.following.authority if self.following else "")


def renewed(held: Certificates | None, host: str, now: datetime) -> Certificates:
    """What is to be held from `now` on, where clients call the endpoint `host`; equal to `held` if nothing is due."""
    if held is None:
        return Certificates(make(host, now))
    serving, following = held.serving, held.following
    usable = serving.serves(host, now)
    if following is not None and (not usable or following.made + HANDOVER <= now):
        serving, following = following, None
        usable = serving.serves(host, now)
    if not usable:
        return Certificates(make(host, now))
    if following is None and serving.ends - now <= RENEWAL:
        following = make(host, now)
    return Certificates(serving, following)


def make(host: str, now: datetime) -> Certificate:
    """A fresh certificate for `host`, a name or an address, of a fresh authority."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    number = x509.random_serial_number()
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"kai-snapshot transfer authority {number:x}"[:64])])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kai-snapshot transfer endpoint")])
    of_authority = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _builder(issuer, issuer, authority_key, now)
        .serial_number(number)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(of_authority, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    leaf = (
        _builder(subject, issuer, key, now)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_authority), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificate(authority=_pem(authority), certificate=_pem(leaf), key=private.decode())


def to_secret(held: Certificates) -> dict[str, str]:
    """What a Secret of the type kubernetes.io/tls holds, by its keys."""
    data = _entries("", held.serving)
    return data if held.following is None else data | _entries("next-", held.following)


def from_secret(data: Mapping[str, bytes]) -> Certificates | None:
    """What `to_secret` gave; None if it is not that."""
    try:
        serving = _certificate("", data)
        following = _certificate("next-", data) if "next-tls.crt" in data else None
    except _NOT_OURS:
        return None
    return Certificates(serving, following)


def _entries(prefix: str, each: Certificate) -> dict[str, str]:
    return {f"{prefix}ca.crt": each.authority, f"{prefix}tls.crt": each.certificate, f"{prefix}tls.key": each.key}


def _certificate(prefix: str, data: Mapping[str, bytes]) -> Certificate:
    authority, certificate, key = (data[f"{prefix}{name}"].decode() for name in ("ca.crt", "tls.crt", "tls.key"))
    leaf = x509.load_pem_x509_certificate(certificate.encode())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.encode()))
    leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    private = serialization.load_pem_private_key(key.encode(), password=None)
    if private.public_key() != leaf.public_key():
        raise ValueError("the key is not that of the certificate")
    return Certificate(authority, certificate, key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
