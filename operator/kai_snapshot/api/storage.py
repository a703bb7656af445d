"""Where archives are kept: one location in S3 or on a volume, the same words in both kinds."""

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from kai_snapshot.api.base import ApiModel, unchanged
from kai_snapshot.api.source import DNS_SUBDOMAIN

# segments that start with a letter, digit or underscore: no "..", no empty one, nothing to normalise
PATH = r"^[A-Za-z0-9_][A-Za-z0-9._=@+-]*(/[A-Za-z0-9_][A-Za-z0-9._=@+-]*)*$"

LOCATION_RULES: list[JsonValue] = [
    {
        "rule": "has(self.s3) == has(oldSelf.s3) && has(self.pvc) == has(oldSelf.pvc)"
        " && (!has(self.s3) || !has(oldSelf.s3) || self.s3.bucket == oldSelf.s3.bucket"
        f" && {unchanged('s3.prefix')} && {unchanged('s3.endpoint')})"
        " && (!has(self.pvc) || !has(oldSelf.pvc) || self.pvc.claimName == oldSelf.pvc.claimName"
        f" && {unchanged('pvc.subPath')})",
        "message": "the storage location (bucket, prefix and endpoint, or claimName and subPath) is immutable, "
        "else the archives already there would be lost from sight: create a new object",
    }
]
"""CEL rules for a `storage` field whose location must not change; credentials and encryption may."""


class SecretRef(ApiModel):
    """A Secret in the namespace of the object."""

    name: str = Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)
    """Name of the Secret."""


class CASecretRef(ApiModel):
    """A certificate authority in a Secret in the namespace of the object."""

    name: str = Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)
    """Name of the Secret."""
    key: str = Field(default="ca.crt", min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._-]+$")
    """The key in the Secret that holds the certificates, in PEM."""


class S3Storage(ApiModel):
    """A bucket of S3, or of a server that speaks its protocol."""

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.kmsKeyId) || self.?serverSideEncryption.orValue('') == 'aws:kms'",
                    "message": "kmsKeyId needs serverSideEncryption: aws:kms",
                }
            ]
        }
    }

    bucket: str = Field(
        min_length=3, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
    )
    """Name of the bucket, which must exist."""
    prefix: str | None = Field(default=None, min_length=1, max_length=512, pattern=PATH)
    """Path in the bucket under which everything is kept, such as clusters/prod-eu1; without a slash at either end."""
    region: str | None = Field(default=None, min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9-]*$")
    """Region of the bucket. Default: what the operator's own identity says, else us-east-1."""
    endpoint: str | None = Field(
        default=None, min_length=8, max_length=1024, pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$"
    )
    """Address of an S3-compatible server, such as https://minio.example.com:9000. Absent: AWS."""
    force_path_style: bool = False
    """Write the bucket into the path and not into the host name, as many S3-compatible servers need it."""
    ca_secret_ref: CASecretRef | None = None
    """The authority that signed the endpoint's certificate, where it is not one that everybody trusts."""
    credentials_secret_ref: SecretRef | None = None
    """A Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if needed, AWS_SESSION_TOKEN.

    Absent: the operator's own identity, where its settings allow that.
    """
    server_side_encryption: Literal["AES256", "aws:kms"] | None = None
    """Encryption to ask of the storage. Absent: the default of the bucket."""
    kms_key_id: str | None = Field(default=None, min_length=1, max_length=2048, pattern=r"^[A-Za-z0-9:/_.=@+-]+$")
    """The KMS key, by id, alias or ARN, with serverSideEncryption aws:kms."""

    @model_validator(mode="after")
    def _kms_key_needs_kms(self) -> Self:
        if self.kms_key_id and self.server_side_encryption != "aws:kms":
            raise ValueError("kmsKeyId needs serverSideEncryption: aws:kms")
        return self


class PVCStorage(ApiModel):
    """A PersistentVolumeClaim that is mounted into the operator (manifests/components/claim)."""

    claim_name: str = Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)
    """Name of the claim, in the operator's namespace."""
    sub_path: str | None = Field(default=None, min_length=1, max_length=512, pattern=PATH)
    """Directory in the volume under which everything is kept; without a slash at either end."""


class Storage(ApiModel):
    """Where archives are kept: exactly one of s3 and pvc."""

    model_config = {
        "json_schema_extra": {
            "x-kubernetes-validations": [
                {"rule": "has(self.s3) != has(self.pvc)", "message": "exactly one of s3 and pvc must be given"}
            ]
        }
    }

    s3: S3Storage | None = None
    """A bucket of S3, or of a server that speaks its protocol."""
    pvc: PVCStorage | None = None
    """A claim mounted into the operator."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.s3 is None) == (self.pvc is None):
            raise ValueError("exactly one of s3 and pvc must be given")
        return self

    def overlaps(self, other: "Storage") -> bool:
        """Whether one of the two lies in the other, or they are the same place."""
        if self.s3 is not None and other.s3 is not None:
            same = (self.s3.bucket, self.s3.endpoint) == (other.s3.bucket, other.s3.endpoint)
            return same and _nested(self.s3.prefix, other.s3.prefix)
        if self.pvc is not None and other.pvc is not None:
            return self.pvc.claim_name == other.pvc.claim_name and _nested(self.pvc.sub_path, other.pvc.sub_path)
        return False


def _nested(path: str | None, other: str | None) -> bool:
    shorter, longer = sorted(f"{each}/" if each else "" for each in (path, other))
    return longer.startswith(shorter)
