"""Copies of checkpoints in S3 under object lock: moto's server stands for it.

What moto does not do: it refuses to delete a locked version, but not to shorten the time of one that is locked in
compliance mode, and it knows no bucket policy that would. Only S3 itself shows that.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.exceptions import ClientError

from schemas.errors import IntegrityError, StorageError, TryAgainError, UsageError
from stores.audit.checkpoints import Checkpoint, Checkpoints
from stores.audit.copies import open_copies
from stores.keys import open_keys
from tests.stores.audit.trails import fault_of, fill

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of the server, whose address and credentials are in the environment; a bucket with lock, one without."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**told, "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}"}.items():
            patch.setenv(name, value)
        client = botocore.session.get_session().create_client("s3")
        client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        client.create_bucket(Bucket="plain")
        yield client
    server.stop()


@pytest.fixture
def signed(tmp_path: Path) -> Checkpoint:
    """A checkpoint over three records."""
    trail = fill(tmp_path / "m", 3)
    return Checkpoints(trail.folder).sign(trail.head(), open_keys(None, tmp_path / "m", create=True))


def test_kept_and_locked(s3: Any, signed: Checkpoint, tmp_path: Path) -> None:
    """A checkpoint is kept once, in compliance mode for the days told; its version cannot be deleted."""
    copies = open_copies("s3://locked/ward?days=30")
    copies.keep(signed)
    copies.keep(msgspec.structs.replace(signed, at="later"))
    assert copies.read() == [signed]
    (version,) = s3.list_object_versions(Bucket="locked", Prefix="ward/")["Versions"]
    kept = s3.head_object(Bucket="locked", Key=version["Key"], VersionId=version["VersionId"])
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    assert timedelta(days=29) < kept["ObjectLockRetainUntilDate"] - datetime.now(UTC) < timedelta(days=31)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket="locked", Key=version["Key"], VersionId=version["VersionId"])
    with pytest.raises(IntegrityError, match="otherwise than the trail"):
        copies.keep(msgspec.structs.replace(signed, root="00"))
    assert fault_of(tmp_path / "m", copies.read()) is None


def test_hidden_or_overwritten(s3: Any, signed: Checkpoint) -> None:
    """A delete marker hides nothing, and a version put over another does not count."""
    copies = open_copies("s3://locked/over")
    copies.keep(signed)
    (version,) = s3.list_object_versions(Bucket="locked", Prefix="over/")["Versions"]
    s3.put_object(Bucket="locked", Key=version["Key"], Body=b"forged", ChecksumAlgorithm="SHA256")
    s3.delete_object(Bucket="locked", Key=version["Key"])
    assert copies.read() == [signed]


def test_places_that_are_none(s3: Any, signed: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket without object lock, none at all, a server that is down, an address that is none."""
    assert s3 is not None
    for bucket in ("plain", "none"):
        with pytest.raises(StorageError, match="make it with object lock"):
            open_copies(f"s3://{bucket}/x").keep(signed)
    for bad in ("s3://", "s3://b/x?days=0", "s3://b/x?days=y", "/no/such/folder"):
        with pytest.raises(UsageError, match="give s3://BUCKET/PREFIX"):
            open_copies(bad)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(TryAgainError, match="cannot be reached"):
        open_copies("s3://locked/x").keep(signed)
