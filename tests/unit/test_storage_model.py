"""What a storage location and a manifest may say, checked here as it is in the CRD."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from kai_snapshot.api.manifest import CaptureIdentity, Manifest
from kai_snapshot.api.storage import PVCStorage, S3Storage, Storage
from kai_snapshot.errors import Reason, TerminalError


class TestStorage:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"prefix": "clusters/prod-eu1", "region": "eu-central-1"},
            {"prefix": "cluster=prod/2026", "endpoint": "https://minio.example.com:9000", "forcePathStyle": True},
            {"endpoint": "http://[fd00::1]:9000"},
            {"endpoint": "https://x.storage.example.com/storage/v1/s3"},
            {"caSecretRef": {"name": "s3-ca"}, "credentialsSecretRef": {"name": "s3-credentials"}},
            {"serverSideEncryption": "AES256"},
            {"serverSideEncryption": "aws:kms"},
            {"serverSideEncryption": "aws:kms", "kmsKeyId": "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab"},
        ],
        ids=lambda fields: " ".join(fields) or "a bucket",
    )
    def test_good_ones_are_taken_and_written_back_as_they_are(self, fields: dict[str, Any]) -> None:
        storage = Storage.model_validate({"s3": {"bucket": "kai-snapshots", **fields}})
        dumped = storage.dump()["s3"]
        assert {key: dumped[key] for key in fields if key != "caSecretRef"} == {
            key: value for key, value in fields.items() if key != "caSecretRef"
        }
        assert storage.s3 is not None
        assert storage.s3.ca_secret_ref is None or storage.s3.ca_secret_ref.key == "ca.crt"

    @pytest.mark.parametrize(
        "fields",
        [
            {"bucket": "ab"},
            {"bucket": "Kai"},
            {"bucket": "a..b"},
            {"bucket": "a/b"},
            {"bucket": "-abc"},
            {"bucket": "a" * 64},
            {"prefix": ""},
            {"prefix": "/a"},
            {"prefix": "a/"},
            {"prefix": "a//b"},
            {"prefix": "../a"},
            {"prefix": "a/../b"},
            {"prefix": "a/.hidden"},
            {"prefix": "a\n"},
            {"endpoint": "minio:9000"},
            {"endpoint": "ftp://minio"},
            {"endpoint": "https://user:password@minio"},
            {"endpoint": "https://minio/?x=y"},
            {"endpoint": "https://mi nio"},
            {"region": "EU"},
            {"serverSideEncryption": "none"},
            {"kmsKeyId": "alias/x"},
            {"kmsKeyId": "alias/x", "serverSideEncryption": "AES256"},
            {"credentialsSecretRef": {"name": "Not_A_Name"}},
        ],
        ids=str,
    )
    def test_what_is_not_plain_is_refused_rather_than_put_right(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            S3Storage.model_validate({"bucket": "kai-snapshots", **fields})

    @pytest.mark.parametrize("sub_path", ["", "/a", "a/", "..", "a/../../b"])
    def test_a_sub_path_stays_in_its_volume(self, sub_path: str) -> None:
        with pytest.raises(ValidationError):
            PVCStorage(claim_name="snapshots", sub_path=sub_path)

    @pytest.mark.parametrize(
        "given", [{}, {"s3": {"bucket": "abc"}, "pvc": {"claimName": "abc"}}], ids=["neither", "both"]
    )
    def test_exactly_one_place_is_named(self, given: dict[str, Any]) -> None:
        with pytest.raises(ValidationError, match="exactly one of s3 and pvc"):
            Storage.model_validate(given)


MANIFEST = Manifest(
    id="20261122T101500Z",
    archive="20261122T101500Z-9f2c6b1e.zip",
    capture=CaptureIdentity(cluster_uid="u", namespace="ns", name="cap"),
    sha256="9f2c6b1e" * 8,
    size_bytes=1,
    uncompressed_bytes=2,
    scheduled_for=datetime(2026, 11, 22, 10, 15, tzinfo=UTC),
    captured_at=datetime(2026, 11, 22, 10, 15, 3, tzinfo=UTC),
    trigger="Schedule",
)


class TestManifest:
    def test_it_is_read_back_as_it_was_written(self) -> None:
        healed = MANIFEST.model_copy(update={"healed": True, "config": {"tiers": [None, {"plugins": []}], "x": None}})
        for manifest in (MANIFEST, healed):
            assert Manifest.decode(manifest.encode(), where="x") == manifest

    def test_a_newer_release_may_add_fields(self) -> None:
        newer = MANIFEST.encode().replace(b"{", b'{"later": 1,', 1)
        assert Manifest.decode(newer, where="x") == MANIFEST

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "Invalid JSON"),
            (MANIFEST.encode()[:-20], "Invalid JSON"),
            (b"[]", "the document"),
            (b"\xff", "Invalid JSON"),
            (MANIFEST.encode().replace(b"manifest/v1", b"manifest/v2"), "schemaVersion"),
            (MANIFEST.encode().replace(b"20261122T101500Z-", b"../x/"), "archive"),
            (MANIFEST.encode().replace(b'"sizeBytes": 1', b'"sizeBytes": -1'), "sizeBytes"),
        ],
        ids=["empty", "cut off", "a list", "not text", "of another version", "leading elsewhere", "impossible"],
    )
    def test_a_damaged_one_is_named_with_what_is_wrong(self, content: bytes, says: str) -> None:
        with pytest.raises(TerminalError, match=says) as info:
            Manifest.decode(content, where="ns/cap/20261122T101500Z.json")
        assert info.value.reason is Reason.INVALID_MANIFEST
        assert info.value.message.startswith("ns/cap/20261122T101500Z.json is not a manifest")
        assert len(info.value.message) < 1024
