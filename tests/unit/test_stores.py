"""The stores keep the one contract; S3 and directories say what went wrong in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from kai_snapshot.api.storage import S3Storage
from kai_snapshot.stores import S3Credentials, Store
from kai_snapshot.stores.directory import DirectoryStore
from kai_snapshot.stores.memory import MemoryStore
from kai_snapshot.stores.s3 import S3Store
from support.store_contract import StoreContract, Unfinished, big

__all__ = ["big"]

KEYS = S3Credentials(access_key_id="AKIAEXAMPLE", secret_access_key="s3cr3t")


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    @pytest.fixture
    def unfinished(self) -> Unfinished:
        return lambda key: 0


class TestDirectory(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return DirectoryStore(tmp_path / "claim" / "sub")

    @pytest.fixture
    def unfinished(self, tmp_path: Path) -> Unfinished:
        def leave(key: str) -> int:
            path = tmp_path / "claim" / "sub" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / ".0123abcd.partial").write_bytes(b"half")
            return 1

        return leave


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def raw_client(moto: str) -> Any:
    return botocore.session.Session().create_client(
        "s3", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )


class TestS3(StoreContract):
    prefix: str | None = "clusters/prod-eu1"

    @pytest.fixture
    def client(self, raw_client: Any) -> Iterator[Any]:
        client = raw_client
        client.create_bucket(Bucket="snapshots")
        client.put_object(Bucket="snapshots", Key="clusters/prod-eu1-not-ours.json", Body=b"")
        yield client
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="snapshots"):
            for found in page["Contents"]:
                client.delete_object(Bucket="snapshots", Key=found["Key"])
        for upload in client.list_multipart_uploads(Bucket="snapshots").get("Uploads", ()):
            client.abort_multipart_upload(Bucket="snapshots", Key=upload["Key"], UploadId=upload["UploadId"])
        client.delete_bucket(Bucket="snapshots")

    @pytest.fixture
    def store(self, moto: str, client: Any) -> Store:
        s3 = S3Storage(bucket="snapshots", prefix=self.prefix, endpoint=moto, force_path_style=True)
        return S3Store(s3, credentials=KEYS, ca=None)

    @pytest.fixture
    def unfinished(self, client: Any) -> Unfinished:
        def leave(key: str) -> int:
            path = f"{self.prefix}/{key}" if self.prefix else key
            upload = client.create_multipart_upload(Bucket="snapshots", Key=path)["UploadId"]
            client.upload_part(Bucket="snapshots", Key=path, UploadId=upload, PartNumber=1, Body=b"half")
            return 1

        return leave
