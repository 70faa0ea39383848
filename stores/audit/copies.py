"""Where checkpoints are kept besides the trail: a folder of another disk, or S3 under object lock.

A folder or prefix is for one mart. Each checkpoint is an object of its own, never replaced. In S3 it is locked in
compliance mode: before its time is over nobody, not even the owner of the account, can delete or replace that version.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from schemas.errors import IntegrityError, StorageError, TryAgainError, UsageError
from stores.audit.checkpoints import Checkpoint
from stores.tail import sync_folder

_DAYS = 2192  # six years (45 CFR 164.316(b)(2)(i)), with their leap days
_PATIENCE = 5  # seconds to connect to S3 and to wait for its answer


class Copies(Protocol):
    """A second place of checkpoints."""

    where: str

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint for good. Raises StorageError, TryAgainError or IntegrityError."""

    def read(self) -> list[Checkpoint | str]:
        """All that are there, the smallest first; of what is none, what is wrong with it."""


def open_copies(where: str) -> Copies:
    """``s3://BUCKET/PREFIX[?days=N]``, or the path of a folder that is there. UsageError for anything else."""
    if not where.startswith("s3://"):
        if not Path(where).is_dir():
            raise UsageError(
                f"there is no folder {where} for copies of checkpoints: make it, or give s3://BUCKET/PREFIX"
            )
        return FolderCopies(Path(where))
    told = urlsplit(where)
    days = parse_qs(told.query).get("days", [str(_DAYS)])[0]
    if not told.netloc or not days.isdecimal() or not 1 <= int(days) <= 36500:
        raise UsageError(f"{where} names no place for copies: give s3://BUCKET/PREFIX or s3://BUCKET/PREFIX?days=2192")
    return S3Copies(told.netloc, told.path.strip("/"), int(days))


def _name(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.trail}-{checkpoint.size:012d}.json"


def _refuse_other(before: bytes, checkpoint: Checkpoint, where: str) -> None:
    """A checkpoint of the same size is there: it must say the same."""
    if (known := Checkpoint.decode(before, where)).root != checkpoint.root:
        raise IntegrityError(
            f"{where} tells of the first {known.size} records otherwise than the trail: run clinmart audit verify"
        )


class FolderCopies:
    """One file, 0400, for each checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._folder = folder

    def keep(self, checkpoint: Checkpoint) -> None:
        """See :class:`Copies`."""
        path = self._folder / _name(checkpoint)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
        except FileExistsError:
            _refuse_other(path.read_bytes(), checkpoint, str(path))
            return
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}") from error
        try:
            os.write(descriptor, checkpoint.encode())
            os.fsync(descriptor)
            sync_folder(self._folder)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def read(self) -> list[Checkpoint | str]:
        """See :class:`Copies`."""
        try:
            found = [(path.read_bytes(), str(path)) for path in sorted(self._folder.glob("*.json"))]
        except OSError as error:
            raise StorageError(f"{self._folder} cannot be read: {error.strerror}") from error
        return _decoded(found)


class S3Copies:
    """One object for each checkpoint, locked for so many ``days``. Credentials and endpoint are AWS's own settings."""

    def __init__(self, bucket: str, prefix: str, days: int) -> None:
        self.where = f"s3://{bucket}/{prefix}"
        self._bucket = bucket
        self._prefix = prefix + "/" if prefix else ""
        self._days = days
        self._client: Any = None

    def keep(self, checkpoint: Checkpoint) -> None:
        """See :class:`Copies`. StorageError for a bucket without object lock."""
        key = self._prefix + _name(checkpoint)
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=self._days)
        if (known := self._get(key)) is not None:
            _refuse_other(known, checkpoint, f"s3://{self._bucket}/{key}")
            return
        self._call(
            "put_object",
            Key=key,
            Body=checkpoint.encode(),
            ContentType="application/json",
            ChecksumAlgorithm="SHA256",
            ObjectLockMode="COMPLIANCE",
            ObjectLockRetainUntilDate=until,
        )

    def read(self) -> list[Checkpoint | str]:
        """See :class:`Copies`. Of an object the first version counts: who adds a later one changes nothing."""
        first: dict[str, tuple[datetime, str]] = {}
        for version in self._versions():
            key, at = str(version["Key"]), version["LastModified"]
            if key.endswith(".json") and (key not in first or at <= first[key][0]):  # they come newest first
                first[key] = (at, version["VersionId"])
        found = [
            (self._call("get_object", Key=key, VersionId=version)["Body"].read(), f"s3://{self._bucket}/{key}")
            for key, (_, version) in sorted(first.items())
        ]
        return _decoded(found)

    def _versions(self) -> Iterator[Any]:
        markers: dict[str, str] = {}
        while True:
            page = self._call("list_object_versions", Prefix=self._prefix, **markers)
            yield from page.get("Versions", [])
            if not page.get("IsTruncated"):
                return
            markers = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def _get(self, key: str) -> bytes | None:
        try:
            return bytes(self._call("get_object", Key=key)["Body"].read())
        except FileNotFoundError:
            return None

    def _call(self, action: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only users of S3 pay for it

        try:
            if self._client is None:
                self._client = _client()
            return getattr(self._client, action)(Bucket=self._bucket, **arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in ("NoSuchKey", "404"):
                raise FileNotFoundError from None
            hint = ": make it with object lock" if code in ("InvalidRequest", "NoSuchBucket") else ""
            raise StorageError(f"checkpoints cannot be kept in {self.where} ({code}){hint}") from None
        except BotoCoreError as error:
            raise TryAgainError(f"{self.where} cannot be reached ({type(error).__name__}): try later") from None


def _client() -> Any:
    import botocore.session  # noqa: PLC0415 - half a second that only users of S3 pay
    from botocore.config import Config  # noqa: PLC0415

    patience = Config(
        connect_timeout=_PATIENCE, read_timeout=_PATIENCE, retries={"mode": "standard", "max_attempts": 3}
    )
    return botocore.session.get_session().create_client("s3", config=patience)


def _decoded(found: list[tuple[bytes, str]]) -> list[Checkpoint | str]:
    made: list[Checkpoint | str] = []
    for data, where in found:
        try:
            made.append(Checkpoint.decode(data, where))
        except IntegrityError as error:
            made.append(str(error))
    return made
