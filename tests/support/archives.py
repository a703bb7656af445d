"""Where archives are kept, as a test looks at it: from outside the operator."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from stage import stage
from stage.kube import Kube
from support.objects import Object


class Archives(Protocol):
    """A place of a test's own. Keys are relative to it."""

    @property
    def spec(self) -> Object:
        """As `storage` in a spec."""

    def keys(self) -> list[str]:
        """What is there, sorted."""

    def __iter__(self) -> Iterator[str]:
        """The same."""

    def sha256(self, key: str) -> str:
        """SHA-256 of what is there."""

    def document(self, key: str) -> Object:
        """JSON that is there."""

    def uri(self, key: str) -> str:
        """As a status names it."""


@dataclass(frozen=True)
class InBucket:
    """A prefix of the stage's bucket. `client` is boto3's."""

    client: Any
    prefix: str
    endpoint: str = stage.S3_ENDPOINT

    @property
    def spec(self) -> Object:
        return {
            "s3": {
                "bucket": stage.BUCKET,
                "prefix": self.prefix,
                "endpoint": self.endpoint,
                "forcePathStyle": True,
                "credentialsSecretRef": {"name": stage.S3_SECRET},
            }
        }

    def keys(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=stage.BUCKET, Prefix=f"{self.prefix}/")
        return sorted(
            each["Key"].removeprefix(f"{self.prefix}/") for page in pages for each in page.get("Contents", ())
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def written(self, key: str) -> tuple[str, datetime]:
        """What is there, as an ETag, and since when."""
        head = self.client.head_object(Bucket=stage.BUCKET, Key=f"{self.prefix}/{key}")
        return head["ETag"], head["LastModified"]

    def put(self, key: str, content: bytes) -> None:
        """Puts something there."""
        self.client.put_object(Bucket=stage.BUCKET, Key=f"{self.prefix}/{key}", Body=content)

    def read(self, key: str) -> bytes:
        """What is there."""
        content: bytes = self.client.get_object(Bucket=stage.BUCKET, Key=f"{self.prefix}/{key}")["Body"].read()
        return content

    def sha256(self, key: str) -> str:
        return hashlib.sha256(self.read(key)).hexdigest()

    def document(self, key: str) -> Object:
        return dict(json.loads(self.read(key)))

    def uri(self, key: str) -> str:
        return f"s3://{stage.BUCKET}/{self.prefix}/{key}"

    def key(self, uri: str) -> str:
        """The key that a status names so."""
        return uri.removeprefix(self.uri(""))


@dataclass(frozen=True)
class OnVolume:
    """A directory of the claim `archives`, seen by a pod that mounts it too."""

    kube: Kube
    sub_path: str

    @property
    def spec(self) -> Object:
        return {"pvc": {"claimName": "archives", "subPath": self.sub_path}}

    def keys(self) -> list[str]:
        found = self._do(f"mkdir -p {self._root} && cd {self._root} && find . -type f")
        return sorted(line.removeprefix("./") for line in found.split())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def sha256(self, key: str) -> str:
        return self._do(f"sha256sum {self._root}/{key}").split()[0]

    def document(self, key: str) -> Object:
        return dict(json.loads(self._do(f"cat {self._root}/{key}")))

    def uri(self, key: str) -> str:
        return f"pvc://archives/{self.sub_path}/{key}"

    @property
    def _root(self) -> str:
        return f"/archives/{self.sub_path}"

    def _do(self, script: str) -> str:
        return self.kube.execute("pod/archives", stage.NAMESPACE, "sh", "-ec", script)
